"""Trains a run again from its record and compares the two runs: steps, evaluations, outputs."""

import argparse
import contextlib
import os
import shutil
import signal
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from engine import errors, files
from engine.commands import command_line, trusted
from engine.errors import Interrupted, UserError
from engine.render.escape import printable
from engine.reproduction import (
    causes,
    comparison,
    evaluated_metrics,
    folders,
    interpreter,
    other_seed,
    spread,
    training,
    verdict,
    worktree,
)
from engine.reproduction.training import NothingTrainedError, Recipe
from engine.reproduction.verdict import Judgement
from engine.runs import checksums
from engine.runs.run_folder import Run
from engine.runs.safety import trust
from engine.runs.signals import is_handled
from engine.workspace import REPOSITORY

MAX_DIFF_LINES = 200
EXAMPLES = """\
  scripts/reproduce.sh workspace/runs/first                         the whole run, with its own code
  scripts/reproduce.sh workspace/runs/first --steps=100             its first hundred steps
  scripts/reproduce.sh workspace/runs/first --environment=rebuild   with the packages of its requirements.lock
  scripts/reproduce.sh workspace/runs/first --code=present          with the code as it is now
  scripts/reproduce.sh downloads/run --trust                        a run from elsewhere
"""


def parser() -> command_line.Parser:
    """Returns the parser of the command line."""
    parser = command_line.Parser('reproduce.sh', __doc__ or '', EXAMPLES)
    parser.add_argument('run', metavar='RUN', help='a run folder')
    parser.add_argument(
        '--steps',
        metavar='N',
        type=int,
        help='repeats the first N steps, in whole lines of the log; all by default',
    )
    parser.add_argument(
        '--environment',
        choices=('existing', 'rebuild'),
        default='existing',
        help='rebuild: with the recorded packages, in a folder of their own, and the recorded variables; '
        'existing by default',
    )
    parser.add_argument(
        '--code',
        choices=('recorded', 'present'),
        default='recorded',
        help='present: trains with the code of this repository as it is now; recorded by default',
    )
    parser.add_argument(
        '--processes',
        metavar='N',
        type=int,
        help='trains in N processes on this machine; by default in as many as the run',
    )
    parser.add_json_argument('verdict and differences')
    parser.add_trust_argument()
    return parser


def main(arguments: argparse.Namespace) -> int:
    """Repeats a run and prints the verdict. Returns 0 if the runs are equal, or equal within the spread."""
    for flag in ('steps', 'processes'):
        if (value := getattr(arguments, flag)) is not None and value < 1:
            raise UserError(f'--{flag}={value}: it must be at least 1.')
    run = Run.find(arguments.run)
    record = causes.first_session(run)
    show_changes(run)
    trusted.check(run, arguments.trust, files=trust.RECORD)
    until = comparison.last_step(run.folder, arguments.steps, run.is_finished)
    with (
        interruptible(),
        folders.opened(run.folder, request(run, record, until, arguments)) as folder,
    ):
        judgement = judge(run, record, folder, until, arguments)
        document = {'run': str(run.folder), 'reproduction': str(folder), **judgement.as_json()}
        files.write_json(folder / folders.VERDICT, document)
    print(printable('\n'.join(judgement.lines())))
    print(printable(f'reproduction: {folder}'))
    if arguments.json:
        command_line.print_json(document)
    is_same = judgement.verdict in (verdict.Verdict.SAME_BITS, verdict.Verdict.WITHIN_SPREAD)
    return errors.EXIT_FINISHED if is_same else errors.EXIT_FAILED


@contextlib.contextmanager
def interruptible() -> Iterator[None]:
    """Has the signals that end a process clean up first; Python does so for Ctrl-C alone."""

    def stop(number: int, frame: object) -> None:
        raise Interrupted

    numbers = [number for number in (signal.SIGTERM, signal.SIGHUP) if is_handled(number)]
    handlers = {number: signal.signal(number, stop) for number in numbers}
    try:
        yield
    except (Interrupted, KeyboardInterrupt):
        with contextlib.suppress(OSError):  # the terminal may be gone
            print('interrupted. The same command continues.', file=sys.stderr, flush=True)
        raise
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)


def request(
    run: Run, record: dict[str, Any], until: int | None, arguments: argparse.Namespace
) -> dict[str, Any]:
    """Returns all that decides what a reproduction does. One with another request is not continued."""
    present = causes.present(record, REPOSITORY)
    counts = {
        'code': arguments.code == 'present',
        **dict.fromkeys(('python', 'packages', 'flags'), arguments.environment == 'existing'),
    }
    own = {name: value for name, value in present.items() if counts[name]}
    of_jax = {name: value for name, value in os.environ.items() if name.startswith('JAX_')}
    return {
        'run': str(run.folder),
        'config_sha256': files.sha256(run.config),
        'record_sha256': checksums.of_values(record),
        'until': until,
        'processes': _processes(record, arguments),
        'options': {'code': arguments.code, 'environment': arguments.environment},
        'present_sha256': checksums.of_values({**own, 'jax': of_jax}),
    }


