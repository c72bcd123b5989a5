"""All ways to work are one function: on 8 simulated devices, in a process of its own for each task."""

import json

import pytest

from tests.engine.eight_devices import printed_lines
from tests.engine.training import equivalence

QUICK = 'convnet'  # a minute each: the others by scripts/test.sh --all
TASKS = [task if task == QUICK else pytest.param(task, marks=pytest.mark.slow) for task in equivalence.TASKS]


@pytest.mark.parametrize('task', TASKS)
def test_all_ways_to_work_are_one_function(task: str) -> None:
    lines = printed_lines('tests.engine.training.equivalence', task)
    result = json.loads(lines[-1])
    assert max(result['free'].values()) < 1e-12
    assert max(result['common'].values()) < 1e-5
    assert result['pmap_differs'] == 0
    assert result.get('largest_share', 0) <= 1.05 / 8
