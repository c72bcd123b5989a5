"""How much memory a program may use: physical memory, limits of containers and jobs, and of the shell."""

import os
import subprocess
import sys
from pathlib import Path

import jax
import pytest

from engine.hardware import limits
from engine.workspace import REPOSITORY

PHYSICAL = os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES')
ASK = 'from engine.hardware import limits; print(*limits.machine_memory())'


def write(root: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return root


V2 = 'sys/fs/cgroup'


@pytest.mark.parametrize(
    ('files', 'wanted'),
    [
        ({}, PHYSICAL),
        ({'proc/self/cgroup': '0::/\n', f'{V2}/memory.max': '1073741824\n'}, 2**30),
        ({'proc/self/cgroup': '0::/\n', f'{V2}/memory.max': 'max\n'}, PHYSICAL),
        # Slurm limits the job, and its step has no limit of its own.
        (
            {
                'proc/self/cgroup': '0::/slurm/job_7/step_0\n',
                f'{V2}/slurm/job_7/memory.max': '4096\n',
                f'{V2}/slurm/job_7/step_0/memory.max': 'max\n',
                f'{V2}/slurm/memory.max': '8192\n',
            },
            4096,
        ),
        # The first version of control groups. 2**63 less a page means no limit there.
        (
            {
                'proc/self/cgroup': '5:cpu,cpuacct:/docker/a\n4:memory:/docker/a\n1:name=systemd:/docker/a\n',
                f'{V2}/memory/docker/a/memory.limit_in_bytes': '5000\n',
                f'{V2}/memory/memory.limit_in_bytes': '9223372036854771712\n',
            },
            5000,
        ),
        # In a container, the path is that of the host, and only the top is there.
        (
            {
                'proc/self/cgroup': '4:memory:/docker/a\n',
                f'{V2}/memory/memory.limit_in_bytes': '6000\n',
            },
            6000,
        ),
        ({'proc/self/cgroup': 'nothing like it\n'}, PHYSICAL),
    ],
)
def test_the_smallest_limit_counts(files: dict[str, str], wanted: int, tmp_path: Path) -> None:
    size, of = limits.machine_memory(write(tmp_path, files))
    assert size == wanted
    assert of == ('of this machine' if wanted == PHYSICAL else 'of this container or job')


def test_a_limit_of_the_shell_counts() -> None:
    command = f'ulimit -v 3000000 && exec {sys.executable} -c "{ASK}"'
    done = subprocess.run(
        ['bash', '-c', command], capture_output=True, text=True, cwd=REPOSITORY, check=False
    )
    assert done.stdout.strip() == f'{3000000 * 1024} by `ulimit -v` of this shell'


def test_simulated_devices_share_the_machine() -> None:
    size, of = limits.device_memory()
    assert size == limits.machine_memory()[0] // 2 == limits.machine_memory()[0] // jax.device_count()
    assert of.endswith('shared by 2 simulated devices')
