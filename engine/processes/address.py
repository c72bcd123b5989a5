"""The place of a process among those of its run, given on the command line or by Slurm's variables.

| started by                                  | this process                                             |
|---------------------------------------------|----------------------------------------------------------|
| `srun`, one task                            | trains alone, on all GPUs that it sees                   |
| `srun`, several tasks                       | is one of them; the first host of the step coordinates   |
| `sbatch` or `salloc` alone, without `srun`  | trains alone, although the job has several tasks         |
| `srun --pty bash`                           | trains alone                                             |

Several tasks of a node share its GPUs if all see all of them. They use what they see if Slurm has bound some
to each (`--gpus-per-task`). This module imports the standard library alone.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from engine.errors import UserError
from engine.processes import gpus

FIRST_PORT, PORTS = 61440, 4096  # above the ports that Linux gives to others


@dataclass(frozen=True)
class Address:
    """The place of a process among those of its run.

    Attributes:
      index: its number, from 0.
      count: the number of processes.
      coordinator: where the first process can be reached, as host:port.
      gpus: positions, among the GPUs that it sees, of those that it uses; None for all.
    """

    index: int
    count: int
    coordinator: str
    gpus: tuple[int, ...] | None = None


def from_slurm(environment: Mapping[str, str], root: Path = gpus.ROOT) -> Address | None:
    """Returns the address that Slurm gives to this process, None if it trains alone.

    Args:
      environment: the variables of the process.
      root: of the file system, in which the device files of GPUs are counted.

    Raises:
      UserError: a variable is missing or makes no sense, or the GPUs cannot be shared.
    """
    if not is_step(environment):
        return None
    count = _number(environment, 'SLURM_STEP_NUM_TASKS', 'SLURM_NTASKS')
    if count == 1:
        return None
    host = _first_host(_text(environment, 'SLURM_STEP_NODELIST', 'SLURM_NODELIST'))
    index, port = _number(environment, 'SLURM_PROCID'), _port(environment)
    return Address(index, count, f'{host}:{port}', _gpus(environment, root))


def is_step(environment: Mapping[str, str]) -> bool:
    """Whether `srun` started this process. The shell of `sbatch` has most of the variables too."""
    has_step = environment.get('SLURM_STEP_ID', '').isdecimal() and 'SLURM_PROCID' in environment
    return has_step and 'SLURM_PTY_PORT' not in environment  # only the first task of --pty gets a shell


def note(environment: Mapping[str, str]) -> str:
    """Returns a note for a process that trains alone in a job of several tasks, '' for others."""
    count = environment.get('SLURM_NTASKS', '1')
    if count == '1' or is_step(environment):
        return ''
    return (
        f'this process trains alone: the job has {count} tasks (SLURM_NTASKS), but srun did not start it. '
        'To train in all of them: srun scripts/train.sh ...'
    )


def _gpus(environment: Mapping[str, str], root: Path) -> tuple[int, ...] | None:
    tasks, visible = _tasks_on_node(environment), len(gpus.visible(environment, root))
    on_node = environment.get('SLURM_GPUS_ON_NODE', '')
    all_gpus = int(on_node) if on_node.isdecimal() else len(gpus.device_files(root))
    per_task = re.sub(r'^.*\D', '', environment.get('SLURM_GPUS_PER_TASK', ''))
    is_bound = visible < all_gpus or (per_task and visible == int(per_task))
    if tasks == 1 or not visible or is_bound:
        return None
    return gpus.share(visible, tasks, _number(environment, 'SLURM_LOCALID'))


def _tasks_on_node(environment: Mapping[str, str]) -> int:
    """Returns the number of tasks on this node, from a list such as `4(x2),3`."""
    text = _text(environment, 'SLURM_STEP_TASKS_PER_NODE', 'SLURM_TASKS_PER_NODE')
    parts = [re.fullmatch(r'(\d+)(?:\(x(\d+)\))?', part) for part in text.split(',')]
    counts = [int(part[1]) for part in parts if part for _ in range(int(part[2] or 1))]
    node = _number(environment, 'SLURM_NODEID')
    if not all(parts) or node >= len(counts):
        raise UserError(f'SLURM_STEP_TASKS_PER_NODE={text} does not name the tasks of node {node}. {_ADVICE}')
    return counts[node]


def _first_host(nodes: str) -> str:
    """Returns the first host of a list such as `rack[0-1]n[01-04,09],login`."""
    return re.sub(r'\[(\w+)[^]]*\]', r'\1', re.match(r'(?:[^,[]|\[[^]]*\])*', nodes)[0])  # type: ignore[index]


def _port(environment: Mapping[str, str]) -> int:
    """Returns a port that the tasks of this step agree on, and that differs from those of other steps."""
    job, step = _number(environment, 'SLURM_JOB_ID', 'SLURM_JOBID'), _number(environment, 'SLURM_STEP_ID')
    return FIRST_PORT + (job + 61 * step) % PORTS


_ADVICE = 'To train alone, pass --processes=1; to name the processes yourself, see scripts/train.sh --help.'


def _text(environment: Mapping[str, str], *names: str) -> str:
    """Returns the first of some variables that is set."""
    value = next((environment[name] for name in names if environment.get(name)), None)
    if value is None:
        raise UserError(f'Slurm started this process, but {names[0]} is not set. {_ADVICE}')
    return value


def _number(environment: Mapping[str, str], *names: str) -> int:
    text = _text(environment, *names)
    if not text.isdecimal():
        raise UserError(f'{names[0]}={text} is not a number. {_ADVICE}')
    return int(text)
