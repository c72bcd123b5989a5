"""Payloads that are copied ahead against those of the plain source: equal bits, made once, bounded."""

import gc
import subprocess
import sys
import textwrap
import threading
from collections import Counter
from typing import Any

import jax
import numpy as np
import pytest

from engine.datasets.orders.order import MAIN, Shuffled
from engine.errors import RunError
from engine.parts.crops import Crops
from engine.sharding import Jit, batch_sharding
from engine.training.batches import copied_ahead, training
from engine.training.batches.copied_ahead import CopiedAhead
from engine.training.batches.from_host import PREFETCHED_STEPS, FromHost
from engine.training.batches.on_device import OnDevice
from engine.training.batches.training import batch_source, from_host, training_source
from engine.training.events import Events
from engine.workspace import REPOSITORY
from tests.engine import photos, tiny

STEPS = 13


def events(group: int) -> Events:
    """Evaluations after 5 and 10 steps and a save after 7 divide the groups."""
    return Events(
        steps=STEPS, ends_epoch=lambda _: False, evaluate_every=5, save_every=7, steps_per_dispatch=group
    )


@pytest.fixture
def own_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """Treats CPUs as devices with memory of their own, and holds no examples on them."""
    monkeypatch.setattr(copied_ahead, 'has_own_memory', lambda mesh: True)
    monkeypatch.setattr(training, 'MAX_DEVICE_BYTES', 0)


def pair(group: int, parallelism: Any = None, crops: Any = None) -> tuple[Any, Any]:
    """Returns the plain source of images of varying size, and the same, copied ahead."""
    parallelism, crops = parallelism or Jit(), crops or Crops(size=16, workers=1)
    order = tiny.order(7, 4, seed=2)
    plain, other = (from_host(photos.examples(7, crops), order, parallelism) for _ in range(2))
    return plain, copied_ahead.ahead(other, parallelism.mesh, events(group).group)


def loop(group: int, start: int = 0) -> list[tuple[int, int]]:
    """Returns step and count of each call of the training loop from a step on."""
    calls, step = [], start
    while count := events(group).group(step):
        calls.append((step, count))
        step += count
    return calls


@pytest.mark.usefixtures('own_memory')
@pytest.mark.parametrize('devices', [1, 2])
@pytest.mark.parametrize('group', [1, 3])
@pytest.mark.parametrize('start', [0, 7, 9])
def test_programs_are_given_the_same_bits_on_their_devices(group: int, devices: int, start: int) -> None:
    parallelism = Jit(data=devices)
    plain, ahead = pair(group, parallelism)
    assert isinstance(ahead, CopiedAhead)
    for count in {count for _, count in loop(group)}:
        assert ahead.shapes(count) == plain.shapes(count)
    for step, count in loop(group, start):
        payload, expected = ahead.inputs(step, count), plain.inputs(step, count)
        assert payload.keys() == expected.keys()
        for name, array in payload.items():
            assert array.sharding == batch_sharding(parallelism.mesh, axis=1)
            np.testing.assert_array_equal(array, expected[name], strict=True)


@pytest.mark.usefixtures('own_memory')
def test_any_step_may_be_asked_for_in_any_group() -> None:
    plain, ahead = pair(3)
    for step, count in [(0, 3), (0, 3), (3, 1), (50, 2), (4, 1), (12, 1), (13, 3), (1_000_000, 1), (3, 3)]:
        jax.tree.map(np.testing.assert_array_equal, ahead.inputs(step, count), plain.inputs(step, count))


@pytest.mark.usefixtures('own_memory')
def test_each_part_is_copied_ahead() -> None:
    parts = {MAIN: tiny.part(tiny.examples(11), 8), 'x': tiny.part(photos.examples(7, Crops(size=16)), 4)}
    order = Shuffled().bind(parts, 3)
    plain = training_source(parts, order, 3, Jit())
    ahead = training_source(parts, order, 3, Jit(), events(3).group)
    for step, count in loop(3):
        payload = ahead.inputs(step, count)
        assert all(isinstance(leaf, jax.Array) for leaf in jax.tree.leaves(payload))
        jax.tree.map(np.testing.assert_array_equal, payload, plain.inputs(step, count))


