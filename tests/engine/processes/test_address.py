"""Slurm's variables say which process this is, and which GPUs are its own; faked environments of one task."""

from collections.abc import Mapping
from pathlib import Path

import pytest

from engine.errors import UserError
from engine.processes import address
from engine.processes.address import Address

# The shell of `sbatch --nodes=2 --ntasks-per-node=4 --gpus-per-node=4`, which has most variables of a task.
JOB = {
    'SLURM_JOB_ID': '4711',
    'SLURM_NTASKS': '8',
    'SLURM_PROCID': '0',
    'SLURM_LOCALID': '0',
    'SLURM_NODEID': '0',
    'SLURM_JOB_NODELIST': 'gpu[07-08]',
    'SLURM_TASKS_PER_NODE': '4(x2)',
    'SLURM_GPUS_ON_NODE': '4',
    'CUDA_VISIBLE_DEVICES': '0,1,2,3',
}
# The task that srun starts there as the third on the second node.
STEP = JOB | {
    'SLURM_STEP_ID': '0',
    'SLURM_STEP_NUM_TASKS': '8',
    'SLURM_PROCID': '6',
    'SLURM_LOCALID': '2',
    'SLURM_NODEID': '1',
    'SLURM_STEP_NODELIST': 'gpu[07-08]',
    'SLURM_STEP_TASKS_PER_NODE': '4(x2)',
}
ONE_PER_NODE = {
    'SLURM_STEP_NUM_TASKS': '2',
    'SLURM_NTASKS': '2',
    'SLURM_PROCID': '1',
    'SLURM_LOCALID': '0',
    'SLURM_STEP_TASKS_PER_NODE': '1(x2)',
}
PORT = 61440 + 4711 - 4096


def of_task(changes: Mapping[str, str | None] = STEP, root: Path = Path('/nowhere')) -> Address | None:
    values = {name: value for name, value in {**STEP, **changes}.items() if value is not None}
    return address.from_slurm(values, root)


def gpus_of_task(changes: Mapping[str, str | None], root: Path = Path('/nowhere')) -> tuple[int, ...] | None:
    address = of_task(changes, root)
    assert address
    return address.gpus


def test_tasks_that_see_all_gpus_of_their_node_share_them() -> None:
    assert of_task() == Address(6, 8, f'gpu07:{PORT}', (2,))


def test_one_task_per_node_takes_all_gpus() -> None:
    assert of_task(ONE_PER_NODE) == Address(1, 2, f'gpu07:{PORT}', None)


ALONE: dict[str, dict[str, str]] = {
    'no job': {},
    'the shell of sbatch': JOB,
    'the shell of salloc': {'SLURM_JOB_ID': '1', 'SLURM_NTASKS': '8', 'SLURM_JOB_NODELIST': 'a[1-2]'},
    'one task of srun': STEP | {'SLURM_STEP_NUM_TASKS': '1', 'SLURM_NTASKS': '1'},
    'one task of srun in a job of several': STEP | {'SLURM_STEP_NUM_TASKS': '1'},
    'srun --pty bash': STEP | {'SLURM_PTY_PORT': '40000', 'SLURM_PROCID': '0'},
    'the step of the batch script': JOB | {'SLURM_STEP_ID': 'batch'},
    'tasks exported into a shell': {'SLURM_NTASKS': '2'},
    'variables without a task': {'SLURM_STEP_ID': '0', 'SLURM_STEP_NUM_TASKS': '2'},
}


@pytest.mark.parametrize('case', ALONE)
def test_a_process_that_srun_did_not_start_as_one_of_several_trains_alone(case: str) -> None:
    assert address.from_slurm(ALONE[case]) is None


def test_a_process_alone_in_a_job_of_several_tasks_is_told_so() -> None:
    assert 'the job has 8 tasks (SLURM_NTASKS), but srun did not start it' in address.note(JOB)
    for environment in (STEP, {}, {'SLURM_NTASKS': '1'}):
        assert address.note(environment) == ''


