"""Trainings in numbers, for a terminal and for Markdown: how far they are, how fast, and how good."""

import re
from collections.abc import Callable, Mapping

import pandas as pd

from engine.run_reader.logs import KINDS, TrainingLogs

Runs = Mapping[str, TrainingLogs]
Rows = list[list[str]]

# A word in the name of a metric tells which way is better; where none does, nothing is called the best.
LOWER, HIGHER = (
    {'loss', 'error', 'perplexity', 'bits', 'distance'},
    {'accuracy', 'precision', 'recall', 'f1', 'iou', 'dice', 'auc', 'psnr', 'ssim'},
)


def shown(runs: Runs, table: Callable[[Rows], str], escaped: Callable[[str], str]) -> str:
    """Returns all there is to say about some runs: two tables, then what is odd about whom.

    Args:
      runs: by the names to call them by.
      table: makes rows of cells a table, as `text.aligned` and `text.markdown` do.
      escaped: makes a text show as it is where it goes, as `printable` and `text.escaped` do.
    """
    tables = [progress(runs), metrics(runs)]
    parts = [table([[escaped(cell) for cell in row] for row in rows]) for rows in tables if len(rows) > 1]
    parts.append('\n'.join(f'- {escaped(note)}' for note in notes(runs)))
    return '\n\n'.join(part for part in parts if part)


def progress(runs: Runs) -> Rows:
    """Returns a table with a row per run: its state, steps, median speed, time and where that went."""
    rows = [['run', 'state', 'steps', 'epochs', 'examples/s', 'time', *KINDS]]
    for name, run in runs.items():
        rows.append([name, run.state, _steps(run), _epochs(run), _speed(run), *_shares(run)])
    return rows


def metrics(runs: Runs) -> Rows:
    """Returns a table with a row per validation metric and run: its best and last value, their steps."""
    rows = [['metric', 'run', 'better', 'best', 'at step', 'last', 'at step']]
    for metric in dict.fromkeys(str(name) for run in runs.values() for name in run.val if name != 'epoch'):
        for name, run in runs.items():
            values = pd.Series(run.val.get(metric), dtype=float).dropna()
            better = direction(metric, run)
            rows.append([metric, name, better, *_best(values, better), *_at(values, -1)])
    return rows


def direction(metric: str, run: TrainingLogs) -> str:
    """Returns which values of a metric are better, 'lower' or 'higher', or '' where nothing tells."""
    chooses, which = run.best
    if metric == chooses:
        return {'min': 'lower', 'max': 'higher'}.get(which, '')
    words = set(re.split(r'[\W_]+', metric.lower()))
    return 'lower' if words & LOWER else 'higher' if words & HIGHER else ''


def notes(runs: Runs) -> list[str]:
    """Returns what is odd about whom, a line each."""
    return [f'{name}: {note}' for name, run in runs.items() for note in run.notes]


def duration(seconds: float) -> str:
    """Returns seconds as people say them, such as '12.3 s' or '2 h 05 min'."""
    if round(seconds, 1) < 60:
        return f'{seconds:.1f} s'
    minutes, rest = divmod(round(seconds), 60)
    return f'{minutes // 60} h {minutes % 60:02} min' if minutes >= 60 else f'{minutes} min {rest:02} s'


def _steps(run: TrainingLogs) -> str:
    return f'{run.done:,}' if run.steps is None else f'{run.done:,} of {run.steps:,}'


def _epochs(run: TrainingLogs) -> str:
    epochs = [table['epoch'].max() for table in (run.train, run.val) if 'epoch' in table]
    return f'{max(epochs):.1f}' if epochs else ''


def _speed(run: TrainingLogs) -> str:
    rates = run.time['examples_per_second'].dropna()
    return f'{rates.median():,.0f}' if len(rates) else ''


def _shares(run: TrainingLogs) -> list[str]:
    """Returns the whole time and the share of each kind of work in it."""
    seconds = run.time[list(KINDS)].sum()
    whole = seconds.sum()
    if not whole:
        return [''] * (1 + len(KINDS))
    return [duration(whole), *(f'{100 * seconds[kind] / whole:.1f} %' for kind in KINDS)]


def _best(values: pd.Series, better: str) -> list[str]:
    if values.empty or not better:
        return ['', '']
    return _at(values, int(values.argmin() if better == 'lower' else values.argmax()))


def _at(values: pd.Series, place: int) -> list[str]:
    return [f'{values.iloc[place]:.4g}', f'{values.index[place]:,}'] if len(values) else ['', '']
