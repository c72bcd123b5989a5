"""Repeats steps and evaluations of a run, and its outputs if asked to, and compares them to the bit."""

import argparse
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from engine import errors
from engine.commands import command_line
from engine.commands.command_line import Parser
from engine.errors import UserError
from engine.processes import devices

if TYPE_CHECKING:
    from engine.runs.run_folder import Run
    from engine.training.replay import Repeated
    from engine.training.trainer import Trainer

EXAMPLES = """\
  scripts/verify.sh <run>                          from the earliest checkpoint to the next evaluation
  scripts/verify.sh <run> --from=0 --steps=100     the first hundred steps, and evaluations among them
  scripts/verify.sh <run> --outputs                the predictions too
"""
UNCOMPARED_COLUMNS = {'step', 'epoch'}


def parser() -> Parser:
    """Returns the parser of this program's command line."""
    parser = Parser('verify.sh', __doc__ or '', EXAMPLES)
    parser.add_argument('run', metavar='RUN', help="a run folder, or 'latest': the latest unfinished run")
    parser.add_argument('--from', dest='start', metavar='STEP', type=int, help='0, or a saved step')
    parser.add_argument(
        '--steps',
        metavar='N',
        type=int,
        help='how many steps to repeat, in whole lines of the log; by default up to the next evaluation',
    )
    parser.add_argument('--outputs', action='store_true', help='predicts once more and compares the outputs')
    parser.add_json_argument('the results')
    parser.add_trust_argument()
    return parser


def main(arguments: argparse.Namespace) -> int:
    """Repeats the steps, and prints 'equal' with all that was compared, or the first difference."""
    devices.import_jax()
    from engine.commands import experiments, trusted
    from engine.runs import start
    from engine.runs.environment import history
    from engine.runs.run_folder import Run
    from engine.training.trainer import Trainer

    experiments.set_up()
    run = Run.find(arguments.run)
    run.check_config()
    trusted.check(run, arguments.trust)
    trainer, _, differences = experiments.of_run(run, Trainer, accept_changes=False)
    start.check(run, differences.only('data'), accept_changes=False, strict=False)
    lacks = history.incomplete(history.latest(run.environment()))
    for line in (*filter(None, [differences.unknown, lacks]), *differences.lines()):
        print(line)
    results = [compare(trainer, run, arguments.start, arguments.steps)]
    if arguments.outputs:
        results.append(compare_outputs(trainer, run))
    else:
        print('Outputs are not compared: pass --outputs.')
    print(*(result.text for result in results), sep='\n')
    is_equal = all(result.is_equal for result in results)
    if arguments.json:
        compared = [result._asdict() for result in results]
        changes = differences.lines()
        command_line.print_json(
            {'run': run.folder, 'is_equal': is_equal, 'results': compared, 'changes': changes}
        )
    return errors.EXIT_FINISHED if is_equal else errors.EXIT_FAILED


class Result(NamedTuple):
    """The result of a comparison.

    Attributes:
      is_equal: whether nothing differs.
      text: 'equal: ...' with all that was compared, or the first difference.
    """

    is_equal: bool
    text: str


@dataclass(frozen=True)
class _Logs:
    """The logs of a run.

    Attributes:
      train: the lines of steps, by the last step of each line.
      val: the line of each evaluation.
      every: steps of a line.
    """

    train: Mapping[int, Mapping[str, Any]]
    val: Mapping[int, Mapping[str, Any]]
    every: int

    @classmethod
    def read(cls, run: 'Run', every: int) -> '_Logs':
        """Reads the logs of a run. Raises `UserError` if they hold no step."""
        from engine.runs import json_lines

        train, val = (
            {line['step']: line for line in json_lines.read(run.folder / 'logs' / f'{name}.jsonl')}
            for name in ('train', 'val')
        )
        if not train:
            raise UserError(f'{run.folder} has no logged steps to compare with.')
        return cls(train, val, every)

    @property
    def last(self) -> int:
        """The last logged step."""
        return max(self.train)

    def line_end(self, step: int) -> int:
        """Returns the last step of the line that holds a step; the step itself if there is no such line."""
        return min((end for end in self.train if end >= step), default=step)

    def difference(self, repeated: 'Repeated') -> str:
        """Describes the first metric in which a repeated line or evaluation differs; '' if none does."""
        line = (self.val if repeated.is_evaluation else self.train).get(repeated.step)
        first = (repeated.step - 1) // self.every * self.every + 1
        steps = f'step {first}' if first == repeated.step else f'steps {first} to {repeated.step}'
        what = f'evaluation after step {repeated.step}' if repeated.is_evaluation else steps
        problem = 'the log has no such line' if line is None else _difference(line, repeated.metrics)
        return f'{what}: {problem}' if problem else ''


