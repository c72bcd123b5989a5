"""Every kind of optimizer takes the same steps on 8 simulated devices as on one, in a process of its own."""

import json

import pytest

from tests.engine.eight_devices import printed_lines
from tests.engine.parts.optimizers import on_devices

QUICK = ['lbfgs', 'groups']  # a few seconds each
OTHERS = [name for name in on_devices.OPTIMIZERS if name not in QUICK]


@pytest.mark.parametrize(
    'names', [QUICK, pytest.param(OTHERS, marks=pytest.mark.slow)], ids=['quick', 'others']
)
def test_all_ways_to_work_take_the_same_steps(names: list[str]) -> None:
    lines = printed_lines('tests.engine.parts.optimizers.on_devices', *names)
    results = json.loads(lines[-1])
    assert results.keys() == set(names)
    assert {name: ways for name, ways in results.items() if max(ways.values()) > 1e-12} == {}