@pytest.mark.usefixtures('own_memory')
@pytest.mark.parametrize('group', [1, 3, 5])
def test_the_loop_has_nothing_decoded_twice_and_one_payload_ahead(group: int) -> None:
    seen: Counter[bytes] = Counter()

    class Counted(Crops):
        def train(self, data: bytes, channels: int, draws: np.ndarray) -> np.ndarray:
            seen[draws.tobytes()] += 1
            return super().train(data, channels, draws)

    _, ahead = pair(group, crops=Counted(size=16, workers=0))
    for step, count in loop(group):
        ahead.inputs(step, count)
        decoded_until = step + count + group + PREFETCHED_STEPS
        assert 4 * (step + count) <= seen.total() <= 4 * decoded_until
    assert set(seen.values()) == {1}


def test_cpus_and_examples_on_the_devices_are_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    order, mesh, group = tiny.order(7, 4), Jit().mesh, events(1).group
    source = from_host(tiny.examples(7), order, Jit())
    assert copied_ahead.ahead(source, mesh, group) is source
    monkeypatch.setattr(copied_ahead, 'has_own_memory', lambda mesh: True)
    assert isinstance(batch_source(tiny.examples(7), order, Jit(), group), OnDevice)
    monkeypatch.setattr(training, 'MAX_DEVICE_BYTES', 0)
    assert isinstance(batch_source(tiny.examples(7), order, Jit(), group), CopiedAhead)
    assert isinstance(batch_source(tiny.examples(7), order, Jit()), FromHost)


class Failing:
    """A source that fails at step 2, and counts what it is asked for."""

    def __init__(self, error: BaseException):
        self.error, self.asked = error, []

    def inputs(self, step: int, count: int) -> Any:
        self.asked.append(step)
        if step == 2:
            raise self.error
        return np.full((count, 2), step)


@pytest.mark.parametrize('error', [RunError("example '7' cannot be decoded"), MemoryError(), SystemExit(3)])
def test_an_error_is_raised_at_its_own_step(error: BaseException) -> None:
    source: Any = Failing(error)
    ahead = CopiedAhead(source, lambda payload: payload, lambda step: 1)
    assert ahead.inputs(0, 1).tolist() == [[0, 0]]
    assert ahead.inputs(1, 1).tolist() == [[1, 1]]
    with pytest.raises(type(error)) as caught:
        ahead.inputs(2, 1)
    assert caught.value is error
    assert ahead.inputs(3, 1).tolist() == [[3, 3]]


def test_an_error_that_nobody_asks_for_is_never_raised() -> None:
    source: Any = Failing(RunError('damaged'))
    ahead = CopiedAhead(source, lambda payload: payload, lambda step: 1)
    ahead.inputs(1, 1)  # step 2 fails meanwhile, and the run ends here or goes elsewhere
    assert ahead.inputs(9, 1).tolist() == [[9, 9]]


def test_nothing_is_made_after_the_last_step() -> None:
    source: Any = Failing(RunError('damaged'))
    ahead = CopiedAhead(source, lambda payload: payload, lambda step: int(step < 2))
    ahead.inputs(0, 1)
    ahead.inputs(1, 1)
    ahead.inputs(1, 1)
    assert source.asked == [0, 1, 1]


def test_the_thread_ends_with_its_source() -> None:
    source: Any = Failing(RunError('damaged'))
    ahead, others = CopiedAhead(source, lambda payload: payload, lambda step: 1), {*threading.enumerate()}
    ahead.inputs(4, 1)
    [thread] = {*threading.enumerate()} - others
    del ahead
    gc.collect()
    assert not thread.is_alive()


def test_a_process_ends_while_a_copy_is_in_progress() -> None:
    code = """
        import time
        import jax, numpy as np
        from engine.training.batches.copied_ahead import CopiedAhead

        class Slow:
            def inputs(self, step, count):
                time.sleep(0.3 * step)
                return np.zeros((count, 100))

        source = CopiedAhead(Slow(), jax.device_put, lambda step: 1)
        source.inputs(0, 1)
        print('ended')
    """
    done = subprocess.run(
        [sys.executable, '-c', textwrap.dedent(code)],
        cwd=REPOSITORY, capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert (done.returncode, done.stdout, done.stderr) == (0, 'ended\n', '')
