"""The logs of a training, read from its plain files, whether it finished, crashed or still runs."""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from engine import files
from engine.errors import UserError
from engine.run_reader import plain_files, settings, times
from engine.run_reader.plain_files import MARKS, counted, parsed, printable
from engine.runs.run_state import HEARTBEAT_TIMEOUT, RunState, describe_stop, seconds_since

LARGEST = 3.5e38  # no metric is beyond it: they are float32


@dataclass(frozen=True)
class TrainingLogs:
    """The logs of one run: tables with a row per line, by step, NaN where there is no finite number.

    Attributes:
      folder: of the run.
      state: 'running', 'paused', 'finished', 'interrupted', 'failed', or 'unknown'.
      steps: of the whole training, None if no config says.
      stopped: whether the training has stopped before its last step; `notes` says why.
      best: the metric that chooses the best checkpoint, and its direction; ('', '') if no config says.
      log_every: steps whose means are one line of `train`; 1 if no config says.
      train: `epoch` and the metrics of each step, or their means over `log_every` steps, by the last of them.
      val: `epoch` and the metrics of each evaluation.
      time: `examples_per_second` and, in seconds since the last evaluation, a column per kind of work.
      bound: a sentence about what bounds its speed, '' if the training has not ended.
      notes: what is missing, damaged or odd, a sentence each.
    """

    folder: Path
    state: str
    steps: int | None
    stopped: bool
    best: tuple[str, str]
    log_every: int
    train: pd.DataFrame
    val: pd.DataFrame
    time: pd.DataFrame
    bound: str
    notes: tuple[str, ...]

    @property
    def done(self) -> int:
        """The last step that any log knows of."""
        return max(
            (int(table.index[-1]) for table in (self.train, self.val, self.time) if len(table)), default=0
        )


def find(paths: Iterable[str | Path]) -> list[Path]:
    """Finds runs.

    Args:
      paths: run folders, or folders that hold some at any depth.

    Returns:
      The run folders, each once, in the order of `paths` and by name within one.

    Raises:
      UserError: a path does not exist or holds no run.
    """
    runs: dict[Path, Path] = {}
    for path in map(Path, paths):
        for run in _find_below(path):
            runs.setdefault(run.resolve(), run)
    return list(runs.values())


def _find_below(path: Path) -> list[Path]:
    runs = files.topmost(path, lambda folder: any((folder / mark).is_file() for mark in MARKS))
    if not runs:
        raise UserError(f'{path} contains no run: no folder in it has logs/train.jsonl or config.gin.')
    return runs


def read(folder: Path) -> TrainingLogs:
    """Reads the logs of a run, as far as they go. Nothing is written."""
    notes: list[str] = []
    status = _status(folder, notes)
    config = settings.parse(plain_files.text(folder / 'config.gin', notes))
    train, val = (_metrics(folder / 'logs' / f'{name}.jsonl', notes) for name in ('train', 'val'))
    time = times.by_kind(
        _table(map(times.flat, plain_files.lines(folder / 'logs' / 'performance.jsonl', notes)))
    )
    return TrainingLogs(
        folder=folder,
        state=status['state'] if status.get('state') in list(RunState) else 'unknown',
        steps=config.trainer_count('steps'),
        stopped=bool(describe_stop(status)),
        best=config.best,
        log_every=config.trainer_count('log_every') or 1,
        train=train,
        val=val,
        time=time,
        bound=_bound(folder / 'logs' / 'performance.txt'),
        notes=tuple(notes),
    )


def _status(folder: Path, notes: list[str]) -> dict[str, Any]:
    text = plain_files.text(folder / 'status.json', notes)
    status = parsed(text) if text else {}
    if text and not status:
        notes.append('status.json is damaged')
    if status.get('error'):
        notes.append(f'it ended by an error: {printable(str(status["error"]))}')
    if stop := describe_stop(status):
        notes.append(printable(stop))
    if status.get('state') == RunState.RUNNING:
        notes.append(_liveliness(status.get('heartbeat')))
    return status


def _liveliness(heartbeat: Any) -> str:
    """Returns whether a run that calls itself running is alive, by its last heart-beat."""
    silence = seconds_since(heartbeat)
    if silence is None:
        return 'status.json says running, without a time'
    if silence < HEARTBEAT_TIMEOUT:
        return 'still running: this is how far it is'
    return f'status.json says running, and its last heart-beat was at {heartbeat}: killed, it seems'


def _metrics(path: Path, notes: list[str]) -> pd.DataFrame:
    table = _table(plain_files.lines(path, notes))
    for name, numbers in table.count().items():
        if numbers < len(table):
            first = table[name].isna().idxmax()
            odd = counted(len(table) - numbers, 'line')
            notes.append(f'{path.name}: {name} has no finite number in {odd}, first at step {first}')
    return table


def _bound(path: Path) -> str:
    text = plain_files.text(path, []) if path.is_file() else ''
    return printable(text.partition('\n')[0])


def _table(lines: Iterable[dict[str, Any]]) -> pd.DataFrame:
    """Returns the lines by step; the last of several lines of one step counts."""
    by_step = {line['step']: line for line in lines}
    steps = sorted(by_step)
    columns = {name: None for line in by_step.values() for name in line if name != 'step'}
    values = {printable(name): _numbers([by_step[step].get(name) for step in steps]) for name in columns}
    return pd.DataFrame(values, index=pd.Index(steps, name='step', dtype=int), dtype=float)


def _numbers(values: list[Any]) -> np.ndarray:
    """Returns values of a log as float64; NaN for anything but a finite number."""
    if set(map(type, values)) <= {float, type(None)}:  # the usual case, at the speed of NumPy
        numbers = np.array(values, float)
        return np.where(np.abs(numbers) <= LARGEST, numbers, np.nan)
    return np.array([_finite(value) for value in values], float)


def _finite(value: Any) -> float:
    return float(value) if isinstance(value, int | float) and abs(value) <= LARGEST else math.nan
