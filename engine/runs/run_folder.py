"""The run folder: how it is created and found, and the config and data that it belongs to."""

import os
import re
import threading
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Self

from engine import files
from engine.errors import UserError, did_you_mean
from engine.files import original_name
from engine.runs import faults
from engine.runs.environment import history
from engine.runs.run_state import STATUS_FILE, RunState, describe_stop, seal, undamaged
from engine.runs.safety import private, trust
from engine.workspace import project, workspace

FORMAT = 1
OF_ORDER = ' (Trainer.order)'  # follows the names of its files in messages
OF_EXPRESSION = ' (values of Trainer.dataset)'  # follows the name of an expression whose members are the same
SUBFOLDERS = ('checkpoints', 'logs', 'debug', 'outputs')
FOLDERS = (*SUBFOLDERS, 'checkpoints/latest', 'checkpoints/best', 'checkpoints/damaged')
LOGS = (
    'logs/train.jsonl',
    'logs/val.jsonl',
    'logs/performance.jsonl',
    'logs/performance.txt',
    'logs/train.log',
)
FILES = ('config.gin', 'environment.json', 'dataset.json', 'status.json', 'changes.jsonl', 'lock', *LOGS)
# What a run that was killed before it had a config may have left, complete or half written.
INITIAL_FILES = {*SUBFOLDERS, *FILES, 'notes.md', 'dataset.md', 'requirements.lock', 'uncommitted.diff'}

_STATUS_LOCK = threading.Lock()  # a heartbeat that began before the end must not restore 'running'


@dataclass(frozen=True)
class RunData:
    """The dataset of a run.

    Attributes:
      name: as in the config, such as `digits/toy`.
      check_name: what `scripts/dataset.sh check` calls it, such as `digits`.
      slug: its name as a folder, such as `digits-toy`.
      cards: README.md of each dataset of the repository that it is made of.
      fingerprint: the sha256 of its contents and their order.
      members: the fingerprints of the datasets that an expression is made of, by their names.
      evaluated: the fingerprints of other datasets on which the run is evaluated, by their names.
      order_files: the sha256 of each file that the order of the examples reads, by its name.
    """

    name: str
    check_name: str
    slug: str
    cards: tuple[Path, ...]
    fingerprint: str
    evaluated: Mapping[str, str] = field(default_factory=dict)
    order_files: Mapping[str, str] = field(default_factory=dict)
    members: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Run:
    """A run folder: config.gin, environment.json, status.json, checkpoints/, logs/, debug/, outputs/."""

    folder: Path

    @classmethod
    def begin(cls, data: RunData, folder: Path | None = None) -> Self:
        """Creates a run folder, by default one in the workspace that is named after the time.

        Raises:
          UserError: `folder` contains anything that a new run would not.
        """
        if folder is None:
            home = workspace() / 'runs' / project() / data.slug
            folder = _new_folder(home, datetime.now(UTC).strftime('%Y-%m-%dT%H-%M-%S'))
        _check_unused(folder)
        private.make(folder)
        cls(folder).make_folders()
        (folder / 'notes.md').touch()
        if cards := [card.read_text(encoding='utf-8') for card in data.cards if card.is_file()]:
            (folder / 'dataset.md').write_text('\n'.join(cards), encoding='utf-8')
        return cls(folder.resolve())

    @classmethod
    def find(cls, name: str) -> Self:
        """Returns the run in the folder `name`, or for 'latest' this project's latest unfinished run.

        Raises:
          UserError: there is no such run.
        """
        if name == 'latest':
            return cls._latest()
        private.check(Path(name))
        if not is_run(Path(name)):
            known = map(str, _run_folders())
            raise UserError(f'{name} is not a run: it has no config.gin. {did_you_mean(name, known)}')
        run = cls(Path(name).resolve())
        run.check_places()
        return run

    @classmethod
    def _latest(cls) -> Self:
        unfinished = [run for run in map(cls, _run_folders()) if not run.is_finished]
        if not unfinished:
            raise UserError(f'there is no unfinished run of {project()} in {workspace() / "runs"}.')
        latest = max(unfinished, key=lambda run: (run.config.stat().st_mtime_ns, _numbers(run.folder)))
        latest.check_places()
        return latest

    @property
    def config(self) -> Path:
        """The operative config of the run."""
        return self.folder / 'config.gin'

    def has_paused_at(self, step: int | None) -> bool:
        """Whether the run has paused at a step or later; never at None."""
        status = self.status()
        return step is not None and status.get('state') == RunState.PAUSED and status.get('step', 0) >= step

    @property
    def is_finished(self) -> bool:
        """Whether status.json says that the run has finished."""
        return self.status().get('state') == RunState.FINISHED

    @property
    def stopped(self) -> str:
        """Where and why the training stopped before its last step; '' if it did not."""
        return describe_stop(self.status())

    def check_places(self) -> None:
        """Raises `UserError` if a place of the run holds something else, or something unreadable."""
        for name in FOLDERS:
            _check_place(self.folder / name, 'a folder', Path.is_dir)
        for name in FILES:
            _check_place(self.folder / name, 'a file', Path.is_file)

    def make_folders(self) -> None:
        """Makes the folders of a run that are missing."""
        for name in SUBFOLDERS:
            (self.folder / name).mkdir(parents=True, exist_ok=True)

    def save_config(self, save: Callable[[Path], object]) -> None:
        """Replaces config.gin and records its sha256, so that a later change of the file is noticed.

        The new sha256 is recorded before the file is replaced. After a kill in between, both are known.

        Args:
          save: writes the config to a path.
        """
        with files.atomic_file(self.config) as temporary:
            save(temporary)
            digest = files.sha256(temporary)
            self.write_status(next_config_sha256=digest)
            trust.vouch(self.folder, {self.config.name: digest})
            faults.point('config')
        faults.point('config_saved')
        self.write_status(config_sha256=files.sha256(self.config), next_config_sha256=None)

    def check_config(self) -> None:
        """Raises `UserError` if config.gin has changed since the run recorded it."""
        status = self.status()
        recorded = {status.get('config_sha256'), status.get('next_config_sha256')} - {None}
        if recorded and files.sha256(self.config) not in recorded:
            raise UserError(
                f'{self.config} has changed since the run began: its sha256 differs. Restore the file, or '
                f'begin a new run with --gin_file={self.config} --trust.'
            )

    def record_data(self, data: RunData) -> None:
        """Records the fingerprints of datasets and lists, so that no others take their places."""
        self.write_status(
            dataset_fingerprint=data.fingerprint,
            evaluated_fingerprints={**data.evaluated},
            order_files={**data.order_files},
        )

    def data_changes(self, data: RunData) -> dict[str, tuple[str, str]]:
        """Returns the old and the new fingerprint, by name, of datasets and lists that are not the run's."""
        status, environment = self.status(), history.latest(self.environment())
        dataset, evaluated = (_dict(environment.get(name)) for name in ('dataset', 'evaluated_datasets'))
        known = {name: _dict(record).get('fingerprint') for name, record in evaluated.items()}
        known |= status.get('evaluated_fingerprints', {})
        recorded = status.get('dataset_fingerprint') or dataset.get('fingerprint')
        members = _dict(dataset.get('members'))
        changed = {name: (members.get(name), new) for name, new in data.members.items()}
        changed = {name: (old, new) for name, (old, new) in changed.items() if old not in (None, new)}
        expression = f'{data.check_name}{OF_EXPRESSION}' if members or data.members else data.check_name
        pairs = changed or {expression: (recorded, data.fingerprint)}
        for name, new in data.evaluated.items():  # one may be the whole of what is trained on as a toy
            pairs[f'{name} (evaluated)' if name == data.check_name else name] = (known.get(name), new)
        order_files = _dict(environment.get('order')) | status.get('order_files', {})
        pairs |= {f'{name}{OF_ORDER}': (order_files.get(name), new) for name, new in data.order_files.items()}
        return {name: (old, new) for name, (old, new) in pairs.items() if old not in (None, new)}

    def environment(self) -> dict[str, Any]:
        """Returns the content of environment.json, {} if it is missing or damaged."""
        return history.read(self.folder / history.FILE)

    def status(self) -> dict[str, Any]:
        """Returns the values in status.json without damaged ones; none if there is no such file."""
        return undamaged(files.read_json(self.folder / STATUS_FILE))

    def write_status(self, **values: Any) -> None:
        """Changes some values in status.json, and always the heartbeat."""
        now = datetime.now(UTC).isoformat(timespec='seconds')
        with _STATUS_LOCK:
            status = (
                {'format': FORMAT, 'id': uuid.uuid4().hex, 'started': now}
                | self.status()
                | {'heartbeat': now}
                | values
            )
            files.write_json(self.folder / STATUS_FILE, status | {'seal': seal(status)})


