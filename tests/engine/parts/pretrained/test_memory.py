"""What loading needs: each device holds its part of the parameters, the host little more than all."""

import json
from pathlib import Path

import pytest

from benchmarks import loading

DEVICES = 8


def test_each_of_eight_devices_holds_an_eighth(tmp_path: Path) -> None:
    loading.write(tmp_path, gigabytes=0.005)
    places = [str(tmp_path / name) for name in loading.SOURCES]
    statement = f'print(json.dumps([loading.load(Path(place), 0.005, {DEVICES}) for place in {places}]))'
    for result in json.loads(loading.run_alone(statement, DEVICES)):
        assert result['share'] == 1 / DEVICES


@pytest.mark.slow
@pytest.mark.parametrize('devices', [1, DEVICES])
def test_two_gigabytes_need_at_most_1_3_times_their_size(devices: int, tmp_path: Path) -> None:
    for result in loading.measured(tmp_path, 2.0, devices).values():
        assert result['memory'] <= loading.AT_MOST