def show_changes(run: Run) -> None:
    """Prints the recorded changes of the code, which are code that is about to run."""
    path = run.folder / worktree.DIFF
    lines = path.read_text(encoding='utf-8', errors='replace').splitlines() if path.is_file() else []
    if lines:
        more = (
            [f'... and {len(lines) - MAX_DIFF_LINES} more lines in {path}'] if lines[MAX_DIFF_LINES:] else []
        )
        text = '\n'.join([f'changes that were not committed ({path}):', *lines[:MAX_DIFF_LINES], *more])
        print(printable(text), file=sys.stderr, flush=True)


def judge(
    run: Run, record: dict[str, Any], folder: Path, until: int | None, arguments: argparse.Namespace
) -> Judgement:
    """Trains the run again, and once more with another seed if the logs differ.

    Args:
      run: the run.
      record: of its first session.
      folder: for the new runs.
      until: the last step to repeat, None to train to the end.
      arguments: the command line.
    """
    is_present, repeated = arguments.code == 'present', folder / folders.RUN
    with _recorded(run, record, folder / folders.CODE, is_present) as recorded:
        root = REPOSITORY if is_present or recorded is None else recorded
        python = _interpreter(run, record, root, arguments.environment)
        config = Path(shutil.copyfile(run.config, folder / 'config.gin'))
        recipe = Recipe(root, python, config, until, _processes(record, arguments))
        notes = [*causes.notes(run, record), '' if is_present else causes.untrained(record)]
        try:
            notes.append(training.train(recipe, repeated))
            notes += evaluated_metrics.repeat(recipe, run.folder, repeated) if until is None else []
            compared = comparison.compare(run.folder, repeated, until)
            record_differences = causes.between(run, Run(repeated))
        except NothingTrainedError as error:
            compared = comparison.nothing(f'the training does not begin: {error}')
            record_differences = causes.before_training(run, record, root)
        lines = [*causes.tampered(run, record), *record_differences.lines()]
        lines += causes.changed_lines(record_differences, recorded, root) if recorded else []
        judgement = Judgement(compared, (), lines, [*filter(None, [*notes, record_differences.unknown])])
        return _with_spread(judgement, run, recipe, folder) if compared.first else judgement


@contextlib.contextmanager
def _recorded(run: Run, record: dict[str, Any], target: Path, is_optional: bool) -> Iterator[Path | None]:
    """Yields the folder of the recorded code; None if it is optional and cannot be restored."""
    with contextlib.ExitStack() as stack:
        try:
            folder = stack.enter_context(worktree.recorded_code(run.folder, record, target))
        except UserError:
            if not is_optional:
                raise
            folder = None
        yield folder


def _interpreter(run: Run, record: dict[str, Any], root: Path, environment: str) -> interpreter.Interpreter:
    """Returns the Python that trains; names what differs from the record before it trains."""
    if environment == 'rebuild':
        return interpreter.rebuilt(run.folder, record)
    if lines := causes.before_training(run, record, root).lines():
        text = '\n'.join(['the environment differs from the record:', *(f'  {line}' for line in lines)])
        print(printable(f'{text}\n  --environment=rebuild restores it.'), file=sys.stderr, flush=True)
    return interpreter.existing()


def _processes(record: dict[str, Any], arguments: argparse.Namespace) -> int:
    count = arguments.processes or record.get('processes')
    return count if isinstance(count, int) and count > 0 else 1


def _with_spread(judgement: Judgement, run: Run, recipe: Recipe, folder: Path) -> Judgement:
    """Trains with another seed and adds how far the seeds are apart."""
    print(f'not the same bits: {printable(judgement.comparison.difference)}', file=sys.stderr)
    print('training with another seed, to see how far apart two seeds are ...', file=sys.stderr, flush=True)
    repeated, other = folder / folders.RUN, folder / folders.OTHER_SEED
    try:
        binding = other_seed.binding(run.config.read_text(encoding='utf-8'))
        training.train(recipe, other, [binding])
        if recipe.until is None:
            evaluated_metrics.repeat(recipe, run.folder, other)
        distances = spread.distances(run.folder, repeated, other, recipe.until)
    except (NothingTrainedError, UserError) as error:
        return replace(judgement, notes=[*judgement.notes, f'no spread of two seeds: {error}'.rstrip('.')])
    return replace(judgement, distances=distances)


if __name__ == '__main__':
    command_line.run(main, parser())
