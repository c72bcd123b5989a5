"""All ways to work are one function: on 8 simulated devices, in a process of its own for each task."""

import json
import os
import subprocess
import sys

import pytest

from engine.workspace import REPOSITORY
from tests.engine.training import equivalence

QUICK = 'convnet'  # a minute each: the others by scripts/test.sh --all
TASKS = [task if task == QUICK else pytest.param(task, marks=pytest.mark.slow) for task in equivalence.TASKS]


@pytest.mark.parametrize('task', TASKS)
def test_all_ways_to_work_are_one_function(task: str) -> None:
    done = subprocess.run(
        [sys.executable, '-m', 'tests.engine.training.equivalence', task],
        cwd=REPOSITORY,
        env=os.environ | {'JAX_NUM_CPU_DEVICES': '8'},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout.splitlines()[-1])
    assert max(result['free'].values()) < 1e-12
    assert max(result['common'].values()) < 1e-5
    assert result['pmap_differs'] == 0
    assert result.get('largest_share', 0) <= 1.05 / 8
