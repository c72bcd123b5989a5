"""Metrics are merged exactly and fetched late: each step once, in order, whatever the clock says."""

import math
import random
from collections.abc import Iterator
from typing import Any

import jax.numpy as jnp
import numpy as np
import pytest
from clu.metrics import Average

from engine.interfaces import Metrics, average
from engine.training import metrics
from engine.training.metrics import LAG, MOST, SECONDS, Pending, merged
from tests.engine.conftest import Clock


def test_merged_is_the_mean_in_double_precision() -> None:
    """Single precision would drop every 1 after 2**24."""
    batches = [{'loss': average(jnp.array([value]))} for value in (2.0**24, *[1.0] * 9)]
    assert merged(batches) == {'loss': (2**24 + 9) / 10}


def test_a_ragged_last_batch_is_exact() -> None:
    values = np.random.default_rng(0).random(10).astype(np.float32)
    padded = np.append(values, [99, 99]).reshape(3, 4)
    valid = np.arange(12).reshape(3, 4) < 10
    batches = [{'loss': average(jnp.asarray(v), jnp.asarray(m))} for v, m in zip(padded, valid, strict=True)]
    assert merged(batches)['loss'] == pytest.approx(values.astype(np.float64).mean(), rel=1e-6)


def test_each_metric_has_a_count_of_its_own() -> None:
    one = {'a': average(jnp.array([1.0, 2.0])), 'b': average(jnp.array([5.0]))}
    other = {'a': average(jnp.array([6.0])), 'b': average(jnp.array([1.0, 0.0, 0.0]))}
    assert merged([one, other]) == {'a': 3.0, 'b': 1.5}


NOTHING = average(jnp.ones(2), jnp.zeros(2, bool))  # as of a class that the split lacks


def test_a_metric_that_counted_nothing_does_not_end_an_evaluation() -> None:
    values = merged([{'loss': average(jnp.ones(2)), 'recall': NOTHING}])
    assert values['loss'] == 1
    assert math.isnan(values['recall'])


def test_a_metric_that_counted_nothing_does_not_end_training() -> None:
    pending = Pending()
    pending.add(0, {'loss': steps([2.0], [2.0]), 'recall': steps([NOTHING.total], [NOTHING.count])})
    [(_, values)] = pending.all()
    assert values['loss'] == 1
    assert math.isnan(values['recall'])


def test_few_batches_are_under_way_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    begun, fetched = 0, 0
    device_get = metrics.jax.device_get

    def fetch(batch: Any) -> Any:
        nonlocal fetched
        fetched += 1
        return device_get(batch)

    def batches() -> Iterator[Metrics]:
        nonlocal begun
        for value in range(20):
            begun += 1
            assert begun - fetched <= LAG + 1
            yield {'loss': average(jnp.array([float(value)]))}

    monkeypatch.setattr(metrics.jax, 'device_get', fetch)
    assert merged(batches()) == {'loss': 9.5}
    assert fetched == 20


def steps(totals: Any, counts: Any) -> Average:
    """Returns a metric of several steps."""
    return Average(total=jnp.asarray(totals), count=jnp.asarray(counts))  # type: ignore[call-arg]


def group(first: int, count: int) -> Metrics:
    """Returns the metrics of the steps first + 1, ..., first + count: the loss of step s is s + 0.5."""
    losses = np.arange(first + 1, first + count + 1) + 0.5
    return {'loss': steps(losses * 4, np.full(count, 4.0)), 'rate': steps(losses * 0, np.ones(count))}


def expected(first: int, last: int) -> list[tuple[int, dict[str, float]]]:
    return [(step, {'loss': step + 0.5, 'rate': 0.0}) for step in range(first + 1, last + 1)]


@pytest.mark.parametrize('seed', range(5))
def test_every_step_comes_once_and_in_order(seed: int, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(metrics, 'MOST', 5)
    chance, pending = random.Random(seed), Pending()
    start = step = chance.choice([0, 17])
    lines, calls_that_gave = [], 0
    for _ in range(40):
        count = chance.choice([1, 1, 3])
        pending.add(step, group(step, count))
        step += count
        clock.now += chance.choice([0, SECONDS / 3, SECONDS * 2])
        given = pending.due() if chance.random() < 0.9 else pending.all()
        lines += given
        calls_that_gave += bool(given)
    lines += pending.all()
    assert lines == expected(start, step)
    assert 2 < calls_that_gave < 40
    assert pending.all() == []


def test_nothing_is_due_before_its_time(clock: Clock) -> None:
    pending = Pending()
    for step in range(4):
        pending.add(step, group(step, 1))
    clock.now += SECONDS * 0.9
    assert pending.due() == []
    clock.now += SECONDS * 0.2
    assert pending.due() == expected(0, 4 - LAG)
    assert pending.due() == []


def test_the_device_never_runs_dry(clock: Clock) -> None:
    """The newest steps, which it may still be at, are not waited for."""
    pending = Pending()
    for step in range(LAG):
        pending.add(step, group(step, 1))
    clock.now += SECONDS
    assert pending.due() == []


def test_the_host_runs_ahead_only_so_far(clock: Clock) -> None:
    pending = Pending()
    for step in range(MOST - 1):
        pending.add(step, group(step, 1))
        assert pending.due() == []
    pending.add(MOST - 1, group(MOST - 1, 1))
    assert pending.due() == expected(0, MOST - LAG)
