"""JAX starts on what was asked for, or the program says why not; faked machines below a folder."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from engine.errors import UserError
from engine.processes import devices
from engine.workspace import REPOSITORY

FILES = {
    'nothing': [],
    'a GPU': ['nvidia0', 'nvidiactl'],
    'an AMD GPU': ['kfd', 'dri/renderD128'],
    'a TPU': ['accel0'],
}


def machine(folder: Path, name: str) -> Path:
    for file in FILES[name]:
        path = folder / 'dev' / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return folder


@pytest.fixture
def no_plugins(monkeypatch: pytest.MonkeyPatch) -> None:
    """The libraries of this machine do not count: it may have a GPU."""
    monkeypatch.setattr(devices, 'GPU_PLUGINS', ())


REFUSED = [
    ('cpu', 'a GPU', {}, 'this machine has a GPU ('),
    ('cpu', 'an AMD GPU', {}, 'this machine has a GPU ('),
    ('cpu', 'a TPU', {}, 'this machine has a TPU ('),
    ('cpu', 'nothing', {'ACCELERATOR': 'gpu'}, 'ACCELERATOR=gpu asks for a GPU'),
    ('cpu', 'nothing', {'ACCELERATOR': 'tpu'}, 'ACCELERATOR=tpu asks for a TPU'),
    ('gpu', 'a GPU', {'ACCELERATOR': 'tpu'}, 'ACCELERATOR=tpu asks for a TPU'),
    ('cpu', 'nothing', {'JAX_PLATFORMS': 'cuda,cpu'}, 'JAX_PLATFORMS=cuda,cpu asks for another device'),
    ('cpu', 'nothing', {'CUDA_VISIBLE_DEVICES': '0'}, 'CUDA_VISIBLE_DEVICES=0 names a GPU'),
    ('cpu', 'nothing', {'CUDA_VISIBLE_DEVICES': 'MIG-1a'}, 'CUDA_VISIBLE_DEVICES=MIG-1a names a GPU'),
    ('cpu', 'nothing', {'ACCELERATOR': 'gpus'}, "ACCELERATOR=gpus is unknown. Did you mean 'gpu'"),
]
ACCEPTED = [
    ('cpu', 'nothing', {}),
    ('gpu', 'a GPU', {}),
    ('tpu', 'a TPU', {}),
    ('gpu', 'a GPU', {'ACCELERATOR': 'gpu'}),
    ('cpu', 'a GPU', {'JAX_PLATFORMS': 'cpu'}),
    ('cpu', 'a GPU', {'JAX_PLATFORMS': 'cpu', 'ACCELERATOR': 'gpu'}),
    ('cpu', 'a TPU', {'JAX_PLATFORMS': 'cpu'}),
    ('cpu', 'a GPU', {'ACCELERATOR': 'cpu'}),
    ('cpu', 'a GPU', {'CUDA_VISIBLE_DEVICES': ''}),
    ('cpu', 'a GPU', {'CUDA_VISIBLE_DEVICES': '-1'}),
    ('cpu', 'nothing', {'CUDA_VISIBLE_DEVICES': 'NoDevFiles'}),
    ('gpu', 'a GPU', {'JAX_PLATFORMS': 'cuda'}),
]


@pytest.mark.parametrize(('backend', 'name', 'environment', 'message'), REFUSED)
def test_another_device_than_was_asked_for_is_refused(
    backend: str, name: str, environment: dict[str, str], message: str, no_plugins: None, tmp_path: Path
) -> None:
    with pytest.raises(UserError) as error:
        devices.check_backend(backend, environment, machine(tmp_path, name))
    assert message in str(error.value)
    assert 'unknown' in message or f'set JAX_PLATFORMS={backend}.' in str(error.value)


@pytest.mark.parametrize(('backend', 'name', 'environment'), ACCEPTED)
def test_the_device_that_was_asked_for_is_accepted(
    backend: str, name: str, environment: dict[str, str], no_plugins: None, tmp_path: Path
) -> None:
    devices.check_backend(backend, environment, machine(tmp_path, name))


def test_installed_libraries_of_an_accelerator_ask_for_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(devices, 'GPU_PLUGINS', ('nothing_like_this', 'pytest'))
    with pytest.raises(UserError, match=r'the libraries for a GPU are installed \(pytest\)'):
        devices.check_backend('cpu', {}, tmp_path)


START = """
from engine.errors import UserError
from engine.processes import devices
try:
    devices.import_jax()
    devices.start()
    print(devices.line())
