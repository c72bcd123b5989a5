"""The logs of a training, read from its plain files, whether it finished, crashed or still runs."""

import json
import math
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from engine import files
from engine.errors import UserError
from engine.run_reader import settings, times
from engine.runs.run_state import HEARTBEAT_TIMEOUT, RunState, describe_stop, seconds_since

MARKS = ('config.gin', 'status.json', 'logs/train.jsonl', 'logs/val.jsonl', 'logs/performance.jsonl')
LONGEST = 2**53  # no step is beyond it: floats count no further
LARGEST = 3.5e38  # no metric is beyond it: they are float32

Lines = list[dict[str, Any]]


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
    config = settings.parse(_text(folder / 'config.gin', notes))
    train, val = (_metrics(folder / 'logs' / f'{name}.jsonl', notes) for name in ('train', 'val'))
    time = times.by_kind(_table(map(times.flat, _lines(folder / 'logs' / 'performance.jsonl', notes))))
    steps, every = (_count_of(config.trainer(name)) for name in ('steps', 'log_every'))
    best = re.findall(r"'([^']+)'", config.trainer('best'))
    return TrainingLogs(
        folder=folder,
        state=status['state'] if status.get('state') in list(RunState) else 'unknown',
        steps=steps,
        stopped=bool(describe_stop(status)),
        best=(best[0], best[1]) if len(best) == 2 else ('', ''),
        log_every=every or 1,
        train=train,
        val=val,
        time=time,
        bound=_bound(folder / 'logs' / 'performance.txt'),
        notes=tuple(notes),
    )


def _count_of(value: str) -> int | None:
    """Returns a number of steps in a config, None if the value is not one."""
    return int(value) if re.fullmatch('[0-9]{1,15}', value) else None


def _status(folder: Path, notes: list[str]) -> dict[str, Any]:
    text = _text(folder / 'status.json', notes)
    status = _object(text) if text else {}
    if text and not status:
        notes.append('status.json is damaged')
    if status.get('error'):
        notes.append(f'it ended by an error: {_printable(str(status["error"]))}')
    if stop := describe_stop(status):
        notes.append(_printable(stop))
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
    table = _table(_lines(path, notes))
    for name, numbers in table.count().items():
        if numbers < len(table):
            first = table[name].isna().idxmax()
            odd = _count(len(table) - numbers, 'line')
            notes.append(f'{path.name}: {name} has no finite number in {odd}, first at step {first}')
    return table


def _bound(path: Path) -> str:
    text = _text(path, []) if path.is_file() else ''
    return _printable(text.partition('\n')[0])


def _table(lines: Iterable[dict[str, Any]]) -> pd.DataFrame:
    """Returns the lines by step; the last of several lines of one step counts."""
    by_step = {line['step']: line for line in lines}
    steps = sorted(by_step)
    columns = {name: None for line in by_step.values() for name in line if name != 'step'}
    values = {_printable(name): _numbers([by_step[step].get(name) for step in steps]) for name in columns}
    return pd.DataFrame(values, index=pd.Index(steps, name='step', dtype=int), dtype=float)


def _numbers(values: list[Any]) -> np.ndarray:
    """Returns values of a log as float64; NaN for anything but a finite number."""
    if set(map(type, values)) <= {float, type(None)}:  # the usual case, at the speed of NumPy
        numbers = np.array(values, float)
        return np.where(np.abs(numbers) <= LARGEST, numbers, np.nan)
    return np.array([_finite(value) for value in values], float)


def _finite(value: Any) -> float:
    return float(value) if isinstance(value, int | float) and abs(value) <= LARGEST else math.nan


def _lines(path: Path, notes: list[str]) -> Lines:
    """Returns the complete lines with a step; adds a note on the others."""
    text = _text(path, notes)
    *whole, torn = text.split('\n')
    lines = [line for line in map(_object, whole) if _is_step(line.get('step'))]
    if torn:
        notes.append(f'{path.name}: its last line is torn and left out')
    if len(lines) < len(whole):
        notes.append(f'{path.name}: {_count(len(whole) - len(lines), "damaged line")} left out')
    repeated = len(lines) - len({line['step'] for line in lines})
    if repeated:
        notes.append(f'{path.name}: {_count(repeated, "line")} repeated; the later one counts')
    return lines


def _is_step(value: Any) -> bool:
    return type(value) is int and 0 <= value <= LONGEST


def _object(text: str) -> dict[str, Any]:
    """Returns the object in a JSON text; an empty one if there is none."""
    try:
        values = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    return values if isinstance(values, dict) else {}


def _text(path: Path, notes: list[str]) -> str:
    if path.exists() and not path.is_file():  # reading a pipe could wait forever
        notes.append(f'{path.name} is not a file')
        return ''
    try:
        text = path.read_text(encoding='utf-8', errors='replace')
    except OSError as error:
        missing = isinstance(error, FileNotFoundError)
        notes.append(f'{path.name} {"is missing" if missing else f"cannot be read: {error.strerror}"}')
        return ''
    if not text:
        notes.append(f'{path.name} is empty')
    return text


def _printable(text: str) -> str:
    """Returns a text, quoted and escaped if a terminal might obey it."""
    return text if text.isprintable() else repr(text)


def _count(number: int, noun: str) -> str:
    return f'{number:,} {noun}' if number == 1 else f'{number:,} {noun}s'
