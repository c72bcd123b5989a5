"""Where the time of the loop goes, and whether the device is busy."""

import time
from typing import Any

import jax
import jax.numpy as jnp
import pytest

from engine.training.logs.clock import Clock
from tests.engine.conftest import Clock as Time


def spent(lap: dict[str, float]) -> dict[str, float]:
    """Returns a lap without the kinds that took no time."""
    return {kind: seconds for kind, seconds in lap.items() if seconds}


def test_time_is_counted_by_kind_of_work(clock: Time) -> None:
    def spend(seconds: float) -> str:
        clock.now += seconds
        return 'done'

    work = Clock()
    read, save = work.timed('data', spend), work.timed('checkpoint', spend)
    assert [read(1), read(2), save(4), spend(8)] == ['done'] * 4
    assert spent(work.lap()) == {'data': 3, 'checkpoint': 4, 'other': 8, 'total': 15}
    read(seconds=1)
    assert spent(work.lap()) == {'data': 1, 'total': 1}
    assert spent(work.lap()) == {}


def test_time_that_an_error_took_counts(clock: Time) -> None:
    def fail() -> None:
        clock.now += 2
        raise OSError

    work = Clock()
    with pytest.raises(OSError):
        work.timed('data', fail)()
    assert spent(work.lap()) == {'data': 2, 'total': 2}


def test_no_second_counts_twice(clock: Time) -> None:
    def spend(*inner: Any) -> None:
        clock.now += 1
        for each in inner:
            each()
            clock.now += 1

    work = Clock()
    low = work.timed('low', spend)
    middle = work.timed('middle', lambda: spend(low, low))
    wait = work.waiting(lambda: spend(low))
    work.timed('high', lambda: spend(middle, low, wait))()
    assert spent(work.lap()) == {'low': 4, 'middle': 3, 'high': 4, 'device': 2, 'busy': 3, 'total': 13}


class Result:
    """An array that may not be ready yet."""

    def __init__(self, ready: bool):
        self.ready = ready

    def is_ready(self) -> bool:
        return self.ready


class Program:
    """A program whose calls take given times, and whose results are ready or not at the next call."""

    def __init__(self, clock: Time, *calls: tuple[float, bool]):
        self.clock, self.calls = clock, list(calls)

    def __call__(self) -> Any:
        seconds, ready = self.calls.pop(0)
        self.clock.now += seconds
        return 'state', Result(ready)


def test_a_device_that_is_ready_may_have_idled(clock: Time) -> None:
    work = Clock()
    call = work.calling(Program(clock, (1, True), (1, True), (3, True)))
    for _ in range(3):
        call()
        clock.now += 10
    assert spent(work.lap()) == {'dispatch': 5, 'other': 30, 'total': 35}


def test_what_the_loop_does_while_the_device_is_busy_is_covered(clock: Time) -> None:
    work = Clock()
    call = work.calling(Program(clock, (1, False), (1, False), (7, True), (2, True)))
    read = work.timed('data', lambda: setattr(clock, 'now', clock.now + 4))
    for _ in range(4):
        read()
        call()
    # Busy from the first call to the third, 4 + 1 and 4 + 7; the third has waited 6 for a place.
    assert spent(work.lap()) == {'data': 16, 'dispatch': 5, 'device': 6, 'busy': 16, 'total': 27}


def test_waiting_for_metrics_counts_once(clock: Time) -> None:
    work = Clock()
    call = work.calling(Program(clock, (1, False), (1, True), (1, True)))
    fetch = work.waiting(lambda: setattr(clock, 'now', clock.now + 5))
    call()
    fetch()  # inside of an interval that counts as a whole
    call()
    fetch()  # outside
    call()
    fetch()  # at the end of the lap
    assert spent(work.lap()) == {'dispatch': 3, 'device': 15, 'busy': 6 + 5 + 5, 'total': 18}


def test_real_programs() -> None:
    """The first loop only waits for the device; the second one lets it idle most of the time."""
    step = jax.jit(lambda x: (x, jnp.linalg.norm(x @ x)[None]))
    x = jnp.ones((1000, 1000))
    step(x)
    laps = []
    for pause in (0, 0.3):
        work = Clock()
        call, rest, fetch = work.calling(step), work.timed('data', time.sleep), work.waiting(jax.device_get)
        for _ in range(3):
            rest(pause)
            metrics = call(x)[1]
            if pause == 0:
                fetch(metrics)
        fetch(step(x)[1])
        laps.append(work.lap())
    busy, idle = laps
    assert busy['busy'] > 0.5 * busy['total']
    assert idle['data'] > 0.6 * idle['total'] > idle['busy']


def test_counting_costs_little() -> None:
    """Beside a call of a program, its time is below 3 microseconds, a hundredth of the shortest steps."""
    result = jnp.ones(1)
    program = lambda *_: (None, result)  # noqa: E731
    counted = Clock().calling(program)

    def seconds(function: Any) -> float:
        start = time.process_time()
        for _ in range(2000):
            function(1, 2, 3)
        return time.process_time() - start

    assert min(seconds(counted) - seconds(program) for _ in range(5)) / 2000 < 3e-6
