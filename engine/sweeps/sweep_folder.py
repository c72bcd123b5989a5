"""The folder of a sweep: what it varies, its runs, and how each of them has ended."""

import hashlib
import json
import os
import platform
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from engine import files
from engine.errors import UserError

FORMAT = 1
SWEEP_FILE, PROPOSALS, LOG = 'sweep.json', 'proposals.jsonl', 'log.jsonl'


@dataclass(frozen=True)
class Proposal:
    """A run of a sweep: its name, which is the digest of its config, and its bindings."""

    name: str
    bindings: tuple[str, ...]


@dataclass(frozen=True)
class Sweep:
    """The folder of a sweep."""

    folder: Path

    @property
    def exists(self) -> bool:
        """Whether the sweep has begun."""
        return (self.folder / SWEEP_FILE).is_file()

    def begin(self, description: Mapping[str, Any], points: Sequence[Sequence[str]]) -> None:
        """Records the sweep and its runs. Of several workers that begin it, all write the same.

        Args:
          description: the Gin files with their checksums, the fixed bindings, and what varies.
          points: the varied bindings of each run.
        """
        for name in ('runs', 'claims', 'ended'):
            (self.folder / name).mkdir(parents=True, exist_ok=True)
        proposals = [self._proposal(description, point) for point in points]
        lines = [json.dumps({'run': each.name, 'bindings': each.bindings}) + '\n' for each in proposals]
        files.write_text(self.folder / PROPOSALS, ''.join(lines))
        files.write_json(self.folder / SWEEP_FILE, {'format': FORMAT, **description})

    @staticmethod
    def _proposal(description: Mapping[str, Any], point: Sequence[str]) -> Proposal:
        bindings = (*description['gin_bindings'], *point)
        config = json.dumps([description['gin_files'], bindings])
        return Proposal(hashlib.sha256(config.encode()).hexdigest()[:12], bindings)

    def description(self) -> dict[str, Any]:
        """Returns what sweep.json describes, without its format."""
        description = files.read_json(self.folder / SWEEP_FILE)
        if description.pop('format', None) != FORMAT:
            raise UserError(f'{self.folder / SWEEP_FILE} is damaged. Restore it, or choose another --name.')
        return description

    def proposals(self) -> list[Proposal]:
        """Returns the runs in the order in which they were proposed."""
        lines = (self.folder / PROPOSALS).read_text(encoding='utf-8').splitlines()
        return [Proposal(line['run'], tuple(line['bindings'])) for line in map(json.loads, lines)]

    def run(self, name: str) -> Path:
        """Returns the folder of a run."""
        return self.folder / 'runs' / name

    def check_gin_files(self) -> None:
        """Raises `UserError` if a Gin file has changed since the sweep began: later runs would differ."""
        for name, sha256 in self.description()['gin_files'].items():
            if not Path(name).is_file() or files.sha256(Path(name)) != sha256:
                raise UserError(
                    f'{name} has changed since the sweep {self.folder.name} began. Restore the file, or '
                    'begin another sweep with another --name.'
                )

    def end(self, task: str, **values: Any) -> None:
        """Records how a run has ended, or paused."""
        files.write_json(self.folder / 'ended' / f'{task}.json', values)

    def ended(self, task: str) -> dict[str, Any]:
        """Returns how a run has ended; nothing if it has not."""
        return files.read_json(self.folder / 'ended' / f'{task}.json')

    def log(self, event: str, **values: Any) -> None:
        """Appends a line to log.jsonl, in one piece: several workers write to it."""
        line = {'time': time.time(), 'host': platform.node(), 'pid': os.getpid(), 'event': event, **values}
        descriptor = os.open(self.folder / LOG, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        try:
            os.write(descriptor, (json.dumps(line) + '\n').encode())
        finally:
            os.close(descriptor)


def described(gin_files: Sequence[str], gin_bindings: Sequence[str], **search: Any) -> dict[str, Any]:
    """Returns the description of a sweep. Raises `UserError` if a Gin file is missing."""
    for name in gin_files:
        if not Path(name).is_file():
            raise UserError(f'--gin_file={name} does not exist.{files.nearest_sibling(Path(name))}')
    sums = {name: files.sha256(Path(name)) for name in gin_files}
    return {'gin_files': sums, 'gin_bindings': list(gin_bindings), **search}