GPUS: dict[str, tuple[dict[str, str | None], tuple[int, ...] | None]] = {
    'bound by --gpus-per-task=1': ({'CUDA_VISIBLE_DEVICES': '0', 'SLURM_GPUS_PER_TASK': '1'}, None),
    'bound by --gpu-bind=single:1': ({'CUDA_VISIBLE_DEVICES': '2'}, None),
    'bound, 2 of 8': ({'SLURM_GPUS_ON_NODE': '8', 'CUDA_VISIBLE_DEVICES': '4,5'}, None),
    'bound, typed': ({'CUDA_VISIBLE_DEVICES': '0', 'SLURM_GPUS_PER_TASK': 'h100:1'}, None),
    'bound, number of the node not known': (
        {'CUDA_VISIBLE_DEVICES': '0', 'SLURM_GPUS_PER_TASK': '1', 'SLURM_GPUS_ON_NODE': None},
        None,
    ),
    'asked for but not bound': ({'SLURM_GPUS_PER_TASK': '1'}, (2,)),
    'two each': ({'SLURM_GPUS_ON_NODE': '8', 'CUDA_VISIBLE_DEVICES': '0,1,2,3,4,5,6,7'}, (4, 5)),
    'by UUID': ({'CUDA_VISIBLE_DEVICES': 'GPU-a1,GPU-b2,GPU-c3,GPU-d4'}, (2,)),
    'slices': ({'CUDA_VISIBLE_DEVICES': 'MIG-a,MIG-b,MIG-c,MIG-d'}, (2,)),
    'AMD': ({'CUDA_VISIBLE_DEVICES': None, 'ROCR_VISIBLE_DEVICES': '0,1,2,3'}, (2,)),
    'a cluster of CPUs': ({'CUDA_VISIBLE_DEVICES': None, 'SLURM_GPUS_ON_NODE': None}, None),
    'no GPU for this job': ({'CUDA_VISIBLE_DEVICES': 'NoDevFiles', 'SLURM_GPUS_ON_NODE': None}, None),
    'nodes of different sizes': (
        {'SLURM_STEP_TASKS_PER_NODE': '6,2', 'SLURM_LOCALID': '1', 'SLURM_PROCID': '7'},
        (2, 3),
    ),
}


@pytest.mark.parametrize('case', GPUS)
def test_every_gpu_of_a_node_has_one_process(case: str) -> None:
    changes, expected = GPUS[case]
    assert gpus_of_task(changes) == expected


def test_gpus_that_slurm_does_not_know_are_counted(tmp_path: Path) -> None:
    (tmp_path / 'dev').mkdir()
    for name in ('nvidia0', 'nvidia1', 'nvidia2', 'nvidia3', 'nvidiactl', 'nvidia-uvm'):
        (tmp_path / 'dev' / name).touch()
    assert gpus_of_task({'CUDA_VISIBLE_DEVICES': None, 'SLURM_GPUS_ON_NODE': None}, tmp_path) == (2,)


def test_all_tasks_of_a_node_together_take_each_gpu_once() -> None:
    parts = [gpus_of_task({'SLURM_LOCALID': str(index)}) for index in range(4)]
    assert sorted(position for part in parts if part for position in part) == [0, 1, 2, 3]


HOSTS = {
    'node1': 'node1',
    'node1,other2': 'node1',
    'gpu[07-08]': 'gpu07',
    'gpu[9,11-12],cpu1': 'gpu9',
    'rack[0-1]n[01-04]': 'rack0n01',
    'a-b.example.org': 'a-b.example.org',
    'n[3]x[10-11],n[4]x[1]': 'n3x10',
    'login,gpu[1-4]': 'login',
}


@pytest.mark.parametrize('nodes', HOSTS)
def test_the_first_host_of_the_step_coordinates(nodes: str) -> None:
    task = of_task({'SLURM_STEP_NODELIST': nodes})
    assert task
    assert task.coordinator == f'{HOSTS[nodes]}:{PORT}'


def test_two_steps_of_a_job_have_two_ports() -> None:
    first, second = of_task(), of_task({'SLURM_STEP_ID': '1'})
    assert first and second
    assert first.coordinator != second.coordinator


MISTAKES: dict[str, dict[str, str | None]] = {
    'cannot share 4 GPUs evenly. Start 1, 2 or 4 processes': {'SLURM_STEP_TASKS_PER_NODE': '3(x2)'},
    '4 processes cannot share 1 GPU': {'CUDA_VISIBLE_DEVICES': '0', 'SLURM_GPUS_ON_NODE': '1'},
    'SLURM_STEP_TASKS_PER_NODE=4 does not name the tasks of node 1': {'SLURM_STEP_TASKS_PER_NODE': '4'},
    'SLURM_STEP_TASKS_PER_NODE=many does not name': {'SLURM_STEP_TASKS_PER_NODE': 'many'},
    'SLURM_STEP_NUM_TASKS=x is not a number. To train alone, pass --processes=1': {
        'SLURM_STEP_NUM_TASKS': 'x'
    },
    'SLURM_STEP_NODELIST is not set': {'SLURM_STEP_NODELIST': ''},
    'SLURM_NODEID is not set': {'SLURM_NODEID': ''},
}


@pytest.mark.parametrize('message', MISTAKES)
def test_variables_that_make_no_sense_are_refused(message: str) -> None:
    with pytest.raises(UserError) as error:
        of_task(MISTAKES[message])
    assert message in str(error.value)
