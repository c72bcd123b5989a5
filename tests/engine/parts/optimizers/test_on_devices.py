"""Every kind of optimizer takes the same steps on 8 simulated devices as on one, in a process of its own."""

import json
import os
import subprocess
import sys

import pytest

from engine.workspace import REPOSITORY
from tests.engine.parts.optimizers import on_devices

QUICK = ['lbfgs', 'groups']  # a few seconds each
OTHERS = [name for name in on_devices.OPTIMIZERS if name not in QUICK]
CASES = {'quick': QUICK, 'others': pytest.param(OTHERS, marks=pytest.mark.slow)}


@pytest.mark.parametrize(
    'names', [QUICK, pytest.param(OTHERS, marks=pytest.mark.slow)], ids=['quick', 'others']
)
def test_all_ways_to_work_take_the_same_steps(names: list[str]) -> None:
    done = subprocess.run(
        [sys.executable, '-m', 'tests.engine.parts.optimizers.on_devices', *names],
        cwd=REPOSITORY,
        env=os.environ | {'JAX_NUM_CPU_DEVICES': '8'},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    results = json.loads(done.stdout.splitlines()[-1])
    assert results.keys() == set(names)
    assert {name: ways for name, ways in results.items() if max(ways.values()) > 1e-12} == {}
