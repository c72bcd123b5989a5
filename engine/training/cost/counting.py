"""Counts the operations of a training step while the training runs."""

import time
from concurrent.futures import Future
from functools import partial
from threading import Thread

import jax

from engine.training.cost.flops import Flops, flops_per_step

DELAY_SECONDS = 10.0  # from the start of a training


class TooShort(Exception):  # noqa: N818 (not an error)
    """A training ended before the operations of its steps were counted."""


class Counting(Future[Flops]):
    """The count of the operations of a training step, on a thread of its own.

    Counting takes a tenth of a second of CPU time, too much for the start of a training and for a short
    training. It starts with the first call of `done` after DELAY_SECONDS, or with `result`. A training that
    ends earlier has no count.
    """

    def __init__(self, lowered: jax.stages.Lowered, count: int = 1):
        super().__init__()
        self._function = partial(flops_per_step, lowered, count)
        self._due_at, self._is_started = time.monotonic() + DELAY_SECONDS, False

    def done(self) -> bool:
        """Whether the operations are counted."""
        if time.monotonic() >= self._due_at:
            self._start()
        return super().done()

    def result(self, timeout: float | None = None) -> Flops:
        """Returns the operations."""
        self._start()
        return super().result(timeout)

    def exception(self, timeout: float | None = None) -> BaseException | None:
        """Returns why the operations are not counted, None if they are."""
        if not self._is_started and time.monotonic() < self._due_at:
            return TooShort(f'the training took less than {DELAY_SECONDS:g} seconds')
        self._start()
        return super().exception(timeout)

    def _start(self) -> None:
        if not self._is_started:
            self._is_started = True
            Thread(target=self._count).start()

    def _count(self) -> None:
        try:
            self.set_result(self._function())
        except BaseException as error:
            self.set_exception(error)