def compare(trainer: 'Trainer', run: 'Run', start: int | None, steps: int | None) -> Result:
    """Repeats steps and evaluations of a run, and compares their metrics with its logs.

    Args:
      trainer: the trainer of the run.
      run: the run whose logs are compared.
      start: the step to start after; None takes the earliest saved step that has later steps, or else 0.
      steps: how many steps to repeat, fewer if the log ends before; None repeats up to the next evaluation.
        Where a line of the log is a mean over several steps, all steps of the last line are repeated.

    Raises:
      UserError: there is no such checkpoint, or nothing was logged after it.
    """
    from engine.training import replay
    from engine.training.checkpointing.checkpoints import Checkpoints

    logs = _Logs.read(run, trainer.log_every)
    with Checkpoints(run.folder / 'checkpoints', read_only=True) as checkpoints:
        if start is None:
            start = min((step for step in checkpoints.steps('latest') if step < logs.last), default=0)
        state = replay.saved_state(trainer, checkpoints, start, run.folder)
        block = replay.saved_block(trainer, checkpoints, start, logs.last)
    stop = _stop(logs, start, steps)
    stop = logs.line_end(stop) if stop > start else stop
    evaluations = _evaluations(logs, trainer.events.evaluates_at, start, stop)
    if stop <= start and not evaluations:
        raise UserError(
            f'nothing to compare: no step and no evaluation after {start}; the log ends at {logs.last}.'
        )
    print(f'repeating {_described(start, stop, evaluations)}', flush=True)
    compared, last = [], start
    for repeated in replay.repeat(trainer, state, block, start, stop, evaluations):
        if difference := logs.difference(repeated):
            return Result(False, difference)
        if repeated.is_evaluation:
            compared.append(repeated.step)
        else:
            last = repeated.step
    return Result(True, f'equal: {_described(start, last, compared)}, every metric to the bit')


def _stop(logs: _Logs, start: int, steps: int | None) -> int:
    """Returns the last step to repeat."""
    if steps is not None:
        return min(start + max(steps, 0), max(logs.last, start))
    return min((step for step in logs.val if step > start), default=max(logs.last, start))


def _evaluations(logs: _Logs, is_planned: Callable[[int], bool], start: int, stop: int) -> list[int]:
    """Returns the steps after which the run has evaluated, or should have."""
    evaluated = {*logs.val, *filter(is_planned, range(start, min(stop + 1, logs.last)))}
    return sorted(step for step in evaluated if start <= step <= stop)


def _described(start: int, stop: int, evaluations: Sequence[int]) -> str:
    """Returns what is compared, such as 'steps 11 to 14, the evaluations after steps 12 and 14'."""
    steps = [f'steps {start + 1} to {stop}'] if stop > start else []
    first, last = ', '.join(map(str, evaluations[:-1])), evaluations[-1] if evaluations else None
    if first:
        text = f'the evaluations after steps {first} and {last}'
    else:
        text = 'no evaluation' if last is None else f'the evaluation after step {last}'
    return ', '.join([*steps, text])


def _difference(logged: Mapping[str, Any], metrics: Mapping[str, float]) -> str:
    """Describes the first metric that differs from the log; returns '' if none does."""
    from engine.runs.json_lines import json_value

    for name in [*metrics, *sorted(logged.keys() - metrics.keys() - UNCOMPARED_COLUMNS)]:
        old, new = logged.get(name), json_value(metrics.get(name))
        if name not in logged or name not in metrics or json.dumps(old) != json.dumps(new):
            distance = (
                f' (difference {new - old:.3g})' if isinstance(old, float) and isinstance(new, float) else ''
            )
            return f'{name} was {old!r}, is {new!r}{distance}'
    return ''


def compare_outputs(trainer: 'Trainer', run: 'Run') -> Result:
    """Predicts once more, and compares the outputs with those of the run.

    Raises:
      UserError: the run has no outputs whose checkpoint is saved.
    """
    from engine.prediction import repeat

    names = []
    for name, difference in repeat.differences(trainer, run.folder):
        if difference:
            return Result(False, f'outputs/{name}: {difference}')
        names.append(name)
    if not names:
        raise UserError(
            f'{run.folder} has no outputs that can be compared. Write them: scripts/predict.sh {run.folder}.'
        )
    return Result(True, f'equal: the outputs {" and ".join(names)}, every file to the byte')


if __name__ == '__main__':
    command_line.run(main, parser())
