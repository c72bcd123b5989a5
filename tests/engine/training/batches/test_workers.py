"""Workers: what they fill in, and what is said of an example that fails or hangs."""

import threading
import time
from functools import partial

import numpy as np
import pytest

from engine.errors import RunError
from engine.training.batches import workers
from engine.training.batches.workers import DecodingJob

THREADS = [0, 1, 3]


def jobs(work: list) -> list[DecodingJob]:
    return [DecodingJob(each, partial('example {}'.format, row)) for row, each in enumerate(work)]


@pytest.mark.parametrize('threads', [*THREADS, None])
def test_every_row_is_filled_in(threads: int | None) -> None:
    arrays = {'row': np.zeros(50, int)}

    def work(row: int) -> None:
        arrays['row'][row] = row

    batches = [
        workers.decode(arrays, jobs([partial(work, row) for row in range(50)]), threads) for _ in range(3)
    ]
    for batch in batches:
        assert batch.result()['row'].tolist() == list(range(50))


def test_nothing_to_do_is_done_at_once() -> None:
    assert workers.decode({}, [], 1).result() == {}


@pytest.mark.parametrize('threads', THREADS)
@pytest.mark.parametrize('error', [ValueError('no JPEG'), MemoryError('too large'), SystemExit('gone')])
def test_the_first_row_that_fails_is_named_and_workers_live_on(threads: int, error: BaseException) -> None:
    def fail() -> None:
        raise error

    batch = workers.decode({}, jobs([lambda: None, fail, fail, lambda: None]), threads)
    with pytest.raises(RunError, match=rf'^example 1 cannot be decoded: {type(error).__name__}: {error}$'):
        batch.result()
    assert workers.decode({}, jobs([lambda: None] * 9), threads).result() == {}


def test_an_example_that_hangs_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workers, 'MAX_SECONDS', 0.2)
    free = threading.Event()
    batch = workers.decode({}, jobs([lambda: None, lambda: None, free.wait, lambda: None]), 4)
    with pytest.raises(RunError, match=r'^example 2 has been decoding for 0 seconds: it hangs'):
        batch.result()
    free.set()
    batch.result()


def test_many_quick_examples_hang_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """However long the batch takes, or waits for another one."""
    monkeypatch.setattr(workers, 'MAX_SECONDS', 0.4)
    batches = [workers.decode({}, jobs([partial(time.sleep, 0.1)] * 8), 1) for _ in range(2)]
    for batch in batches:
        batch.result()
