"""The environment of the peers prefers a build of PyTorch for the CPU."""

import subprocess
import zipfile
from pathlib import Path

import pytest

from benchmarks.peers import environment
from engine.runs.environment import installation

PINS = """# comment
cuda-toolkit==13.0.3.0 ; sys_platform == 'linux'  # via torch
nvidia-cublas==13.1.1.3 ; sys_platform == 'linux'  # via cuda-toolkit
torch==2.13.0             # via timm, -r requirements-peers.in
torchvision==0.28.0       # via timm
triton==3.7.1 ; python_full_version < '3.15' and sys_platform == 'linux'  # via torch
"""


def test_pins_for_the_cpu_lack_cuda() -> None:
    assert environment.for_cpu(PINS, '+cpu').splitlines() == [
        '# comment',
        'torch==2.13.0+cpu             # via timm, -r requirements-peers.in',
        'torchvision==0.28.0       # via timm',
    ]
    assert 'torch==2.13.0  ' in environment.for_cpu(PINS)


def write_wheel(folder: Path, version: str) -> None:
    """Writes a package `torch` with one module, which needs no network to install."""
    info = f'torch-{version}.dist-info'
    with zipfile.ZipFile(folder / f'torch-{version}-py3-none-any.whl', 'w') as archive:
        archive.writestr('torch.py', f'__version__ = {version!r}')
        archive.writestr(f'{info}/METADATA', f'Metadata-Version: 2.1\nName: torch\nVersion: {version}\n')
        archive.writestr(f'{info}/WHEEL', 'Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n')
        archive.writestr(f'{info}/RECORD', '')


def test_the_build_for_the_cpu_is_installed_if_pip_finds_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for version in ('1.0', '1.0+cpu'):
        write_wheel(tmp_path, version)
    (tmp_path / 'requirements-peers.txt').write_text('nvidia-missing==1.0\ntorch==1.0\n')
    monkeypatch.setattr(installation, 'REPOSITORY', tmp_path)
    monkeypatch.setenv('PIP_NO_INDEX', '1')
    monkeypatch.setenv('PIP_FIND_LINKS', str(tmp_path))
    version = [environment.python(), '-c', 'import torch; print(torch.__version__)']
    assert subprocess.run(version, capture_output=True, text=True, check=True).stdout == '1.0+cpu\n'
