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
from engine.training.logs import metrics
from engine.training.logs.metrics import (
    FETCH_SECONDS,
    LAG_CALLS,
    MAX_CALLS,
    InFlightMetrics,
    StepMetrics,
    merged,
)
from engine.training.logs.packed import PackedMetrics, pack
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
    pending = InFlightMetrics()
    recall = steps([NOTHING.total], [NOTHING.count])
    pending.add(0, pack({'loss': steps([2.0], [2.0]), 'recall': recall}))
    [(_, values)] = lines(pending.all())
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
            assert begun - fetched <= LAG_CALLS + 1
            yield {'loss': average(jnp.array([float(value)]))}

    monkeypatch.setattr(metrics.jax, 'device_get', fetch)
    assert merged(batches()) == {'loss': 9.5}
    assert fetched == 20


def steps(totals: Any, counts: Any) -> Average:
    """Returns a metric of several steps."""
    return Average(total=jnp.asarray(totals), count=jnp.asarray(counts))  # type: ignore[call-arg]


def group(first: int, count: int) -> PackedMetrics:
    """Returns the metrics of the steps first + 1, ..., first + count: the loss of step s is s + 0.5."""
    losses = np.arange(first + 1, first + count + 1) + 0.5
    return pack({'loss': steps(losses * 4, np.full(count, 4.0)), 'rate': steps(losses * 0, np.ones(count))})


def lines(metrics: StepMetrics | None) -> list[tuple[int, dict[str, float]]]:
    """Returns each step with its metrics; nothing of None."""
    return list(metrics.lines()) if metrics else []


def expected(first: int, last: int) -> list[tuple[int, dict[str, float]]]:
    return [(step, {'loss': step + 0.5, 'rate': 0.0}) for step in range(first + 1, last + 1)]


@pytest.mark.parametrize('seed', range(5))
def test_every_step_comes_once_and_in_order(seed: int, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(metrics, 'MAX_CALLS', 5)
    chance, pending = random.Random(seed), InFlightMetrics()
    start = step = chance.choice([0, 17])
    seen, calls_that_gave = [], 0
    for _ in range(40):
        count = chance.choice([1, 1, 3])
        pending.add(step, group(step, count))
        step += count
        clock.now += chance.choice([0, FETCH_SECONDS / 3, FETCH_SECONDS * 2])
        given = lines(pending.due() if chance.random() < 0.9 else pending.all())
        seen += given
        calls_that_gave += bool(given)
    seen += lines(pending.all())
    assert seen == expected(start, step)
    assert 2 < calls_that_gave < 40
    assert pending.all() is None


def test_nothing_is_due_before_its_time(clock: Clock) -> None:
    pending = InFlightMetrics()
    for step in range(4):
        pending.add(step, group(step, 1))
    clock.now += FETCH_SECONDS * 0.9
    assert pending.due() is None
    clock.now += FETCH_SECONDS * 0.2
    assert lines(pending.due()) == expected(0, 4 - LAG_CALLS)
    assert pending.due() is None


def test_the_device_never_runs_dry(clock: Clock) -> None:
    """The newest steps, which it may still be at, are not waited for."""
    pending = InFlightMetrics()
    for step in range(LAG_CALLS):
        pending.add(step, group(step, 1))
    clock.now += FETCH_SECONDS
    assert pending.due() is None


def test_the_host_runs_ahead_only_so_far(clock: Clock) -> None:
    pending = InFlightMetrics()
    for step in range(MAX_CALLS - 1):
        pending.add(step, group(step, 1))
        assert pending.due() is None
    pending.add(MAX_CALLS - 1, group(MAX_CALLS - 1, 1))
    assert lines(pending.due()) == expected(0, MAX_CALLS - LAG_CALLS)
