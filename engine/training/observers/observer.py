"""The protocol of observers: they watch a training and change nothing.

A project writes one in a new file of `research/` and binds it:

    trainer.Trainer.observers = [@progress.Progress(), @tensorboard.TensorBoard(), @mine.Histogram()]

Observers are not part of what a run is: other observers neither block a resume nor make another method.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import jax
import numpy as np

from engine.errors import Interrupted
from engine.interfaces import State
from engine.training.cost.flops import Flops
from engine.training.logs.clock import OBSERVERS, Clock


@dataclass(frozen=True)
class ObservedRun:
    """What an observer knows of the run that starts.

    Attributes:
      folder: of the run.
      step: the step that the run resumes from; 0 for a new run.
      steps: of the whole training.
      batch_size: examples per step, over all devices.
      epoch: returns how many epochs a number of steps makes.
      label_field: the dataset's field of the task's labels, '' where there is none.
      class_names: names of its classes in the order of their indices; () where there are none.
      batch: returns the training batch of a step (from 0 on) on the host, each array [B, ...].
      first_inputs: returns what enters the network at the first step, given the batch of that step.
      settings: the parameters of the `Trainer`, by name.
      compile_seconds: time to compile all programs, or to load them from the cache.
      flops: the operations of a step on one device; the count may still be under way.
      seconds: returns the seconds since its last call or the last evaluation, as `on_evaluation` gets them.
      show: passes numbers to all observers, by their `on_numbers`: `show(step, {name: number})`.
    """

    folder: Path
    step: int
    steps: int
    batch_size: int
    epoch: Callable[[int], float]
    label_field: str
    class_names: Sequence[str]
    batch: Callable[[int], dict[str, np.ndarray]]
    first_inputs: Callable[[Mapping[str, Any]], dict[str, jax.Array]]
    settings: Mapping[str, Any]
    compile_seconds: float
    flops: Future[Flops]
    seconds: Callable[[], dict[str, float]]
    show: Callable[[int, Mapping[str, float]], None]


class Observer:
    """Watches a training. Override what you need: each method does nothing by default.

    Only the first of several processes calls observers. The calls come from the thread of the loop, so a slow
    observer makes training slow.
    """

    def check(self) -> None:
        """Raises `UserError` if the observer cannot work, as without a package. Called before training."""

    def on_start(self, run: ObservedRun) -> None:
        """The loop is about to start. Remove lines after `run.step` from your files: they run again."""

    def on_steps(self, steps: np.ndarray, metrics: Mapping[str, np.ndarray]) -> None:
        """`train.jsonl` has new lines: one for each `log_every` steps.

        Args:
          steps: int [lines], the steps after which a line was written.
          metrics: by name, float64 [lines], means over the steps since the previous line.
        """

    def on_progress(self, step: int) -> None:
        """The steps up to `step` have ended with finite metrics. Also called between lines of the log.

        Args:
          step: the newest such step.
        """

    def on_evaluation(
        self, step: int, metrics: Mapping[str, float], seconds: Mapping[str, float], state: State
    ) -> None:
        """The validation sets were evaluated.

        Args:
          step: after which it was evaluated.
          metrics: by name, '<set>/<metric>' with several sets.
          seconds: since the last evaluation, by kind of work (`engine.training.logs.clock`), and `total`.
          state: on the devices. The next step overwrites it: copy what you keep.
        """

    def on_save(self, step: int) -> None:
        """A checkpoint is about to be saved. A run that resumes from it does not repeat the steps before.

        So pass what you have written to the operating system, such as by `file.flush()`.

        Args:
          step: of the checkpoint.
        """

    def on_pictures(self, step: int, pictures: Mapping[str, np.ndarray]) -> None:
        """The task has made pictures.

        Args:
          step: after which it made them.
          pictures: by name, uint8 [N, H, W, 1 or 3].
        """

    def on_numbers(self, step: int, numbers: Mapping[str, float]) -> None:
        """An observer has called `run.show`.

        Args:
          step: after which they were measured.
          numbers: by name, such as 'performance/examples_per_second'.
        """

    def on_end(self, status: str) -> None:
        """The loop has ended: 'finished', 'interrupted' (by a signal or `--until`) or 'failed'."""


class ObserverGroup(Observer):
    """Passes each call on to several observers, in the first process only.

    Args:
      observers: to pass it on to.
      clock: counts the time that each of them takes.
    """

    def __init__(self, observers: Sequence[Observer], clock: Clock | None = None):
        self._observers = tuple(observers) if jax.process_index() == 0 else ()
        timed = (clock or Clock()).timed
        self._calls = {
            call: [
                timed(f'{OBSERVERS}/{type(observer).__name__}', getattr(observer, call))
                for observer in self._observers
            ]
            for call in ('on_steps', 'on_progress', 'on_evaluation', 'on_pictures', 'on_save', 'on_numbers')
        }

    @contextmanager
    def watching(self, run: ObservedRun) -> Iterator[None]:
        """Starts all observers on entering; ends those that were started on leaving, whatever happened."""
        run = replace(run, show=self.on_numbers)
        started, status = [], 'failed'
        try:
            for observer in self._observers:
                observer.on_start(run)
                started.append(observer)
            yield
            status = 'finished'
        except (Interrupted, KeyboardInterrupt):
            status = 'interrupted'
            raise
        finally:
            with ExitStack() as stack:  # each is ended, even if another one fails
                for observer in started:
                    stack.callback(observer.on_end, status)

    def on_steps(self, steps: np.ndarray, metrics: Mapping[str, np.ndarray]) -> None:
        """Passes on that the log has new lines."""
        for call in self._calls['on_steps']:
            call(steps, metrics)

    def on_progress(self, step: int) -> None:
        """Passes on that steps have ended."""
        for call in self._calls['on_progress']:
            call(step)

    def on_evaluation(
        self, step: int, metrics: Mapping[str, float], seconds: Mapping[str, float], state: State
    ) -> None:
        """Passes on that the validation set was evaluated."""
        for call in self._calls['on_evaluation']:
            call(step, metrics, seconds, state)

    def on_pictures(self, step: int, pictures: Mapping[str, np.ndarray]) -> None:
        """Passes on that the task has made pictures."""
        for call in self._calls['on_pictures']:
            call(step, pictures)

    def on_save(self, step: int) -> None:
        """Passes on that a checkpoint is about to be saved."""
        for call in self._calls['on_save']:
            call(step)

    def on_numbers(self, step: int, numbers: Mapping[str, float]) -> None:
        """Passes on the numbers of an observer."""
        for call in self._calls['on_numbers']:
            call(step, numbers)
