"""Virtual environments for what benchmarks compare the template with. They install by themselves.

Training imports none of these packages, and some of them conflict with its pins.
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

from engine import files
from engine.workspace import REPOSITORY


def python(name: str, creation: Callable[[Path, Path], None] | None = None) -> Path:
    """Returns the Python of an environment, which is installed first if it is missing or out of date.

    The environment is the folder `.venv-<name>` of the repository. It holds what `requirements-<name>.txt`
    names. The environment variable `<NAME>_PYTHON` names another Python instead, which is used as it is.

    Args:
      name: of the environment, such as 'benchmarks'.
      creation: creates the environment in a folder from a requirements file. By default, it is `install`.

    Raises:
      SystemExit: the installation failed. The installer has said why.
    """
    if chosen := os.environ.get(f'{name.upper()}_PYTHON'):
        return Path(chosen)
    folder, requirements = REPOSITORY / f'.venv-{name}', REPOSITORY / f'requirements-{name}.txt'
    needed = f'{REPOSITORY}\n{sys.version}\n{requirements.read_text(encoding="utf-8")}'
    stamp = folder / 'installed.txt'
    if not (stamp.is_file() and stamp.read_text(encoding='utf-8') == needed):
        print(f'setting up {folder.name}: {requirements.name}; takes a few minutes ...', file=sys.stderr)
        (creation or install)(folder, requirements)
        files.write_text(stamp, needed)
    return folder / 'bin' / 'python'


def install(folder: Path, requirements: Path) -> None:
    """Creates an environment with the Python that runs and with what a requirements file names."""
    shutil.rmtree(folder, ignore_errors=True)
    target = folder / 'bin' / 'python'
    if uv := shutil.which('uv'):
        commands = [
            [uv, 'venv', '--quiet', '--python', sys.executable, folder],
            [uv, 'pip', 'install', '--quiet', '--compile-bytecode', '--python', target, '-r', requirements],
        ]
    else:
        pip = [target, '-m', 'pip', 'install', '--quiet', '--disable-pip-version-check']
        commands = [[sys.executable, '-m', 'venv', folder], [*pip, '-r', requirements]]
    for command in commands:
        if subprocess.run(command, cwd=REPOSITORY, check=False).returncode:
            fail(folder)


def fail(folder: Path) -> NoReturn:
    """Ends the program after an installation that failed."""
    sys.exit(f'error: {folder.name} could not be installed. The messages of the installer are above.')
