"""Trains one config with many values, by any number of workers."""

import argparse
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from engine import errors, files
from engine.commands import command_line, sweep_beginning, sweep_command
from engine.commands.command_line import Parser
from engine.errors import UserError
from engine.processes import gpus
from engine.render.escape import printable
from engine.sweeps import claims, optuna_study, report, search, worker
from engine.sweeps.report import SweepRun
from engine.sweeps.sweep_folder import FAILED, FINISHED, Proposal, Sweep
from engine.workspace import workspace

EXAMPLES = """\
  scripts/sweep.sh --name=rates --gin_file=FILE --vary LEARNING_RATE=1e-3,1e-2 --vary SEED=0..4
  scripts/sweep.sh --name=rates                                    one more worker, here or on another machine
  scripts/sweep.sh --name=wide --gin_file=FILE --vary RATE=1e-4..1e-1:log --search=tpe --trials=40
  scripts/sweep.sh --name=quick --gin_file=FILE --vary RATE=1e-4..1e-1:log:27 --halving=3
  scripts/sweep.sh --sweep_file=rates.toml                         all of this in a file
  scripts/sweep.sh --name=again --replay=wide                      trains the recorded runs of a sweep again
"""
REPORT = 'report'  # claimed by the worker that writes the comparison and the plots
MAX_SHOWN = 5  # failed runs of one reason
COMPARISONS = {'markdown': 'comparison.md', 'html': 'comparison.html'}


def parser() -> Parser:
    """Returns the parser of this program's command line."""
    parser = Parser('sweep.sh', __doc__ or '', EXAMPLES)
    parser.add_gin_arguments(after_flags=True)
    parser.add_argument('--name', help='the folder of the sweep, in workspace/sweeps; by default as the file')
    parser.add_argument('--sweep_file', metavar='FILE', help='a TOML file with flags; those given here win')
    parser.add_argument(
        '--vary',
        action='append',
        default=[],
        metavar='NAME=VALUES',
        help='NAME=a,b,c; NAME=0..4; a range NAME=1e-4..1e-1, with :log, and for a grid with points, :log:5',
    )
    parser.add_argument('--search', choices=('grid', 'random', 'tpe'), default='grid', help='grid by default')
    parser.add_argument('--trials', type=int, metavar='N', help='runs of a search that is not a grid')
    parser.add_argument('--seed', type=int, default=0, help='seed of the search; 0 by default')
    parser.add_argument(
        '--parallel',
        type=int,
        metavar='N',
        help='runs that TPE lets train at once: it proposes a run from the results of all but the last N - 1 '
        f'before it; by default {search.DEFAULT_PARALLEL}, or --workers if that is more',
    )
    parser.add_argument('--halving', type=int, metavar='N', help='one run in N survives each rung')
    parser.add_argument(
        '--rungs', default='', metavar='STEPS', help='steps of the rungs, as 100,300; by default they fit N'
    )
    parser.add_argument(
        '--metric',
        default='',
        help='of val.jsonl: NAME if higher is better, or -NAME; by default that of Trainer.best',
    )
    parser.add_argument('--replay', metavar='SWEEP', help='trains the recorded runs of another sweep again')
    parser.add_argument('--workers', type=int, metavar='N', help='by default one per GPU, or one')
    parser.add_json_argument('the runs of the sweep, with states and values,')
    return parser


def main(arguments: argparse.Namespace) -> int:
    """Begins the sweep or joins it, and works until all of its runs have ended."""
    sweep_command.complete(arguments, parser())
    sweep = Sweep(workspace() / 'sweeps' / arguments.name)
    sweep_beginning.begin(sweep, arguments)
    received = _work(sweep, arguments)
    if received:
        print(printable(f'stopped. The same command continues.\nsweep: {sweep.folder}'), flush=True)
        if received[0] == signal.SIGINT:
            raise KeyboardInterrupt
        return errors.EXIT_INTERRUPTED
    return _report(sweep, arguments.json)


def _work(sweep: Sweep, arguments: argparse.Namespace) -> list[int]:
    """Works until all runs have ended; returns the signals that asked to stop."""
    visible = [] if os.environ.get('JAX_PLATFORMS') == 'cpu' else gpus.visible(os.environ)
    environments = [
        {**os.environ, **({gpus.variable(os.environ): visible[index % len(visible)]} if visible else {})}
        for index in range(arguments.workers or max(1, len(visible)))
    ]
    stop, axes = threading.Event(), sweep.axes

    def tell(run: Proposal, state: str) -> None:
        values = ', '.join(f'{name} = {value}' for name, value in run.values(axes).items())
        print(printable(f'{time.strftime("%H:%M:%S")} {state}: {run.name} with {values}'), flush=True)

    workers = [
        worker.Worker(sweep, str(index), environment, stop, arguments.trust, tell)
        for index, environment in enumerate(environments)
    ]
    with _stopped_by_signals(stop) as received:
        for failure in worker.start(workers):
            raise failure
    return received


