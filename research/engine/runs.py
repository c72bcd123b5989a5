"""The run folder: what ran, on what, with which code, and how it stands."""

import dataclasses
import importlib.metadata
import os
import platform
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from threading import Thread
from typing import Any, Self

from research.engine import logs
from research.engine.workspace import REPOSITORY, project, workspace
from research.errors import UserError, did_you_mean

FORMAT = 1
RUNNING, FINISHED, INTERRUPTED, FAILED = 'running', 'finished', 'interrupted', 'failed'
BEAT = 5.0  # seconds between heart-beats
LARGEST = 256 * 1024  # bytes of an untracked file that is worth a place in uncommitted.diff
SECRETS = ('.env', '.pem', '.key', '.p12', 'credentials', 'secret', 'id_rsa', 'id_ed25519', '.netrc')


@dataclasses.dataclass(frozen=True)
class Run:
    """A run folder. Its parts: config.gin, stack.json, status.json, checkpoints/, logs/, debug/, outputs/."""

    folder: Path

    @classmethod
    def begin(cls, dataset: str, folder: Path | None = None) -> Self:
        """Makes a new run folder, by default one named by the time in the workspace.

        Raises:
          UserError: if `folder` exists and is not empty.
        """
        if folder is None:
            home = workspace() / 'runs' / project() / dataset.replace('/', '-')
            folder = _new_folder(home, datetime.now(UTC).strftime('%Y-%m-%dT%H-%M-%S'))
        elif folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
            raise UserError(f'{folder} exists and holds no run: choose another name for --run.')
        for part in ('checkpoints', 'logs', 'debug', 'outputs'):
            (folder / part).mkdir(parents=True, exist_ok=True)
        (folder / 'notes.md').touch()
        return cls(folder.resolve())

    @classmethod
    def find(cls, name: str) -> Self:
        """Returns a run by its folder, or for 'latest' this project's latest unfinished one."""
        if name == 'latest':
            return cls._latest()
        if not is_run(Path(name)):
            home = workspace() / 'runs'
            known = [str(path.parent) for path in home.glob('*/*/*/config.gin')]
            raise UserError(f'{name} is not a run: it holds no config.gin. {did_you_mean(name, known)}')
        return cls(Path(name).resolve())

    @classmethod
    def _latest(cls) -> Self:
        home = workspace() / 'runs' / project()
        runs = sorted((path.parent for path in home.glob('*/*/config.gin')), key=lambda path: path.name)
        unfinished = [run for run in map(cls, runs) if run.status().get('state') != FINISHED]
        if not unfinished:
            raise UserError(f'there is no unfinished run of {project()} in {home}.')
        return unfinished[-1]

    @property
    def config(self) -> Path:
        """The operative config of the run."""
        return self.folder / 'config.gin'

    def status(self) -> dict[str, Any]:
        """Returns what status.json says, nothing if there is none."""
        return logs.read_json(self.folder / 'status.json')

    def write_status(self, **values: Any) -> None:
        """Changes some values of status.json; the heart-beat always."""
        now = datetime.now(UTC).isoformat(timespec='seconds')
        status = {'format': FORMAT, 'started': now} | self.status() | {'heartbeat': now} | values
        logs.write_json(self.folder / 'status.json', status)

    @contextmanager
    def recorded(self, **origin: Any) -> Iterator[None]:
        """Records what runs inside: its stack, and in status.json how it ends, whatever happens.

        Args:
          origin: what stack.json says besides, such as the seed.
        """
        stack = Thread(target=self._write_stack, kwargs=origin)  # beside the loop: git takes its time
        stack.start()
        try:
            yield
        except KeyboardInterrupt:
            self.write_status(state=INTERRUPTED)
            logs.logger.info('interrupted; to go on: scripts/train.sh --run=%s', self.folder)
            raise
        except BaseException as error:
            self.write_status(state=FAILED, error=f'{type(error).__name__}: {error}'.splitlines()[0])
            raise
        finally:
            stack.join()

    def _write_stack(self, **origin: Any) -> None:
        """Writes stack.json, requirements.lock and uncommitted.diff: all that a repetition needs to know.

        Of a run that goes on, stack.json keeps the first stack and adds the present one under `continued`.
        """
        path = self.folder / 'stack.json'
        first, now = logs.read_json(path), {'format': FORMAT} | _machine() | _code(self.folder) | origin
        logs.write_json(path, first | {'continued': [*first.get('continued', []), now]} if first else now)
        packages = {f'{each.name}=={each.version}' for each in importlib.metadata.distributions()}
        lock = '\n'.join(sorted(packages, key=str.lower)) + '\n'
        (self.folder / 'requirements.lock').write_text(lock, encoding='utf-8')


def is_run(folder: Path) -> bool:
    """Tells whether a folder holds a run that can be continued."""
    return (folder / 'config.gin').is_file()


class Heartbeat:
    """Keeps status.json's step and heart-beat true, every few seconds."""

    def __init__(self, run: Run):
        self._run, self._last = run, time.monotonic()

    def __call__(self, step: int) -> None:
        """Notes the step, if it is time."""
        if time.monotonic() - self._last >= BEAT:
            self._last = time.monotonic()
            self._run.write_status(step=step)


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


def _machine() -> dict[str, Any]:
    import jax  # here, for a status can be read without it

    device = jax.devices()[0]
    return {
        'command': [Path(sys.argv[0]).stem, *sys.argv[1:]],
        'python': platform.python_version(),
        'packages': {name: importlib.metadata.version(name) for name in ('jax', 'jaxlib', 'flax', 'optax')},
        'system': platform.platform(),
        'host': platform.node(),
        'cpus': len(os.sched_getaffinity(0)) if hasattr(os, 'sched_getaffinity') else os.cpu_count(),
        'accelerator': device.device_kind,
        'driver': device.client.platform_version,
        'devices': jax.device_count(),
        'processes': jax.process_count(),
        'xla_flags': os.environ.get('XLA_FLAGS', ''),
    }


def _code(folder: Path) -> dict[str, Any]:
    """Returns the commit and writes what it lacks; without git, copies the sources."""
    if not (REPOSITORY / '.git').exists() or not shutil.which('git'):
        for part in ('research', 'configs', 'data'):
            ignored = shutil.ignore_patterns('__pycache__', 'toy')
            shutil.copytree(REPOSITORY / part, folder / 'sources' / part, ignore=ignored, dirs_exist_ok=True)
        return {'commit': None, 'dirty': None}
    diff = _git('diff', '--binary', 'HEAD') + ''.join(map(_as_diff, _untracked()))
    (folder / 'uncommitted.diff').write_text(diff)
    return {'commit': _git('rev-parse', 'HEAD').strip(), 'dirty': bool(diff)}


def _git(*arguments: str) -> str:
    command = ['git', '-C', str(REPOSITORY), *arguments]
    return subprocess.run(command, capture_output=True, text=True, errors='replace').stdout


def _untracked() -> list[str]:
    """Returns untracked files worth keeping: none that is large, none that looks like a secret."""
    files = _git('ls-files', '--others', '--exclude-standard', '-z').split('\0')[:-1]
    open_files = (file for file in files if not any(word in Path(file).name.lower() for word in SECRETS))
    return [file for file in open_files if (REPOSITORY / file).stat().st_size <= LARGEST]


def _as_diff(file: str) -> str:
    return _git('diff', '--binary', '--no-index', '/dev/null', file)
