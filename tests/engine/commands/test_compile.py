"""The program that compiles for devices that need not be here."""

import os
import re
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from engine.workspace import REPOSITORY

ConfigFile = Callable[..., Path]
LIBRARY = REPOSITORY / '.venv-tpu/libtpu/libtpu.so'
FETCH = 'libtpu is not here: scripts/compile.sh --topology fetches it'


def test_an_experiment_on_the_devices_here(config_file: ConfigFile, program: Any) -> None:
    code, out, err = program('compile', f'--gin_file={config_file()}', 'sharding.Jit.fsdp=2')
    assert (code, err) == (0, '')
    assert '2 x cpu, mesh data=1, fsdp=2\nMemory of each device during training, from' in out
    flops = re.search(r'FLOPs of a training step: (\S+) billion on each device.', out)
    assert flops
    # Forward, and backward by the weights and all inputs but the images, of half of the batch of 8.
    products = 2 * 4 * (2 * 64 * 16 + 3 * 16 * 16 + 3 * 16 * 10) / 1e9
    assert products <= float(flops[1]) + 0.0005
    assert re.search(r'\n  all-(reduce|gather) +\d+ +[\d.]+ \w+\n', out)


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        ([], 'nothing to compile: give --gin_file=configs/<name>.gin.'),
        (['--topology=v5e'], '--topology=v5e: there is no such topology (kind and shape are needed).'),
        (['--topology=v5e:0x4'], '--topology=v5e:0x4: there is no such topology (v5e has 1 to 256 chips).'),
    ],
)
def test_mistakes_are_one_message(
    arguments: list[str], message: str, config_file: ConfigFile, program: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ('JAX_PLATFORMS', 'TPU_SKIP_MDS_QUERY', 'TPU_ACCELERATOR_TYPE', 'TPU_WORKER_HOSTNAMES'):
        monkeypatch.setenv(name, 'cpu')  # so that it is as before after the test
    given = [f'--gin_file={config_file()}'] if arguments else []
    code, out, err = program('compile', *given, *arguments)
    assert (code, out) == (2, '')
    assert err.startswith(f'error: {message}')
    assert err.count('\n') == 1


@pytest.mark.slow
@pytest.mark.skipif(not LIBRARY.exists(), reason=FETCH)
def test_tpus_that_are_not_here(config_file: ConfigFile) -> None:
    """Splitting the state over 8 chips saves 7/8 of it, and needs more exchange."""
    config = config_file(BATCH_SIZE='BATCH_SIZE = 64', **{'mlp.MLP.width': 'mlp.MLP.width = 2048'})
    command = ['bash', 'scripts/compile.sh', f'--gin_file={config}', '--topology=v5e:2x4']
    whole, split = (
        subprocess.run(
            [*command, f'sharding.Jit.fsdp={count}'],
            capture_output=True,
            text=True,
            cwd=REPOSITORY,
            env=os.environ | {'ENV': 'existing'},
            check=True,
        ).stdout
        for count in (1, 8)
    )
    assert 'v5e:2x4, 8 chips: 8 x TPU v5 lite, mesh data=8, fsdp=1\n' in whole
    assert 'v5e:2x4, 8 chips: 8 x TPU v5 lite, mesh data=1, fsdp=8\n' in split
    assert mebibytes(split, 'parameters') == pytest.approx(mebibytes(whole, 'parameters') / 8, abs=0.1)
    assert mebibytes(split, 'total') < mebibytes(whole, 'total')
    assert 'all-gather' in split


def mebibytes(out: str, name: str) -> float:
    found = re.search(rf'\n  {name} +([\d.]+) MiB', out)
    assert found, out
    return float(found[1])
