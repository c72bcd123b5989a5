"""Virtual environments beside `.venv`, which install by themselves.

A run records what is in `.venv`. So packages that training does not import have environments of their own:

    python -m engine.runs.environment.installation mirrors    # prints the Python of .venv-mirrors

uv installs the packages if it is on PATH, else pip. This module and its imports need the standard library
alone.
"""

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from engine import files
from engine.errors import EXIT_FAILED, RunError
from engine.runs import lock
from engine.workspace import REPOSITORY

STAMP = 'installed.txt'  # what an environment was made from; written last
_SHOWN_LINES = 15  # of an installer that failed

Creation = Callable[[Path, Path], None]  # takes the folder and the requirements file


def python(name: str, creation: Creation | None = None) -> Path:
    """Returns the Python of `.venv-<name>` of the repository, which holds `requirements-<name>.txt`.

    The environment variable `<NAME>_PYTHON` names another Python instead, which is used as it is.

    Args:
      name: of the environment, such as 'mirrors'.
      creation: creates the environment; by default `create`.

    Raises:
      RunError: the packages cannot be installed.
    """
    if chosen := os.environ.get(f'{name.upper()}_PYTHON'):
        return Path(chosen)
    requirements = REPOSITORY / f'requirements-{name}.txt'
    return installed(REPOSITORY / f'.venv-{name}', requirements, sys.version, creation or create)


def installed(folder: Path, requirements: Path, version: str, creation: Creation) -> Path:
    """Returns the Python of an environment.

    The environment is created first if it is missing, not whole, in another place than it was made for, or
    made from other requirements or for another Python. Other processes that want it wait meanwhile.

    Args:
      folder: of the environment.
      requirements: file of its packages.
      version: of its Python, in any form.
      creation: creates the environment.

    Raises:
      RunError: the packages cannot be installed.
    """
    target = folder / 'bin' / 'python'
    needed = f'{folder}\n{version}\n{requirements.read_text(encoding="utf-8")}'
    if _is_whole(target, needed):
        return target
    with lock.held(folder.with_name(f'{folder.name}.lock')):
        if not _is_whole(target, needed):
            print(f'setting up {folder.name}: {requirements.name}; takes a few minutes ...', file=sys.stderr)
            (folder / STAMP).unlink(missing_ok=True)  # first: without it, nothing that is left counts
            shutil.rmtree(folder, ignore_errors=True)
            creation(folder, requirements)
            files.write_text(folder / STAMP, needed)
    return target


def create(folder: Path, requirements: Path, base: str = sys.executable, *options: str) -> None:
    """Creates an environment.

    Args:
      folder: of the environment. There is none yet.
      requirements: file of its packages.
      base: the Python to make it from; uv takes a version too.
      *options: for the installer, such as '--no-deps'.

    Raises:
      RunError: the packages cannot be installed.
    """
    target = folder / 'bin' / 'python'
    if uv := shutil.which('uv'):
        attempt(uv, 'venv', '--quiet', '--python', base, folder)
        flags = '--quiet', '--compile-bytecode', *options  # compiles as pip does: first starts are quick
        attempt(uv, 'pip', 'install', *flags, '--python', target, '-r', requirements)
    else:
        attempt(base, '-m', 'venv', folder)
        flags = '--quiet', '--disable-pip-version-check', *options
        attempt(target, '-I', '-m', 'pip', 'install', *flags, '-r', requirements)


def attempt(*command: str | Path) -> None:
    """Runs an installer in the repository, because requirements files may name paths.

    Raises:
      RunError: it failed; with the end of what it said.
    """
    done = subprocess.run(
        [*map(str, command)],
        cwd=REPOSITORY,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors='replace',
        check=False,
    )
    if done.returncode:
        last_lines = '\n'.join(done.stdout.strip().splitlines()[-_SHOWN_LINES:])
        raise RunError(
            f'packages cannot be installed. {Path(command[0]).name} says:\n{last_lines}\n'
            'Is the network there, and room on the disk? The same command tries again.'
        )


def _is_whole(target: Path, needed: str) -> bool:
    stamp = target.parents[1] / STAMP
    return target.exists() and stamp.is_file() and stamp.read_text(encoding='utf-8') == needed


def main(name: str) -> None:
    """Prints the Python of an environment, for shell scripts."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # Ctrl-C ends the script that waits, too
    try:
        print(python(name))
    except RunError as error:
        reason = str(error)
    except OSError as error:
        reason = f'{error.filename} cannot be written: {error.strerror}.'
    else:
        return
    print(f'error: {reason}\n{name.upper()}_PYTHON names a Python that has the packages.', file=sys.stderr)
    sys.exit(EXIT_FAILED)


if __name__ == '__main__':
    main(*sys.argv[1:])
