"""Evaluates a state on all validation sets."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import takewhile

from engine.interfaces import Batch, State
from engine.runs import faults
from engine.training.logs.metrics import merged
from engine.training.steps import Compiled

Values = dict[str, float]


@dataclass(frozen=True)
class Evaluation:
    """Evaluates a state.

    Args:
      program: the compiled evaluation of a batch.
      measured: returns the metrics of all sets, given a function that returns those of the batches of one.
      stop_requested: tells whether a signal asks for the end.
    """

    program: Compiled
    measured: Callable[[Callable[[Iterator[Batch]], Values]], Values]
    stop_requested: Callable[[], bool]

    def __call__(self, state: State, meanwhile: Callable[[], object]) -> Values | None:
        """Returns the metrics of all sets, None if a signal asks for the end meanwhile.

        Args:
          state: of the task.
          meanwhile: called while the device works on the first batches.
        """
        faults.point('evaluation')

        def measure(batches: Iterable[Batch]) -> Values:
            wanted = takewhile(lambda _: not self.stop_requested(), batches)
            return merged((self.program(state, batch) for batch in wanted), meanwhile)

        metrics = self.measured(measure)
        return None if self.stop_requested() else metrics