@contextmanager
def _stopped_by_signals(stop: threading.Event) -> Iterator[list[int]]:
    """Sets `stop` at SIGINT and SIGTERM inside; yields the list of those that have come."""
    received: list[int] = []

    def note(number: int, _: Any) -> None:
        received.append(number)
        stop.set()

    before = {number: signal.signal(number, note) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield received
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _report(sweep: Sweep, as_json: bool) -> int:
    """Has the comparison and the plots written, and reports how the runs have ended."""
    runs, objective = report.runs(sweep), sweep.objective
    _write_once(sweep, runs)
    counts, best = report.counts(runs), report.best(runs, objective)
    for reason, failed in report.failures(runs).items():
        shown = [f'  {run.proposal.name} with {run.written}' for run in failed[:MAX_SHOWN]]
        more = [f'  and {len(failed) - MAX_SHOWN} more'] * (len(failed) > MAX_SHOWN)
        print(printable('\n'.join([f'failed: {reason}', *shown, *more])))
    print(', '.join(f'{count} {state}' for state, count in counts.items()))
    if best and objective:
        print(printable(f'best: {best.folder} with {best.written}: {objective.metric} {best.value:.6g}'))
    if as_json:
        command_line.print_json(_document(sweep, runs, best))
    else:
        print(printable(f'sweep: {sweep.folder}'))
    return errors.EXIT_FAILED if counts.get(FAILED) else errors.EXIT_FINISHED


def _document(sweep: Sweep, runs: Sequence[SweepRun], best: SweepRun | None) -> dict[str, Any]:
    objective, description = sweep.objective, sweep.description()
    written = files.read_json(sweep.folder / f'{REPORT}.json')
    return {
        'sweep': sweep.folder,
        'search': description['search'],
        'metric': objective.metric if objective else None,
        'better': {'max': 'higher', 'min': 'lower'}[objective.mode] if objective else None,
        'rungs': description['rungs'],
        'states': report.counts([*runs]),
        'best': best.proposal.name if best else None,
        'runs': [run.as_json() for run in runs],
        'files': [sweep.folder / name for name in written.get('files', [])],
    }


def _write_once(sweep: Sweep, runs: Sequence[SweepRun]) -> None:
    """Writes the comparison and the plots, unless another worker has; waits for one that is at it."""
    states = {run.proposal.name: run.state for run in runs}
    while files.read_json(sweep.folder / f'{REPORT}.json').get('states') != states:
        claimed = claims.claim(sweep.folder / 'claims', REPORT, sweep.folder)
        if not claimed:
            time.sleep(worker.POLL_SECONDS)
            continue
        try:
            written = [*_comparisons(sweep, runs), *_plots(sweep)]
            names = [str(path.relative_to(sweep.folder)) for path in written]
            files.write_json(sweep.folder / f'{REPORT}.json', {'states': states, 'files': names})
        finally:
            claimed.release()


def _comparisons(sweep: Sweep, runs: Sequence[SweepRun]) -> list[Path]:
    """Writes the comparison of the finished runs; returns its files.

    Values are chosen on validation data, so `val` is compared, and `test` only if no run has predicted `val`.
    """
    for split in ('val', 'test'):
        folders = [str(run.folder) for run in runs if run.state == FINISHED and _has_outputs(run, split)]
        if folders:
            paths = {form: sweep.folder / name for form, name in COMPARISONS.items()}
            return [path for form, path in paths.items() if _compare(folders, split, form, path)]
    return []


def _has_outputs(run: SweepRun, split: str) -> bool:
    return (run.folder / 'outputs' / split).is_dir()


def _compare(runs: Sequence[str], split: str, form: str, output: Path) -> bool:
    flags = [f'--split={split}', f'--format={form}', f'--output={output}', '--overwrite']
    done = subprocess.run(
        [sys.executable, '-m', 'engine.commands.compare', *runs, *flags],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
    )
    if done.returncode:
        print(printable(f'{output.name} was not written: {done.stderr.strip()}'), file=sys.stderr)
    else:
        print(printable(f'comparison on {split}: {output}'))
    return not done.returncode


def _plots(sweep: Sweep) -> list[Path]:
    """Writes Optuna's plots and its study, if Optuna is there; returns the files."""
    if not (objective := sweep.objective):
        return []
    try:
        optuna_study.write_journal(sweep, objective)
        from engine.sweeps import plots

        return [sweep.folder / optuna_study.JOURNAL, *plots.write(sweep, objective)]
    except UserError as error:
        print(printable(f'no plots: {error}'), file=sys.stderr)
        return []


if __name__ == '__main__':
    command_line.run(main, parser())
