"""Trainings in numbers: how far they are, how fast, and how good."""

import re
from collections.abc import Callable, Mapping
from typing import Any

import pandas as pd

from engine.render import escape
from engine.render import table as tables
from engine.render.durations import duration
from engine.render.table import Cell, Table
from engine.run_reader.logs import TrainingLogs
from engine.run_reader.times import KINDS

Runs = Mapping[str, TrainingLogs]  # by the names to show

# Words in the name of a metric that tell which direction is better. Other metrics have no best value.
LOWER = {'loss', 'error', 'perplexity', 'bits', 'distance'}
HIGHER = {'accuracy', 'precision', 'recall', 'f1', 'iou', 'dice', 'auc', 'psnr', 'ssim'}


def terminal(runs: Runs) -> str:
    """Returns the summary of some runs for a terminal: two tables and a list of notes."""
    return _summary(runs, tables.terminal, escape.printable)


def markdown(runs: Runs) -> str:
    """Returns the summary of some runs in Markdown: two tables and a list of notes."""
    return _summary(runs, tables.markdown, escape.markdown)


def _summary(runs: Runs, render: Callable[[Table], str], escaped: Callable[[str], str]) -> str:
    parts = [render(table) for table in (progress(runs), metrics(runs)) if table.rows]
    parts.append(''.join(f'- {escaped(note)}\n' for note in notes(runs)))
    return '\n'.join(filter(None, parts))


def progress(runs: Runs) -> Table:
    """Returns a table with a row per run: state, steps, median speed, total time and its shares."""
    rows = [
        [name, run.state, _steps(run), _epochs(run), _speed(run), *_shares(run)] for name, run in runs.items()
    ]
    return Table.of(['run', 'state', 'steps', 'epochs', 'examples/s', 'time', *KINDS], rows)


def metrics(runs: Runs) -> Table:
    """Returns a table with a row per validation metric and run: best and last value with their steps."""
    rows = []
    for metric in dict.fromkeys(str(name) for run in runs.values() for name in run.val if name != 'epoch'):
        for name, run in runs.items():
            values = pd.Series(run.val.get(metric), dtype=float).dropna()
            better = direction(metric, run)
            rows.append([metric, name, better, *_best(values, better), *_at(values, -1)])
    return Table.of(['metric', 'run', 'better', 'best', 'at step', 'last', 'at step'], rows)


def documents(runs: Runs) -> list[dict[str, Any]]:
    """Returns for each run what `progress`, `metrics` and `notes` show, for programs."""
    return [_document(name, run) for name, run in runs.items()]


def _document(name: str, run: TrainingLogs) -> dict[str, Any]:
    seconds = run.time[list(KINDS)].sum()
    return {
        'name': name,
        'folder': run.folder,
        'state': run.state,
        'step': run.done,
        'steps': run.steps,
        'stopped': run.stopped,
        'epochs': _epochs(run).value,
        'examples_per_second': _speed(run).value,
        'seconds': {'total': seconds.sum(), **seconds} if len(run.time) else None,
        'metrics': {
            str(metric): _metric_document(str(metric), run) for metric in run.val if metric != 'epoch'
        },
        'bound': run.bound or None,
        'notes': run.notes,
    }


def _metric_document(metric: str, run: TrainingLogs) -> dict[str, Any]:
    values, better = pd.Series(run.val[metric], dtype=float).dropna(), direction(metric, run)
    cells = [*_best(values, better), *_at(values, -1)]
    names = ('best', 'best_step', 'last', 'last_step')
    return {'better': better or None} | {name: cell.value for name, cell in zip(names, cells, strict=True)}


def direction(metric: str, run: TrainingLogs) -> str:
    """Returns which values of a metric are better: 'lower', 'higher', or '' if unknown.

    A metric is the same on all sets: 'val/score' and 'test/score' are better where 'score' is.
    """
    best_metric, mode = run.best
    if metric.rpartition('/')[2] == best_metric.rpartition('/')[2]:
        return {'min': 'lower', 'max': 'higher'}.get(mode, '')
    words = set(re.split(r'[\W_]+', metric.lower()))
    return 'lower' if words & LOWER else 'higher' if words & HIGHER else ''


def notes(runs: Runs) -> list[str]:
    """Returns what bounds the speed of each run, and what is missing, damaged or odd in its logs."""
    said = {name: [*filter(None, [run.bound]), *run.notes] for name, run in runs.items()}
    return [f'{name}: {note}' for name, notes in said.items() for note in notes]


def _steps(run: TrainingLogs) -> Cell:
    if run.stopped:
        return Cell(run.done, f'{run.done:,}, stopped')
    return Cell(run.done, f'{run.done:,}' if run.steps is None else f'{run.done:,} of {run.steps:,}')


def _epochs(run: TrainingLogs) -> Cell:
    epochs = [table['epoch'].max() for table in (run.train, run.val) if 'epoch' in table]
    return Cell(max(epochs), f'{max(epochs):.1f}') if epochs else Cell(None)


def _speed(run: TrainingLogs) -> Cell:
    rates = run.time['examples_per_second'].dropna()
    return Cell(rates.median(), f'{rates.median():,.0f}') if len(rates) else Cell(None)


def _shares(run: TrainingLogs) -> list[Cell]:
    """Returns the total time, and the share of each kind of work."""
    seconds = run.time[list(KINDS)].sum()
    total = seconds.sum()
    if not total:
        return [Cell(None)] * (1 + len(KINDS))
    shares = [seconds[kind] / total for kind in KINDS]
    return [Cell(total, duration(total)), *(Cell(share, f'{100 * share:.1f} %') for share in shares)]


def _best(values: pd.Series, better: str) -> list[Cell]:
    if values.empty or not better:
        return [Cell(None), Cell(None)]
    return _at(values, int(values.argmin() if better == 'lower' else values.argmax()))


def _at(values: pd.Series, place: int) -> list[Cell]:
    """Returns the value at a place, and its step."""
    if values.empty:
        return [Cell(None), Cell(None)]
    value, step = values.iloc[place], values.index[place]
    return [Cell(value, f'{value:.4g}'), Cell(step, f'{step:,}')]
