"""Trains one config with many values, by any number of workers."""

import argparse
import os
import re
import signal
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from engine import errors
from engine.commands import command_line
from engine.commands.command_line import Parser
from engine.errors import UserError
from engine.processes import gpus
from engine.render.escape import printable
from engine.sweeps import axes, worker
from engine.sweeps.sweep_folder import Sweep, described
from engine.workspace import workspace

EXAMPLES = """\
  scripts/sweep.sh --name=rates --gin_file=FILE --vary LEARNING_RATE=1e-3,1e-2 --vary SEED=0..4
  scripts/sweep.sh --name=rates                                    one more worker, here or on another machine
  scripts/sweep.sh --name=wide --gin_file=FILE --vary RATE=1e-4..1e-1:log --search=random --trials=40
  scripts/sweep.sh --name=quick --gin_file=FILE --vary RATE=1e-4..1e-1:log:27 --halving=3 --rungs=100,300
"""


def parser() -> Parser:
    """Returns the parser of this program's command line."""
    parser = Parser('sweep.sh', __doc__ or '', EXAMPLES)
    parser.add_gin_arguments(after_flags=True)
    parser.add_argument('--name', required=True, help='the folder of the sweep, in workspace/sweeps')
    parser.add_argument(
        '--vary',
        action='append',
        default=[],
        metavar='NAME=VALUES',
        help='NAME=a,b,c; NAME=0..4; a range NAME=1e-4..1e-1, with :log, and for a grid with points, :log:5',
    )
    parser.add_argument('--search', choices=('grid', 'random'), default='grid', help='grid by default')
    parser.add_argument('--trials', type=int, metavar='N', help='runs of a random search')
    parser.add_argument('--seed', type=int, default=0, help='seed of a random search; 0 by default')
    parser.add_argument(
        '--halving', type=int, metavar='N', help='one run in N survives each rung; needs --rungs'
    )
    parser.add_argument(
        '--rungs', default='', metavar='STEPS', help='the steps of the rungs, such as 100,300'
    )
    parser.add_argument(
        '--metric', default='', help='of val.jsonl, for halving: NAME, or -NAME if lower is better'
    )
    parser.add_argument('--workers', type=int, metavar='N', help='by default one per GPU, or one')
    return parser


def main(arguments: argparse.Namespace) -> int:
    """Begins the sweep or joins it, and works until all of its runs have ended."""
    if not re.fullmatch(r'[\w.-]*\w[\w.-]*', arguments.name) or arguments.name.startswith('.'):
        raise UserError(f'--name={arguments.name} is not a name of letters, digits, _, - and dots.')
    if arguments.workers is not None and arguments.workers < 1:
        raise UserError(f'--workers={arguments.workers}: it must be at least 1.')
    sweep = Sweep(workspace() / 'sweeps' / arguments.name)
    _begin(sweep, arguments)
    received = _work(sweep, arguments)
    if received:
        print(printable(f'stopped. The same command continues.\nsweep: {sweep.folder}'), flush=True)
        if received[0] == signal.SIGINT:
            raise KeyboardInterrupt
        return errors.EXIT_INTERRUPTED
    return _report(sweep)


def _begin(sweep: Sweep, arguments: argparse.Namespace) -> None:
    """Begins a sweep; for one that exists, checks that the command describes it or nothing but its name."""
    if sweep.exists and not (arguments.gin_file or arguments.vary or arguments.gin_bindings):
        return
    if not arguments.gin_file or not arguments.vary:
        raise UserError(f'the sweep {sweep.folder.name} has not begun: pass --gin_file and --vary.')
    description, points = _description(arguments)
    if sweep.exists and sweep.description() != description:
        raise UserError(
            f'{sweep.folder} is another sweep: its sweep.json differs. Choose another --name, or pass --name '
            'alone to continue it.'
        )
    if not sweep.exists:
        _try(arguments, points[0])
        sweep.begin(description, points)


