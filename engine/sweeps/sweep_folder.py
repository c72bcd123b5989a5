"""The folder of a sweep: what it varies, its runs, and how each of them has ended."""

import contextlib
import hashlib
import json
import os
import platform
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from engine import files
from engine.errors import UserError
from engine.runs.environment import history
from engine.sweeps.axes import Axis, parse_all
from engine.sweeps.objective import Objective

FORMAT = 2
SWEEP_FILE, PROPOSALS, LOG = 'sweep.json', 'proposals.jsonl', 'log.jsonl'
FINISHED, PAUSED, FAILED, OPEN = 'finished', 'paused', 'failed', 'open'


@dataclass(frozen=True)
class Proposal:
    """A run of a sweep.

    Attributes:
      name: the digest of its config.
      bindings: all bindings, those that vary last.
      origin: what proposed it: 'grid', 'random', 'tpe', or the folder of the sweep that is replayed.
    """

    name: str
    bindings: tuple[str, ...]
    origin: str

    def values(self, axes: Sequence[Axis]) -> dict[str, str]:
        """Returns the value of each varied name, as a Gin statement writes it."""
        varied = self.bindings[len(self.bindings) - len(axes) :]
        return {axis.name: text.partition(' = ')[2] for axis, text in zip(axes, varied, strict=True)}


@dataclass(frozen=True)
class Sweep:
    """The folder of a sweep."""

    folder: Path

    @property
    def exists(self) -> bool:
        """Whether the sweep has begun."""
        return (self.folder / SWEEP_FILE).is_file()

    def begin(
        self,
        description: Mapping[str, Any],
        points: Sequence[Sequence[str]],
        origin: str,
        environment: Mapping[str, Any],
    ) -> None:
        """Writes the folder at once. If another worker has written it meanwhile, that one counts.

        Args:
          description: what the command says, and what follows from it.
          points: the varied bindings of each run that is known already.
          origin: what proposed them.
          environment: the present environment, with which later workers compare theirs.

        Raises:
          UserError: the folder holds something else.
        """
        try:
            with files.atomic_folder(self.folder, replaces=False) as new:
                for name in ('runs', 'claims', 'ended'):
                    (new / name).mkdir()
                lines = [
                    _line(trial, proposal(description, point, origin)) for trial, point in enumerate(points)
                ]
                files.write_text(new / PROPOSALS, ''.join(lines))
                history.write(new / history.FILE, environment)
                files.write_json(new / SWEEP_FILE, {'format': FORMAT, **description})
        except OSError:
            if not self.exists:
                raise UserError(
                    f'{self.folder} exists and is no sweep, or cannot be written. Choose another --name.'
                ) from None

    def description(self) -> dict[str, Any]:
        """Returns what sweep.json describes, without its format."""
        description = files.read_json(self.folder / SWEEP_FILE)
        if description.pop('format', None) != FORMAT:
            raise UserError(f'{self.folder / SWEEP_FILE} is damaged. Restore it, or choose another --name.')
        return description

    @property
    def axes(self) -> list[Axis]:
        """What varies."""
        return parse_all(self.description()['vary'])

    @property
    def objective(self) -> Objective | None:
        """What the runs are compared by; None if the config names nothing."""
        objective = self.description()['objective']
        return Objective(*objective) if objective else None

    def proposals(self) -> list[Proposal]:
        """Returns the runs in the order in which they were proposed.

        Several workers may have written the same trial: the first line counts.
        """
        trials: dict[int, Proposal] = {}
        for line in _complete_lines(self.folder / PROPOSALS):
            proposed = Proposal(line['run'], tuple(line['bindings']), line['origin'])
            trials.setdefault(line['trial'], proposed)
        return [trials[trial] for trial in sorted(trials)]

    def propose(self, trial: int, point: Sequence[str], origin: str) -> None:
        """Appends a run. If another worker has written the same trial, that one counts."""
        self._append(PROPOSALS, _line(trial, proposal(self.description(), point, origin)))

    def run(self, name: str) -> Path:
        """Returns the folder of a run."""
        return self.folder / 'runs' / name

    def end(self, task: str, **values: Any) -> None:
        """Records how a run has ended, or paused."""
        files.write_json(self.folder / 'ended' / f'{task}.json', values)

    def ended(self, task: str) -> dict[str, Any]:
        """Returns how a run has ended; nothing if it has not."""
        return files.read_json(self.folder / 'ended' / f'{task}.json')

    def state(self, name: str) -> tuple[str, int | None]:
        """Returns the state of a run, and the rung at which it has ended or paused; None at no rung."""
        for step in (None, *reversed(self.description()['rungs'])):
            if ended := self.ended(task(name, step)):
                return ended['state'], step
        return OPEN, None

    def log(self, event: str, **values: Any) -> None:
        """Appends a line to log.jsonl."""
        line = {'time': time.time(), 'host': platform.node(), 'pid': os.getpid(), 'event': event, **values}
        self._append(LOG, json.dumps(line) + '\n')

    def _append(self, name: str, line: str) -> None:
        """Appends a line in one piece: several workers write to a file. A torn line before it is ended."""
        path = self.folder / name
        with path.open('rb') if path.exists() else contextlib.nullcontext() as file:
            is_torn = bool(
                file and file.seek(0, os.SEEK_END) and file.seek(-1, os.SEEK_END) and file.read() != b'\n'
            )
        descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        try:
            os.write(descriptor, ('\n' * is_torn + line).encode())
        finally:
            os.close(descriptor)


def task(name: str, step: int | None) -> str:
    """Returns the name of a run's way up to a rung, or to its end."""
    return name if step is None else f'{name}@{step}'


def proposal(description: Mapping[str, Any], point: Sequence[str], origin: str) -> Proposal:
    """Returns a run of a sweep. Its name is the digest of the Gin files and of all bindings."""
    bindings = (*description['gin_bindings'], *point)
    config = json.dumps([description['gin_files'], description['included'], bindings])
    return Proposal(hashlib.sha256(config.encode()).hexdigest()[:12], bindings, origin)


def _line(trial: int, run: Proposal) -> str:
    line = {'trial': trial, 'run': run.name, 'bindings': run.bindings, 'origin': run.origin}
    return json.dumps(line) + '\n'


def _complete_lines(path: Path) -> Iterator[dict[str, Any]]:
    for line in path.read_text(encoding='utf-8').split('\n')[:-1]:
        with contextlib.suppress(ValueError):
            yield json.loads(line)
