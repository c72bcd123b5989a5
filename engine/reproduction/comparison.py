"""The comparison of a run with its repetition: steps, evaluations, outputs and their metrics."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from engine.errors import UserError
from engine.outputs.contents import MANIFEST
from engine.outputs.equality import first_value
from engine.reproduction import evaluated_metrics
from engine.run_reader.first_difference import LOGS, LogDifference, common_steps, first_difference


@dataclass(frozen=True)
class RunComparison:
    """What was compared of two runs, and what differs.

    Attributes:
      steps: the last steps of the compared lines of train.jsonl.
      evaluations: the steps of the compared lines of val.jsonl.
      first: the first number in which the logs differ, None if they are equal.
      outputs: the first difference of each outputs folder, '' if it is equal.
      metrics: the first difference in the metrics of each evaluated outputs folder, '' if they are equal.
      unfinished: where or why the repetition ended if it ended before the original; '' if it did not.
    """

    steps: Sequence[int]
    evaluations: Sequence[int]
    first: LogDifference | None
    outputs: Mapping[str, str]
    metrics: Mapping[str, str]
    unfinished: str = ''

    @property
    def has_begun(self) -> bool:
        """Whether the repetition has made a step."""
        return bool(self.steps or self.evaluations)

    @property
    def is_equal(self) -> bool:
        """Whether everything is equal to the bit."""
        return not self.difference

    @property
    def compared(self) -> str:
        """What was compared, in words."""
        steps = f'steps {self.steps[0]:,} to {self.steps[-1]:,}' if self.steps else 'no step'
        evaluations = f'{len(self.evaluations)} evaluation{"s" * (len(self.evaluations) != 1)}'
        outputs = f'the outputs {", ".join(self.outputs)}' if self.outputs else 'no outputs'
        metrics = f', the metrics of {", ".join(self.metrics)}' if self.metrics else ''
        return f'{steps}, {evaluations}, {outputs}{metrics}'

    @property
    def difference(self) -> str:
        """The first difference in words; '' if there is none."""
        if self.first:
            return self.first.text
        places = {f'outputs/{name}': text for name, text in self.outputs.items()}
        places |= {f'the metrics of outputs/{name}': text for name, text in self.metrics.items()}
        return next((f'{place}: {text}' for place, text in places.items() if text), self.unfinished)


def compare(original: Path, repeated: Path, up_to: int | None) -> RunComparison:
    """Compares the logs of two runs, and the outputs and metrics that both have.

    Args:
      original: a run folder.
      repeated: the run folder of its repetition.
      up_to: the last step to compare; None compares all, outputs and metrics too.

    Raises:
      UserError: the logs have no line in common.
    """
    steps, evaluations = common_steps(original, repeated, up_to)
    if not (steps or evaluations):
        raise UserError(
            f'{original} and {repeated} have no logged step in common, so nothing can be compared.'
        )
    outputs = {} if up_to else dict(_outputs(original, repeated))
    return RunComparison(
        steps,
        evaluations,
        first_difference(original, repeated, up_to),
        outputs,
        {} if up_to else dict(_metrics(original, repeated, outputs)),
        _unfinished(common_steps(original, original, up_to), (steps, evaluations)),
    )


def nothing(reason: str) -> RunComparison:
    """Returns the comparison with a repetition that did not begin."""
    return RunComparison((), (), None, {}, {}, reason)


def _outputs(original: Path, repeated: Path) -> Iterator[tuple[str, str]]:
    """Yields the name of each outputs folder that both runs have, and its first difference."""
    for one in sorted(path.parent for path in (original / 'outputs').glob(f'*/{MANIFEST}')):
        other = repeated / 'outputs' / one.name
        if (other / MANIFEST).is_file():
            try:
                yield one.name, first_value.difference(one, other)
            except UserError as error:  # a damaged manifest
                yield one.name, str(error).rstrip('.')


def _metrics(original: Path, repeated: Path, names: Iterable[str]) -> Iterator[tuple[str, str]]:
    """Yields the name of each outputs folder that both runs have evaluated, and its first difference."""
    for name in names:
        one, other = (run / 'outputs' / name for run in (original, repeated))
        if evaluated_metrics.metrics(one) and evaluated_metrics.metrics(other):
            yield name, evaluated_metrics.difference(one, other)


def _unfinished(expected: tuple[list[int], list[int]], common: tuple[list[int], list[int]]) -> str:
    for name, wanted, logged in zip(LOGS, expected, common, strict=True):
        if missing := sorted(set(wanted) - set(logged)):
            return f'step {missing[0]:,}: the repetition has no such line ({name})'
    return ''


def last_step(original: Path, steps: int | None, is_finished: bool) -> int | None:
    """Returns the last step to repeat, at the end of a line of the log; None to train to the end.

    Args:
      original: a run folder.
      steps: how many steps to repeat at least, None for all.
      is_finished: whether the training of the run has finished; else only its logged steps are repeated.

    Raises:
      UserError: the run has logged no step.
    """
    logged, _ = common_steps(original, original)
    if not logged:
        raise UserError(f'{original} has logged no step, so there is nothing to compare with.')
    if steps is None or steps >= logged[-1]:
        return None if is_finished else logged[-1]
    return next(step for step in logged if step >= steps)
