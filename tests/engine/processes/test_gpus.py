"""Which GPUs are visible, and how `--processes` shares them; faked environments and device files."""

from pathlib import Path

import pytest

from engine.errors import UserError
from engine.processes import gpus


@pytest.fixture
def machine(tmp_path: Path) -> Path:
    """The root of a machine with four GPUs."""
    (tmp_path / 'dev').mkdir()
    for name in ('nvidia0', 'nvidia1', 'nvidia2', 'nvidia3', 'nvidiactl', 'nvidia-uvm', 'nvidia-modeset'):
        (tmp_path / 'dev' / name).touch()
    return tmp_path


VISIBLE = {
    '0,1': ['0', '1'],
    ' 3 , 1': ['3', '1'],
    '': [],
    '-1': [],
    '1,-1,2': ['1'],
    'NoDevFiles': [],
    'GPU-8a5f-11,MIG-GPU-8a5f/1/0': ['GPU-8a5f-11', 'MIG-GPU-8a5f/1/0'],
}


@pytest.mark.parametrize('value', VISIBLE)
def test_a_variable_names_the_visible_gpus(value: str, machine: Path) -> None:
    assert gpus.visible({'CUDA_VISIBLE_DEVICES': value}, machine) == VISIBLE[value]


def test_without_a_variable_the_device_files_count(machine: Path, tmp_path: Path) -> None:
    assert gpus.visible({}, machine) == ['0', '1', '2', '3']
    assert gpus.visible({}, tmp_path / 'nowhere') == []


def shared(environment: dict[str, str], count: int, root: Path) -> list[str | None]:
    name = gpus.variable(environment)
    return [each.get(name) for each in gpus.environments(environment, count, root)]


@pytest.mark.parametrize(
    ('value', 'count', 'expected'),
    [
        (None, 2, ['0,1', '2,3']),
        (None, 4, ['0', '1', '2', '3']),
        ('4,7', 2, ['4', '7']),
        ('GPU-a,GPU-b,MIG-c,MIG-d', 2, ['GPU-a,GPU-b', 'MIG-c,MIG-d']),
        ('', 2, ['', '']),
        ('-1', 3, ['-1', '-1', '-1']),
    ],
)
def test_processes_share_the_visible_gpus(
    value: str | None, count: int, expected: list[str], machine: Path
) -> None:
    environment = {} if value is None else {'CUDA_VISIBLE_DEVICES': value}
    assert shared(environment, count, machine) == expected


def test_other_variables_are_passed_on(machine: Path) -> None:
    values = gpus.environments({'HOME': '/home/a', 'ROCR_VISIBLE_DEVICES': '0,1'}, 2, machine)
    assert values == [{'HOME': '/home/a', 'ROCR_VISIBLE_DEVICES': str(index)} for index in range(2)]


def test_the_cpu_needs_no_share(machine: Path) -> None:
    assert shared({'JAX_PLATFORMS': 'cpu'}, 3, machine) == [None, None, None]


@pytest.mark.parametrize(('value', 'count'), [('0,1,2', 2), ('0', 2), ('0,1,2,3', 3), ('0,1', 4)])
def test_gpus_that_cannot_be_shared_evenly_are_refused(value: str, count: int, machine: Path) -> None:
    with pytest.raises(UserError, match=f'{count} processes cannot share {value.count(",") + 1} GPU'):
        gpus.environments({'CUDA_VISIBLE_DEVICES': value}, count, machine)
