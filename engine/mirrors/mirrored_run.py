"""What a mirror shows of a run: curves, config and state, read from its plain files at any time."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from engine import files, workspace
from engine.run_reader import logs, settings, times
from engine.run_reader.logs import TrainingLogs
from engine.runs.run_state import RunState

Tables = Mapping[str, pd.DataFrame]


@dataclass(frozen=True)
class MirroredRun:
    """A run as every mirror shows it.

    Attributes:
      name: its path below `runs/` of the workspace, below the workspace, or from the root.
      config: the text of its config.gin; '' if it has none.
      parameters: the values of its config, by name, as text.
      state: 'running', 'finished', 'interrupted', 'failed' and so on, or 'unknown'.
      tables: `train`, `val` and `performance`: a row per step and a column per metric, such as `train/loss`.
        NaN stands where there is no finite number.
      started: when it started, in seconds since 1970.
      clock: seconds of training until a step, at the steps of `performance`. Later steps take the last time,
        so that the times of a run that is copied again and again never go back.
    """

    name: str
    config: str
    parameters: Mapping[str, str]
    state: str
    tables: Tables
    started: float
    clock: pd.Series

    def times(self, steps: np.ndarray) -> np.ndarray:
        """Returns when steps ended, in seconds since 1970, as if the training had never paused.

        Args:
          steps: int [n].
        """
        if self.clock.empty:
            return np.full(len(steps), self.started)
        known = np.concatenate([[0], self.clock.index]), np.concatenate([[0.0], self.clock])
        return self.started + np.interp(steps, *known)


class Curve(NamedTuple):
    """The numbers of a metric.

    Attributes:
      kind: the table that they are from: `train`, `val` or `performance`.
      name: of the metric, such as `train/loss`.
      steps: int [n], rising.
      values: float64 [n], finite.
    """

    kind: str
    name: str
    steps: np.ndarray
    values: np.ndarray


def curves(tables: Tables) -> Iterator[Curve]:
    """Yields every metric that has numbers."""
    for kind, table in tables.items():
        for name in table.columns:
            numbers = pd.Series(table[name]).dropna()
            if len(numbers):
                yield Curve(kind, str(name), numbers.index.to_numpy(int), numbers.to_numpy(float))


def read(folder: Path) -> MirroredRun:
    """Reads a run, finished, killed or at work. Torn and damaged lines of its logs are left out."""
    read_logs = logs.read(folder)
    path = folder / 'config.gin'
    config = path.read_text(encoding='utf-8', errors='replace') if path.is_file() else ''
    parsed = settings.parse(config)
    tables = {'train': read_logs.train, 'val': read_logs.val, 'performance': _performance(read_logs)}
    return MirroredRun(
        name=_name(folder),
        config=config,
        parameters={**parsed.values, **({'seed': parsed.seed} if parsed.seed else {})},
        state=read_logs.state,
        tables={name: table.add_prefix(f'{name}/') for name, table in tables.items()},
        started=_started(folder),
        clock=pd.Series(tables['performance']['seconds/total']).fillna(0.0).cumsum(),
    )


def _performance(read_logs: TrainingLogs) -> pd.DataFrame:
    """Returns the speed, and the seconds between evaluations by kind of work.

    Rows after the last checkpoint are left out until the run has finished: a run that resumes measures them
    again, and they then have other values, unlike all other logs.
    """
    time = read_logs.time
    if read_logs.state != RunState.FINISHED:
        saved = (read_logs.folder / 'checkpoints' / 'latest').glob('[0-9]*')
        time = time.loc[
            time.index <= max((int(path.stem) for path in saved if path.stem.isdecimal()), default=0)
        ]
    return time.rename(columns={name: f'seconds/{name}' for name in ('total', *times.KINDS)})


def _name(folder: Path) -> str:
    """Returns a name that no other run has and that does not depend on which runs are copied together."""
    absolute = folder.resolve()
    for above in (workspace.workspace() / 'runs', workspace.workspace(), Path('/')):
        if absolute.is_relative_to(above.resolve()):
            return absolute.relative_to(above.resolve()).as_posix()
    return absolute.as_posix()


def _started(folder: Path) -> float:
    """Returns when a run started; without a status, the time of its folder."""
    try:
        return datetime.fromisoformat(files.read_json(folder / 'status.json')['started']).timestamp()
    except (KeyError, TypeError, ValueError, OverflowError):
        return folder.stat().st_mtime