def _description(arguments: argparse.Namespace) -> tuple[dict[str, Any], list[list[str]]]:
    """Returns the description of the sweep, and the varied bindings of its runs."""
    varied = axes.parse_all(arguments.vary)
    if (arguments.search == 'random') != (arguments.trials is not None):
        raise UserError('--search=random and --trials=N belong together. Pass both, or none for a grid.')
    if arguments.trials is not None and arguments.trials < 1:
        raise UserError(f'--trials={arguments.trials}: it must be at least 1.')
    points = axes.draws(varied, arguments.trials, arguments.seed) if arguments.trials else axes.grid(varied)
    search = {name: getattr(arguments, name) for name in ('vary', 'search', 'trials', 'seed', 'metric')}
    halving = {'halving': arguments.halving, 'rungs': _rungs(arguments)}
    return described(arguments.gin_file, arguments.gin_bindings, **search, **halving), points


def _rungs(arguments: argparse.Namespace) -> list[int]:
    if (arguments.halving is None) != (not arguments.rungs):
        raise UserError('--halving=N and --rungs=STEPS belong together, such as --halving=3 --rungs=100,300.')
    steps = [part.strip() for part in arguments.rungs.split(',')] if arguments.rungs else []
    numbers = [int(step) for step in steps if step.isdecimal()]
    is_rising = numbers == sorted(set(numbers)) and 0 not in numbers
    if len(numbers) < len(steps) or not is_rising:
        raise UserError(f'--rungs={arguments.rungs}: write rising steps, such as --rungs=100,300.')
    if arguments.halving is not None and arguments.halving < 2:
        raise UserError(f'--halving={arguments.halving}: it must be at least 2.')
    return numbers


def _try(arguments: argparse.Namespace, point: Sequence[str]) -> None:
    """Builds the first run without training it. Raises `UserError` if that fails: all runs would."""
    bindings = (*arguments.gin_bindings, *point)
    command = worker.training(arguments.gin_file, bindings, arguments.trust, '--dry_run')
    tried = subprocess.run(command, capture_output=True, text=True, check=False)
    if tried.returncode:
        message = tried.stderr.strip().rpartition('error: ')[2]
        raise UserError(
            f'the first run, with {", ".join(point)}, cannot be built, so none was begun. {message}'
        )


def _work(sweep: Sweep, arguments: argparse.Namespace) -> list[int]:
    """Works until all runs have ended; returns the signals that asked to stop."""
    stop, received = threading.Event(), []
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda number, _: (received.append(number), stop.set()))
    visible = [] if os.environ.get('JAX_PLATFORMS') == 'cpu' else gpus.visible(os.environ)
    environments = [
        {**os.environ, **({gpus.variable(os.environ): visible[index % len(visible)]} if visible else {})}
        for index in range(arguments.workers or max(1, len(visible)))
    ]
    workers = [
        worker.Worker(sweep, str(index), environment, stop, arguments.trust)
        for index, environment in enumerate(environments)
    ]
    for failure in worker.start(workers):
        raise failure
    return received


def _report(sweep: Sweep) -> int:
    """Writes the comparison of the finished runs, and reports how many ended how."""
    states = {run.name: _state(sweep, run.name) for run in sweep.proposals()}
    finished = [sweep.run(name) for name, state in states.items() if state == 'finished']
    compared = [str(folder) for folder in finished if worker.outputs_of(folder)]
    for form, name in (('markdown', 'comparison.md'), ('html', 'comparison.html')) if compared else ():
        _compare(compared, form, sweep.folder / name)
    for run in sweep.proposals():
        if states[run.name] == 'failed':
            print(printable(f'failed: {sweep.run(run.name)} with {", ".join(run.bindings)}'))
    counts = Counter(states.values())
    print(', '.join(f'{count} {state}' for state, count in counts.items()))
    print(printable(f'sweep: {sweep.folder}'))
    return errors.EXIT_FAILED if counts['failed'] else errors.EXIT_FINISHED


def _state(sweep: Sweep, name: str) -> str:
    """Returns 'finished', 'failed' or, for a run that halving left behind, 'paused'."""
    rungs = [f'{name}@{step}' for step in reversed(sweep.description()['rungs'])]
    return next((ended['state'] for task in (name, *rungs) if (ended := sweep.ended(task))), 'paused')


def _compare(runs: Sequence[str], form: str, output: Path) -> None:
    flags = [f'--format={form}', f'--output={output}', '--overwrite']
    done = subprocess.run(
        [sys.executable, '-m', 'engine.commands.compare', *runs, *flags],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
    )
    if done.returncode:
        print(printable(f'{output.name} was not written: {done.stderr.strip()}'), file=sys.stderr)


if __name__ == '__main__':
    command_line.run(main, parser())