except UserError as error:
    print('error:', error)
"""


def started(**variables: str) -> subprocess.CompletedProcess[str]:
    """Starts JAX in a process of its own, as programs do."""
    return subprocess.run(
        [sys.executable, '-c', START],
        capture_output=True,
        text=True,
        cwd=REPOSITORY,
        env=os.environ | {'JAX_PLATFORMS': 'cpu'} | variables,
        timeout=60,
        check=False,
    )


WRONG = {
    'JAX_PLATFORMS=cdua': "Correct or unset its variables: JAX_PLATFORMS=cdua. Did you mean 'cuda'",
    'JAX_ENABLE_X64=maybe': "JAX cannot be imported: invalid truth value 'maybe'",
    'JAX_DISABLE_JIT=1': 'JAX does not start: Disable jit is not supported',
    'XLA_FLAGS=--xla_nonsense=1': 'not accepted: Unknown flag in XLA_FLAGS: --xla_nonsense=1. Correct',
}


@pytest.mark.parametrize(
    'variable',
    [
        *WRONG,
        pytest.param('JAX_DEFAULT_MATMUL_PRECISION=high_', marks=pytest.mark.slow),
        pytest.param('JAX_TRANSFER_GUARD=disallow', marks=pytest.mark.slow),
        pytest.param('JAX_NUM_CPU_DEVICES=two', marks=pytest.mark.slow),
        pytest.param('JAX_HLO_SOURCE_FILE_CANONICALIZATION_REGEX=(', marks=pytest.mark.slow),
        pytest.param('XLA_FLAGS=--xla_cpu_enable_fast_math=maybe', marks=pytest.mark.slow),
        pytest.param('XLA_FLAGS=flags.txt', marks=pytest.mark.slow),
    ],
)
def test_a_wrong_variable_is_one_message(variable: str) -> None:
    name, _, value = variable.partition('=')
    done = started(**{name: value})
    assert done.stderr == ''
    assert done.stdout.startswith('error: ')
    assert WRONG.get(variable, variable) in done.stdout
    assert done.stdout.count('\n') == 1


def test_the_line_names_devices_and_precision() -> None:
    cores = len(os.sched_getaffinity(0))
    version = devices.importlib.metadata.version('jax')
    done = started(JAX_NUM_CPU_DEVICES='3', JAX_ENABLE_X64='1', JAX_DEFAULT_MATMUL_PRECISION='highest')
    assert (
        done.stdout == f'3 x cpu, {cores} cores | jax {version} | float64 enabled, matmul precision highest\n'
    )


NVIDIA = 'NVRM version: NVIDIA UNIX x86_64 Kernel Module  580.65.06  Sun Jul 27\nGCC version: 12\n'
NVIDIA_OPEN = 'NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  575.57.08  Release Build\n'


@pytest.mark.parametrize(
    ('platform', 'file', 'expected'),
    [
        ('PJRT C API\ncuda 13000', NVIDIA, 'driver 580.65.06, CUDA 13.0'),
        ('PJRT C API\ncuda 12080', NVIDIA_OPEN, 'driver 575.57.08, CUDA 12.8'),
        ('cuda 12090', '', 'driver unknown, CUDA 12.9'),
        ('PJRT C API\nTFRT TPU v5\nBuilt on Nov 5', '', 'PJRT C API TFRT TPU v5 Built on Nov 5'),
    ],
)
def test_the_driver_is_one_line(platform: str, file: str, expected: str, tmp_path: Path) -> None:
    if file:
        (tmp_path / 'proc/driver/nvidia').mkdir(parents=True)
        (tmp_path / 'proc/driver/nvidia/version').write_text(file)
    assert devices.driver(platform, tmp_path) == expected
