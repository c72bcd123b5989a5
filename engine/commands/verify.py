"""Repeats some steps of a run and compares each with its log, to the bit."""

import argparse
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from engine import errors
from engine.commands import command_line
from engine.commands.command_line import Parser
from engine.errors import UserError

if TYPE_CHECKING:
    from engine.runs.run_folder import Run
    from engine.training.trainer import Trainer

EXAMPLES = """\
  scripts/verify.sh <run>                          20 steps from the earliest saved checkpoint
  scripts/verify.sh <run> --from=0 --steps=100     the first hundred steps
"""
IGNORED_DIFFERENCES = {'command'}


def parser() -> Parser:
    """Returns the parser of this program's command line."""
    parser = Parser('verify.sh', __doc__ or '', EXAMPLES)
    parser.add_argument('run', metavar='RUN', help="a run folder, or 'latest': the latest unfinished run")
    parser.add_argument('--from', dest='start', metavar='STEP', type=int, help='0, or a saved step')
    parser.add_argument('--steps', default=20, metavar='N', type=int, help='how many steps to repeat')
    return parser


def main(arguments: argparse.Namespace) -> int:
    """Repeats the steps, and prints 'equal' or the first difference."""
    from engine.commands import experiments
    from engine.runs.run_folder import Run
    from engine.training.trainer import Trainer

    experiments.set_up()
    run = Run.find(arguments.run)
    run.check_config()
    trainer = experiments.of_run(run, Trainer)
    result = compare(trainer, run, arguments.start, arguments.steps)
    for line in environment_differences(run.folder, trainer):
        print(line)
    print(result)
    return errors.EXIT_FINISHED if result.startswith('equal') else errors.EXIT_FAILED


def compare(trainer: 'Trainer', run: 'Run', start: int | None, steps: int) -> str:
    """Returns 'equal: ...', or the first step and metric that differ, and by how much.

    Args:
      trainer: the trainer of the run.
      run: the run whose log is compared.
      start: the step to start after; None takes the earliest saved step that has later steps, or else 0.
      steps: how many steps to repeat; fewer if the log ends before.

    Raises:
      UserError: there is no such checkpoint, or no logged step after it.
    """
    from engine.runs import json_lines
    from engine.training import replay
    from engine.training.checkpoints import Checkpoints

    log = {line['step']: line for line in json_lines.read(run.folder / 'logs' / 'train.jsonl')}
    if not log:
        raise UserError(f'{run.folder} has no logged steps to compare with.')
    with Checkpoints(run.folder / 'checkpoints', read_only=True) as checkpoints:
        if start is None:
            start = min((step for step in checkpoints.steps('latest') if step < max(log)), default=0)
        state = replay.saved_state(trainer, checkpoints, start)
    stop = min(start + steps, max(log))
    if stop <= start:
        raise UserError(f'nothing to compare: {steps} steps after {start}; the log ends at {max(log)}.')
    for step, metrics in replay.metrics(trainer, state, start, stop):
        if difference := _difference(log.get(step, {}), metrics):
            return f'step {step}: {difference}'
    return f'equal: steps {start + 1} to {stop}, every metric to the bit'


def _difference(logged: Mapping[str, Any], metrics: Mapping[str, float]) -> str:
    """Describes the first metric that differs from the log; returns '' if none does."""
    from engine.runs.json_lines import json_value

    for name, value in metrics.items():
        old = logged.get(name)
        if old != json_value(value):
            distance = '' if old is None else f' (difference {value - old:.3g})'
            return f'{name} was {old!r}, is {value!r}{distance}'
    return ''


def environment_differences(folder: Path, trainer: 'Trainer') -> list[str]:
    """Returns a line for each value of environment.json that differs from the present environment."""
    from engine import files
    from engine.processes import devices
    from engine.runs import environment

    recorded = files.read_json(folder / 'environment.json')
    present = environment.machine() | devices.record() | {'commit': environment.commit()} | trainer.origin
    return [
        f'{name}: was {_readable(recorded.get(name))}, is {_readable(value)}'
        for name, value in present.items()
        if name not in IGNORED_DIFFERENCES and recorded.get(name) != value
    ]


def _readable(value: Any) -> str:
    if isinstance(value, dict):
        return ', '.join(f'{name} {part}' for name, part in value.items())
    return str(value)


if __name__ == '__main__':
    command_line.run(main, parser())
