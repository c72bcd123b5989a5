"""Does some steps of a run again and compares each with its log, to the bit."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from engine import errors
from engine.commands import command_line
from engine.commands.command_line import Parser
from engine.config import config
from engine.errors import UserError

if TYPE_CHECKING:
    from engine.runs.run_folder import Run
    from engine.training.trainer import Trainer

EXAMPLES = """\
  scripts/verify.sh <run>                          20 steps from the earliest checkpoint that is left
  scripts/verify.sh <run> --from=0 --steps=100     the first hundred
"""


def parser() -> Parser:
    """Returns the parser of this program's command line."""
    parser = Parser('verify.sh', __doc__ or '', EXAMPLES)
    parser.add_argument('run', metavar='RUN', help="its folder, or 'latest': the latest unfinished one")
    parser.add_argument('--from', dest='start', metavar='STEP', type=int, help='a step that was saved, or 0')
    parser.add_argument('--steps', default=20, metavar='N', type=int, help='how many to do again')
    return parser


def main(arguments: argparse.Namespace) -> int:
    """Replays, compares and says 'equal' or where it differs."""
    from engine.runs import text_log
    from engine.runs.run_folder import Run
    from engine.training import steps as programs
    from engine.training.trainer import Trainer

    text_log.silence_libraries()
    text_log.to_terminal()
    programs.use_compilation_cache()
    run = Run.find(arguments.run)
    run.check_config()
    trainer = config.Config([run.config]).build(Trainer)
    with config.explained():
        trainer.check()
    found = compare(trainer, run, arguments.start, arguments.steps)
    for line in stack_differences(run.folder, trainer):
        print(line)
    print(found)
    return errors.EXIT_FINISHED if found.startswith('equal') else errors.EXIT_FAILED


def compare(trainer: 'Trainer', run: 'Run', start: int | None, steps: int) -> str:
    """Returns 'equal: ...', or the first step and quantity that differ and by how much.

    Args:
      trainer: of the run.
      run: whose log is compared with.
      start: the step to begin after; None takes the earliest one saved that has steps after it, or else 0.
      steps: how many to do again; fewer where the log ends.
    """
    from engine.runs import json_lines
    from engine.training import replay
    from engine.training.checkpoints import Checkpoints

    recorded = {line['step']: line for line in json_lines.read(run.folder / 'logs' / 'train.jsonl')}
    if not recorded:
        raise UserError(f'{run.folder} has no steps to compare with.')
    with Checkpoints(run.folder / 'checkpoints', read_only=True) as checkpoints:
        if start is None:
            start = min((each for each in checkpoints.steps('latest') if each < max(recorded)), default=0)
        state = replay.saved_state(trainer, checkpoints, start)
    stop = min(start + steps, max(recorded))
    if stop <= start:
        raise UserError(f'nothing to compare: {steps} steps after {start}; the log ends at {max(recorded)}.')
    for step, metrics in replay.metrics(trainer, state, start, stop):
        for name, value in metrics.items():
            if (then := recorded.get(step, {}).get(name)) != json_lines.json_value(value):
                return f'step {step}: {name} was {then!r}, is {value!r}{_distance(then, value)}'
    return f'equal: steps {start + 1} to {stop}, every quantity to the bit'


def _distance(then: float | None, value: float) -> str:
    return '' if then is None else f' (difference {value - then:.3g})'


def stack_differences(folder: Path, trainer: 'Trainer') -> list[str]:
    """Returns a line for each thing that today's stack has otherwise than the one recorded."""
    from engine.runs import environment, json_files

    recorded = json_files.read(folder / 'environment.json')
    today = environment.machine() | {'commit': environment.commit()} | trainer.origin
    ignored = {'command'}
    return [
        f'{name}: was {_shown(recorded.get(name))}, is {_shown(value)}'
        for name, value in today.items()
        if name not in ignored and recorded.get(name) != value
    ]


def _shown(value: Any) -> str:
    return (
        ', '.join(f'{key} {each}' for key, each in value.items()) if isinstance(value, dict) else str(value)
    )


if __name__ == '__main__':
    command_line.run(main, parser())
