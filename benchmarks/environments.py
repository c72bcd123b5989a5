"""Virtual environments for what benchmarks compare the template with. They install by themselves.

Training imports none of these packages, and some of them conflict with its pins.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

from engine import files
from engine.workspace import REPOSITORY


def python(name: str) -> Path:
    """Returns the Python of an environment, which is installed first if it is missing or out of date.

    The environment is the folder `.venv-<name>` of the repository. It holds what `requirements-<name>.txt`
    names. The environment variable `<NAME>_PYTHON` names another Python instead, which is used as it is.

    Args:
      name: of the environment, such as 'benchmarks'.

    Raises:
      SystemExit: the installation failed. The installer has said why.
    """
    if chosen := os.environ.get(f'{name.upper()}_PYTHON'):
        return Path(chosen)
    folder, requirements = REPOSITORY / f'.venv-{name}', REPOSITORY / f'requirements-{name}.txt'
    needed = f'{REPOSITORY}\n{sys.version}\n{requirements.read_text(encoding="utf-8")}'
    stamp = folder / 'installed.txt'
    if not (stamp.is_file() and stamp.read_text(encoding='utf-8') == needed):
        _install(folder, requirements)
        files.write_text(stamp, needed)
    return folder / 'bin' / 'python'


def _install(folder: Path, requirements: Path) -> None:
    print(f'setting up {folder.name}: {requirements.name}; takes a few minutes ...', file=sys.stderr)
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
            sys.exit(
                f'error: {folder.name} could not be installed. The last words of the installer are above.'
            )
