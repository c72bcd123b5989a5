"""The run folder: its parts, its status, its config's seal."""

import dataclasses
import hashlib
import re
import shutil
import threading
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Self

from engine import files
from engine.datasets.catalogue.names import Name
from engine.errors import UserError, did_you_mean
from engine.runs import json_files
from engine.workspace import project, workspace

FORMAT = 1
PARTS = ('checkpoints', 'logs', 'debug', 'outputs')
BEGINNINGS = {
    *PARTS,
    'notes.md',
    'dataset.md',
    'lock',
    'status.json',
    'environment.json',
    'requirements.lock',
    'uncommitted.diff',
    'config.gin',
    'config.tmp',
}
RUNNING, FINISHED, INTERRUPTED, FAILED = 'running', 'finished', 'interrupted', 'failed'

_WRITING = threading.Lock()  # a heart-beat that began before the end must not bring back 'running'


@dataclasses.dataclass(frozen=True)
class Run:
    """A run folder: config.gin, environment.json, status.json, checkpoints/, logs/, debug/, outputs/."""

    folder: Path

    @classmethod
    def begin(cls, dataset: str, folder: Path | None = None) -> Self:
        """Makes a new run folder, by default one named by the time in the workspace.

        Raises:
          UserError: if `folder` holds something else than the beginnings of a run.
        """
        if folder is None:
            home = workspace() / 'runs' / project() / Name.parse(dataset).slug
            folder = _new_folder(home, datetime.now(UTC).strftime('%Y-%m-%dT%H-%M-%S'))
        elif folder.exists() and not (folder.is_dir() and all(map(_is_beginning, folder.iterdir()))):
            raise UserError(f'{folder} exists and holds no run: choose another name for --run.')
        elif cls(folder).status().get('config_sha256'):
            raise UserError(f'{folder} has lost its config.gin: restore it, or give --run another name.')
        for part in PARTS:
            (folder / part).mkdir(parents=True, exist_ok=True)
        (folder / 'notes.md').touch()
        _keep_card(dataset, folder / 'dataset.md')
        return cls(folder.resolve())

    @classmethod
    def find(cls, name: str) -> Self:
        """Returns a run by its folder, or for 'latest' this project's latest unfinished one."""
        if name == 'latest':
            return cls._latest()
        if not is_run(Path(name)):
            known = map(str, _folders())
            raise UserError(f'{name} is not a run: it holds no config.gin. {did_you_mean(name, known)}')
        return cls(Path(name).resolve())

    @classmethod
    def _latest(cls) -> Self:
        unfinished = [run for run in map(cls, _folders()) if run.status().get('state') != FINISHED]
        if not unfinished:
            raise UserError(f'there is no unfinished run of {project()} in {workspace() / "runs"}.')
        return max(unfinished, key=lambda run: (run.config.stat().st_mtime_ns, _order(run.folder)))

    @property
    def config(self) -> Path:
        """The operative config of the run."""
        return self.folder / 'config.gin'

    def seal_config(self) -> None:
        """Records the digest of config.gin, so that a later change of it is noticed."""
        self.write_status(config_sha256=self._digest())

    def check_config(self) -> None:
        """Raises `UserError` if config.gin is not what the run was begun with."""
        if self.status().get('config_sha256') not in (None, self._digest()):
            raise UserError(
                f'{self.config} is not what this run was begun with (its sha256 is another): restore it, '
                f'or begin another run with --gin_file={self.config}.'
            )

    def seal_data(self, fingerprint: str) -> None:
        """Records which data the run is trained on, so that no others take their place."""
        self.write_status(dataset_fingerprint=fingerprint)

    def check_data(self, name: str, fingerprint: str) -> None:
        """Raises `UserError` if the dataset `name` holds other data than those the run was begun with."""
        stack = json_files.read(self.folder / 'environment.json')  # where status.json was lost
        begun = self.status().get('dataset_fingerprint') or stack.get('dataset', {}).get('fingerprint')
        if begun not in (None, fingerprint):
            raise UserError(
                f'{self.folder} was begun with other data: their fingerprint was {begun}, and that of {name} '
                f'is {fingerprint}. A run goes on and predicts with its own data alone: '
                f'bring them back (scripts/dataset.sh check {Name.parse(name).without_config} tells what is '
                'wrong with these), '
                'or begin another run with these.'
            )

    def _digest(self) -> str:
        return hashlib.sha256(self.config.read_bytes()).hexdigest()

    def status(self) -> dict[str, Any]:
        """Returns what status.json says, nothing if there is none."""
        return json_files.read(self.folder / 'status.json')

    def write_status(self, **values: Any) -> None:
        """Changes some values of status.json; the heart-beat always."""
        now = datetime.now(UTC).isoformat(timespec='seconds')
        with _WRITING:
            status = {'format': FORMAT, 'started': now} | self.status() | {'heartbeat': now} | values
            json_files.write(self.folder / 'status.json', status)


def _keep_card(dataset: str, path: Path) -> None:
    """Copies what the dataset's README.md says, if it has one: the run tells what it learnt from."""
    card = Name.parse(dataset).card
    if card and (card / 'README.md').is_file():
        shutil.copyfile(card / 'README.md', path)


def _folders() -> list[Path]:
    """Returns the runs of this project in the workspace, those named by --run too."""
    home = workspace() / 'runs'
    found = [*home.glob('*/config.gin'), *(home / project()).glob('*/*/config.gin')]
    return [path.parent for path in found]


def _order(folder: Path) -> list[int]:
    """Returns what sorts runs by time: the numbers in their names, the one of a clash last."""
    return [int(number) for number in re.findall(r'\d+', folder.name)]


def is_run(folder: Path) -> bool:
    """Tells whether a folder holds a run that can be continued."""
    return (folder / 'config.gin').is_file()


def _is_beginning(path: Path) -> bool:
    """Whether a run that was stopped before it had a config may have left this, whole or half written."""
    return files.original_name(path.name) in BEGINNINGS


def _new_folder(home: Path, name: str) -> Path:
    """Makes a folder that did not exist: two runs that start in the same second get two."""
    home.mkdir(parents=True, exist_ok=True)
    for number in range(1, 1000):
        folder = home / (name if number == 1 else f'{name}-{number}')
        try:
            folder.mkdir()
        except FileExistsError:
            continue
        return folder
    raise UserError(f'{home / name} exists a thousand times: wait for a second.')