def _dict(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _check_place(path: Path, wanted: str, is_wanted: Callable[[Path], bool]) -> None:
    """Raises `UserError` if a path exists and is not what is wanted, or cannot be read."""
    if not os.path.lexists(path):
        return
    try:
        problem = (
            '' if is_wanted(path) else f'is not {wanted}' if path.exists() else 'is a link that leads nowhere'
        )
    except OSError as error:
        raise UserError(f'{path} cannot be read: {error.strerror}.') from error
    if problem:
        raise UserError(
            f'{path} {problem}, but a run keeps {wanted} there. Move it away, or restore the run.'
        )
    if not os.access(path, os.R_OK):
        raise UserError(
            f'{path} cannot be read: permission denied. Change its permissions: chmod u+rwX {path}.'
        )


def is_run(folder: Path) -> bool:
    """Whether a folder contains a run that can be resumed."""
    return (folder / 'config.gin').is_file()


def _run_folders() -> list[Path]:
    """Returns the folders of this project's runs in the workspace, including those named by --run."""
    home = workspace() / 'runs'
    configs = [*home.glob('*/config.gin'), *(home / project()).glob('*/*/config.gin')]
    return [path.parent for path in configs if is_run(path.parent)]


def _numbers(folder: Path) -> list[int]:
    """Returns the numbers in a folder's name, which sort runs by the time they began."""
    return [int(number) for number in re.findall(r'\d+', folder.name)]


def _check_unused(folder: Path) -> None:
    """Raises `UserError` if a new run may not use `folder`."""
    if not folder.exists():
        return
    if not (folder.is_dir() and all(original_name(path.name) in INITIAL_FILES for path in folder.iterdir())):
        raise UserError(f'{folder} exists and is not a run. Choose another name for --run.')
    if Run(folder).status().get('config_sha256'):
        raise UserError(
            f'{folder} has lost its config.gin. Restore the file, or choose another name for --run.'
        )


def _new_folder(home: Path, name: str) -> Path:
    """Creates a folder that did not exist: two runs that start in the same second get two folders."""
    home.mkdir(parents=True, exist_ok=True)
    for number in range(1, 1000):
        folder = home / (name if number == 1 else f'{name}-{number}')
        try:
            folder.mkdir(mode=private.FOLDER_MODE)
        except FileExistsError:
            continue
        return folder
    raise UserError(f'{home / name} exists a thousand times. Wait for a second and try again.')
