"""The Python, the packages and the environment variables with which a run is trained again."""

import hashlib
import os
import platform
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from engine import files
from engine.errors import UserError
from engine.runs.environment import history, installation, variables
from engine.workspace import REPOSITORY, workspace

LOCK = 'requirements.lock'
_REQUIREMENT = re.compile(r'[A-Za-z0-9][\w.-]*==[\w.+!-]+')
# Flags of JAX that are recorded by name and set by a variable of that name. Others are named if they differ.
_JAX_FLAGS = (
    *('jax_enable_x64', 'jax_default_matmul_precision', 'jax_default_prng_impl'),
    *('jax_threefry_partitionable', 'jax_disable_jit'),
)
# Variables that the recorded ones replace, or that only the present Python needs.
_REPLACED = ('PYTHONPATH', *map(str.upper, _JAX_FLAGS))
_INSTALLERS = ('pip', 'setuptools', 'wheel', 'uv')  # they install packages and are not used to train


@dataclass(frozen=True)
class Interpreter:
    """A Python with packages, and the variables that it starts with.

    Attributes:
      python: the executable.
      variables: environment variables.
    """

    python: str
    variables: Mapping[str, str]

    def command(self, root: Path, module: str, *arguments: str) -> tuple[list[str], dict[str, str]]:
        """Returns the command that runs a program of some code, and its environment variables.

        Args:
          root: the folder that holds `engine/`.
          module: the program, such as 'engine.commands.train'.
          *arguments: of the program.
        """
        paths = [path for path in self.variables.get('PYTHONPATH', '').split(os.pathsep) if path]
        others = [path for path in paths if Path(path).resolve() != REPOSITORY]
        own = {
            'PYTHONPATH': os.pathsep.join([str(root), *others]),
            'PYTHONSAFEPATH': '1',
            'WORKSPACE': str(workspace()),
            'PATHS_FROM': str(REPOSITORY),
        }
        return [self.python, '-m', module, *arguments], {**self.variables, **own}


def existing() -> Interpreter:
    """Returns the Python that runs this program, with the present variables."""
    return Interpreter(sys.executable, dict(os.environ))


def rebuilt(run: Path, record: Mapping[str, Any]) -> Interpreter:
    """Returns a Python with the recorded packages, and the recorded variables that change numbers.

    Environments are kept in the workspace and used again by runs with the same packages.

    Args:
      run: the run folder, which holds requirements.lock.
      record: the record of the run's first session.

    Raises:
      UserError: requirements.lock is missing or holds something else than versions.
      RunError: the packages cannot be installed.
    """
    version, lines = str(record.get('python', '')), _requirements(run / LOCK)
    if not re.fullmatch(r'\d+\.\d+(\.\w+)?', version):
        raise UserError(f'{run} does not record the version of Python.')
    python = _installed(version, lines)
    own = {name: value for name, value in os.environ.items() if name not in _REPLACED}
    return Interpreter(str(python), own | _restored(record))


def _restored(record: Mapping[str, Any]) -> dict[str, str]:
    """Returns the recorded variables; those of the present that change numbers become empty."""
    flags, threads = (history.part(record, name) for name in ('flags', 'threads'))
    present = variables.numeric() | variables.threads()
    named = {name: value for name, value in (flags | threads).items() if name.isupper()}
    of_jax = {name.upper(): flags.get(name) for name in _JAX_FLAGS}
    known = {name: str(value) for name, value in {**named, **of_jax}.items() if isinstance(value, bool | str)}
    return {**dict.fromkeys(['XLA_FLAGS', *present], ''), **known, **_of_devices(record)}


def _of_devices(record: Mapping[str, Any]) -> dict[str, str]:
    """Returns the variables that give each process the recorded number of simulated devices, on a CPU."""
    devices, processes = (record.get(name) for name in ('devices', 'processes'))
    if record.get('accelerator') != 'cpu' or not (isinstance(devices, int) and isinstance(processes, int)):
        return {}
    return {'JAX_PLATFORMS': 'cpu', 'JAX_NUM_CPU_DEVICES': str(devices // max(1, processes))}


def _requirements(lock: Path) -> list[str]:
    """Returns the lines of a lock. A line that is not a name and a version could be an option of pip."""
    try:
        lines = [line.strip() for line in lock.read_text(encoding='utf-8').splitlines() if line.strip()]
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(
            f'{lock} cannot be read ({type(error).__name__}), so nothing can be rebuilt.'
        ) from None
    for line in lines:
        if not _REQUIREMENT.fullmatch(line):
            raise UserError(f"{lock}: '{line}' is not a line NAME==VERSION.")
    return [line for line in lines if line.partition('==')[0].lower() not in _INSTALLERS]


def _installed(version: str, lines: Sequence[str]) -> Path:
    """Returns the Python of a virtual environment in the workspace that holds these packages."""
    content = ''.join(f'{line}\n' for line in lines)
    digest = hashlib.sha256(f'{version}\n{content}'.encode()).hexdigest()[:12]
    home = workspace() / 'environments'
    requirements = home / f'{digest}.txt'
    home.mkdir(parents=True, exist_ok=True)
    files.write_text(requirements, content)

    def create(folder: Path, requirements: Path) -> None:
        print(f'with Python {version} and {len(lines)} packages', file=sys.stderr, flush=True)
        installation.create(folder, requirements, _base(version), '--no-deps')

    return installation.installed(home / digest, requirements, version, create)


def _minor(version: str) -> str:
    return '.'.join(version.split('.')[:2])


def _base(version: str) -> str:
    """Returns the Python of this program if it has the recorded version; else the one nearest to it.

    Raises:
      UserError: there is none, and no uv, which would fetch it.
    """
    if platform.python_version() == version:
        return str(getattr(sys, '_base_executable', sys.executable))
    if uv := shutil.which('uv'):
        found = subprocess.run([uv, 'python', 'find', '--system', version], capture_output=True, check=False)
        return version if found.returncode == 0 else _minor(version)
    name = f'python{_minor(version)}'
    here = sys.executable if '{}.{}'.format(*sys.version_info) == _minor(version) else None
    python = shutil.which(name) or here
    if not python:
        raise UserError(f'the run used Python {version}, and there is no {name} on PATH. Install it, or uv.')
    return python
