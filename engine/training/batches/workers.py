"""Threads that decode examples, and the message when one of them fails.

Threads rather than processes: the decoding libraries release Python's lock, and nothing is copied.
"""

import os
import queue
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np

from engine.errors import RunError

MAX_SECONDS = 60.0  # an example that takes longer counts as hanging


@dataclass
class DecodingJob:
    """The decoding of one example.

    Attributes:
      work: decodes it.
      origin: returns the example's name and file, for messages.
      start: when the work began, by `time.monotonic`; None before.
      error: the exception that the work raised.
      done: whether the work has ended.
    """

    work: Callable[[], None]
    origin: Callable[[], str]
    start: float | None = None
    error: BaseException | None = None
    done: bool = False

    def run(self) -> None:
        """Does the work; keeps the exception that it raises."""
        self.start = time.monotonic()
        try:
            self.work()
        except BaseException as error:  # if a worker ended, the others would wait for ever
            self.error = error
        self.done = True


class DecodingBatch:
    """A batch that is being decoded.

    Args:
      arrays: filled by the jobs.
      jobs: one for each row.
      threads: number of threads that work on them; with 0, whoever made the batch calls `run` itself.
    """

    def __init__(self, arrays: dict[str, np.ndarray], jobs: Sequence[DecodingJob], threads: int):
        self._arrays, self._jobs = arrays, jobs
        self._remaining, self._lock, self._finished = len(jobs), threading.Lock(), threading.Event()
        if not jobs:
            self._finished.set()
        elif threads:
            for job in jobs:
                _queue(threads).put((self, job))

    def run(self, job: DecodingJob) -> None:
        """Does one of the jobs; the last one finishes the batch."""
        job.run()
        with self._lock:
            self._remaining -= 1
            if not self._remaining:
                self._finished.set()

    def result(self) -> dict[str, np.ndarray]:
        """Waits for the arrays; raises `RunError`, which names the example, if one fails or hangs."""
        while not self._finished.wait(min(1.0, MAX_SECONDS / 4)):
            self._check_time()
        failed = next((job for job in self._jobs if job.error), None)
        if failed:
            error = failed.error
            raise RunError(f'{failed.origin()} cannot be decoded: {type(error).__name__}: {error}') from error
        return self._arrays

    def _check_time(self) -> None:
        now = time.monotonic()
        for job in self._jobs:
            if job.start is not None and not job.done and now - job.start > MAX_SECONDS:
                raise RunError(
                    f'{job.origin()} has been decoding for {now - job.start:.0f} seconds: it hangs.'
                )


def decode(arrays: dict[str, np.ndarray], jobs: Sequence[DecodingJob], threads: int | None) -> DecodingBatch:
    """Starts to decode a batch in threads.

    Args:
      arrays: filled by the jobs.
      jobs: one for each row.
      threads: number of threads; 0 decodes before this function returns, None takes one thread for each CPU.
    """
    count = _cpus() if threads is None else threads
    batch = DecodingBatch(arrays, jobs, count)
    if not count:
        for job in jobs:
            batch.run(job)
    return batch


def _cpus() -> int:
    """Returns the number of CPUs that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, 'sched_getaffinity') else os.cpu_count() or 1


@cache
def _queue(threads: int) -> 'queue.SimpleQueue[tuple[DecodingBatch, DecodingJob]]':
    """Returns the queue of jobs that `threads` threads take from as long as the process lives.

    The threads are daemons: a hanging one does not keep the process from ending, as one of
    `concurrent.futures` would.
    """
    jobs: queue.SimpleQueue[tuple[DecodingBatch, DecodingJob]] = queue.SimpleQueue()

    def take_jobs() -> None:
        while True:
            batch, job = jobs.get()
            batch.run(job)
            del batch, job  # or the thread would keep the arrays while it waits

    for index in range(threads):
        threading.Thread(target=take_jobs, name=f'decode-{index}', daemon=True).start()
    return jobs
