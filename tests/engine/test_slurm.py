"""`scripts/slurm.sbatch` with faked commands of Slurm: warned in either way, it saves and requeues."""

import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from engine.workspace import REPOSITORY

COMMANDS = {
    # Starts the step, here a process that answers SIGTERM as a training does.
    'srun': """echo "srun $*" >> log
trap 'echo saved >> log; exit 75' TERM
echo $$ > step
echo started
for i in $(seq 600); do sleep 0.05; done
""",
    'scancel': 'echo "scancel $*" >> log; kill -TERM "$(cat step)"',
    'scontrol': 'echo "scontrol $*" >> log',
}
START = 'srun --kill-on-bad-exit=0 scripts/train.sh --run=/shared/runs/slurm-7 --gin_file=a b.gin'


@pytest.fixture
def job(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """A job that has started its step; the fakes write to the file `log`."""
    (tmp_path / 'bin').mkdir()
    for name, text in COMMANDS.items():
        (tmp_path / 'bin' / name).write_text(f'#!/bin/bash\n{text}')
        (tmp_path / 'bin' / name).chmod(0o755)
    with subprocess.Popen(
        ['bash', str(REPOSITORY / 'scripts/slurm.sbatch'), '--gin_file=a b.gin'],
        cwd=tmp_path,
        env=os.environ
        | {'PATH': f'{tmp_path}/bin:{os.environ["PATH"]}', 'SLURM_JOB_ID': '7', 'WORKSPACE': '/shared'},
        stdout=subprocess.PIPE,
        text=True,
    ) as job:
        assert job.stdout
        assert job.stdout.readline() == 'started\n'
        yield job


def log(folder: Path) -> list[str]:
    return (folder / 'log').read_text().splitlines()


def test_a_warned_step_saves_and_the_job_requeues(job: subprocess.Popen[str], tmp_path: Path) -> None:
    os.kill(int((tmp_path / 'step').read_text()), signal.SIGTERM)  # as --signal=TERM@180
    assert job.wait(timeout=30) == 75
    assert log(tmp_path) == [START, 'saved', 'scontrol requeue 7']


@pytest.mark.parametrize('number', [signal.SIGUSR1, signal.SIGUSR2])
def test_a_warned_shell_passes_the_warning_on(
    number: signal.Signals, job: subprocess.Popen[str], tmp_path: Path
) -> None:
    job.send_signal(number)  # as --signal=B:USR1@180
    assert job.wait(timeout=30) == 75
    assert log(tmp_path) == [START, 'scancel --signal=TERM 7', 'saved', 'scontrol requeue 7']


def test_another_end_is_the_end_of_the_job(job: subprocess.Popen[str], tmp_path: Path) -> None:
    os.kill(int((tmp_path / 'step').read_text()), signal.SIGKILL)
    assert job.wait(timeout=30) == 128 + signal.SIGKILL
    assert log(tmp_path) == [START]
