"""The environment of the peers: PyTorch for the CPU, torchvision, timm, transformers and Lightning.

    python -m benchmarks.peers.environment    # installs it if needed, and prints its Python

PyTorch's package for Linux on PyPI needs several GB of CUDA libraries. Its builds for the CPU are called
`<version>+cpu`. They are taken if a package index that pip knows offers them for one of the supported Pythons
(PIP_EXTRA_INDEX_URL, PIP_FIND_LINKS), or if uv is installed, which knows PyTorch's own index. Otherwise, the
package with CUDA is installed. It computes on the CPU as well.
"""

import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from benchmarks import environments
from engine.runs.environment import installation

_CUDA = re.compile('nvidia-|cuda-|triton=')
_IS_SUPPORTED = 'import ensurepip, sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))'


def python() -> Path:
    """Returns the Python of the environment, which is installed first if it is missing or out of date."""
    return environments.python('peers', install)


def install(folder: Path, requirements: Path) -> None:
    """Creates the environment, with a build of PyTorch for the CPU if there is one.

    Args:
      folder: of the environment.
      requirements: file of pins, with the CUDA libraries that PyTorch needs on Linux.
    """
    pins = requirements.read_text(encoding='utf-8')
    with tempfile.TemporaryDirectory() as temporary:
        small = Path(temporary, 'requirements.txt')
        small.write_text(for_cpu(pins, '+cpu'), encoding='utf-8')
        if any(_install_with_pip(folder, base, small) for base in pythons()):
            return
        small.write_text(for_cpu(pins), encoding='utf-8')
        if not _install_with_uv(folder, small):
            print('found no build of PyTorch for the CPU; installing the one with CUDA', file=sys.stderr)
            shutil.rmtree(folder, ignore_errors=True)
            installation.create(folder, requirements)


def for_cpu(pins: str, local_version: str = '') -> str:
    """Returns the pins without CUDA's libraries, and with a local version of PyTorch, such as '+cpu'."""
    lines = [line for line in pins.splitlines(keepends=True) if not _CUDA.match(line)]
    return re.sub(r'(?m)^(torch==[0-9.]+)', rf'\g<1>{local_version}', ''.join(lines))


def pythons() -> Iterator[str]:
    """Yields the Python that runs, then other supported Pythons of this machine, newest first."""
    yield sys.executable
    pyenv = Path(os.environ.get('PYENV_ROOT') or Path('~/.pyenv').expanduser())
    for minor in (13, 12, 11):
        name = f'python3.{minor}'
        for place in (shutil.which(name), *pyenv.glob(f'versions/*/bin/{name}')):
            if place and _succeeds(place, '-c', _IS_SUPPORTED):
                yield str(place)


def _install_with_pip(folder: Path, base: str, requirements: Path) -> bool:
    """Installs the requirements if pip finds the build of PyTorch that they name; returns whether it did."""
    shutil.rmtree(folder, ignore_errors=True)
    pip = folder / 'bin' / 'python', '-m', 'pip', '--quiet', '--disable-pip-version-check'
    torch = re.search(r'(?m)^torch==\S+', requirements.read_text(encoding='utf-8'))
    dry_run = 'install', '--dry-run', '--no-deps', '--only-binary=:all:'
    if not (torch and _succeeds(base, '-m', 'venv', folder) and _succeeds(*pip, *dry_run, torch[0])):
        return False
    installation.attempt(*pip, 'install', '-r', requirements)
    return True


def _install_with_uv(folder: Path, requirements: Path) -> bool:
    """Installs the requirements with uv, if it is there and reaches PyTorch's index; returns whether."""
    uv = shutil.which('uv')
    if not uv:
        return False
    options = '--quiet', '--compile-bytecode', '--torch-backend=cpu'
    shutil.rmtree(folder, ignore_errors=True)
    target = folder / 'bin' / 'python'
    return _succeeds(uv, 'venv', '--python', sys.executable, folder) and _succeeds(
        uv, 'pip', 'install', *options, '--python', target, '-r', requirements
    )


def _succeeds(*command: str | Path) -> bool:
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


if __name__ == '__main__':
    print(python())
