"""Threads that decode examples, and what is said when one of them fails.

Threads rather than processes: the libraries that decode let Python go on meanwhile, and nothing is copied.
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

LONGEST = 60.0  # seconds that an example may take; then it hangs


@dataclass
class Job:
    """What is to be done for one example.

    Attributes:
      work: does it.
      origin: names the example and its file.
      began: when, by `time.monotonic`; None before.
      error: what it raised.
    """

    work: Callable[[], None]
    origin: Callable[[], str]
    began: float | None = None
    error: BaseException | None = None
    done: bool = False

    def run(self) -> None:
        """Does the work; what it raises is kept."""
        self.began = time.monotonic()
        try:
            self.work()
        except BaseException as error:  # a worker that ends would have the others wait for ever
            self.error = error
        self.done = True


class Batch:
    """A batch under way.

    Args:
      arrays: filled by the jobs.
      jobs: one for each row.
      threads: that are at them; 0 leaves them to whoever asks for the result.
    """

    def __init__(self, arrays: dict[str, np.ndarray], jobs: Sequence[Job], threads: int):
        self._arrays, self._jobs = arrays, jobs
        self._left, self._lock, self._over = len(jobs), threading.Lock(), threading.Event()
        if not jobs:
            self._over.set()
        elif threads:
            for job in jobs:
                _queue(threads).put((self, job))

    def run(self, job: Job) -> None:
        """Does one of the jobs, and says so if it was the last."""
        job.run()
        with self._lock:
            self._left -= 1
            if not self._left:
                self._over.set()

    def result(self) -> dict[str, np.ndarray]:
        """Waits for the arrays; raises `RunError`, which names the example, if one fails or hangs."""
        while not self._over.wait(min(1.0, LONGEST / 4)):
            self._check_time()
        failed = next((job for job in self._jobs if job.error), None)
        if failed:
            error = failed.error
            raise RunError(f'{failed.origin()} cannot be decoded: {type(error).__name__}: {error}') from error
        return self._arrays

    def _check_time(self) -> None:
        now = time.monotonic()
        for job in self._jobs:
            if job.began is not None and not job.done and now - job.began > LONGEST:
                raise RunError(f'{job.origin()} hangs in decoding, for {now - job.began:.0f} seconds by now.')


def begin(arrays: dict[str, np.ndarray], jobs: Sequence[Job], threads: int | None) -> Batch:
    """Returns a batch, and has so many threads begin with it; None: one for each CPU at hand."""
    count = _cpus() if threads is None else threads
    batch = Batch(arrays, jobs, count)
    if not count:
        for job in jobs:
            batch.run(job)
    return batch


def _cpus() -> int:
    """Returns the number of CPUs that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, 'sched_getaffinity') else os.cpu_count() or 1


@cache
def _queue(threads: int) -> 'queue.SimpleQueue[tuple[Batch, Job]]':
    """Returns what so many threads work off, as long as the process lives.

    They do not keep it from ending, as those of `concurrent.futures` would if one hangs.
    """
    work: queue.SimpleQueue[tuple[Batch, Job]] = queue.SimpleQueue()

    def go_on() -> None:
        while True:
            batch, job = work.get()
            batch.run(job)
            del batch, job  # or it would keep the arrays while it waits

    for index in range(threads):
        threading.Thread(target=go_on, name=f'decode-{index}', daemon=True).start()
    return work
