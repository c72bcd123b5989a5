"""Claims are tried with real processes, which are killed."""

import json
import subprocess
import sys
import threading
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from engine.runs.run_state import HEARTBEAT_TIMEOUT
from engine.sweeps import claims
from engine.workspace import REPOSITORY

HOLDER = """
import subprocess, sys, time
from pathlib import Path
from engine.sweeps import claims
claimed = claims.claim(Path(sys.argv[1]), 'a', Path(sys.argv[1]) / 'run')
if len(sys.argv) > 2:  # a training, which inherits the claim
    training = [sys.executable, '-c', 'import time; time.sleep(3)']
    child = subprocess.Popen(training, stdout=subprocess.DEVNULL, pass_fds=[claimed.descriptor])
    print(child.pid, flush=True)
else:
    print(claimed is not None, flush=True)
time.sleep(60)
"""


def holder(folder: Path, *more: str) -> 'subprocess.Popen[str]':
    process = subprocess.Popen(
        [sys.executable, '-c', HOLDER, str(folder), *more], stdout=subprocess.PIPE, text=True, cwd=REPOSITORY
    )
    assert process.stdout
    assert process.stdout.readline().strip() not in ('', 'False')
    return process


def claim(folder: Path) -> claims.Claim | None:
    return claims.claim(folder, 'a', folder / 'run')


def test_a_claimed_run_is_free_again_once_its_worker_is_killed(tmp_path: Path) -> None:
    process = holder(tmp_path)
    assert claim(tmp_path) is None
    process.kill()
    process.communicate()
    assert claim(tmp_path)


def test_a_released_run_is_free(tmp_path: Path) -> None:
    first = claim(tmp_path)
    assert first
    assert claim(tmp_path) is None
    first.release()
    assert claim(tmp_path)
    assert not list(tmp_path.glob('.*'))


def test_a_run_stays_claimed_until_the_training_of_a_killed_worker_has_ended(tmp_path: Path) -> None:
    process = holder(tmp_path, 'with a training')
    process.kill()
    process.communicate()
    assert claim(tmp_path) is None
    deadline = time.monotonic() + 30
    while not (claimed := claim(tmp_path)) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert claimed


def test_one_of_many_workers_gets_a_run(tmp_path: Path) -> None:
    barrier, won = threading.Barrier(16), []

    def compete() -> None:
        barrier.wait()
        won.append(claim(tmp_path))

    threads = [threading.Thread(target=compete) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len([claimed for claimed in won if claimed]) == 1


@pytest.mark.parametrize(('seconds', 'is_free'), [(1, False), (-1, False), (HEARTBEAT_TIMEOUT + 5, True)])
def test_the_heartbeat_decides_on_another_machine(tmp_path: Path, seconds: float, is_free: bool) -> None:
    heartbeat = (datetime.now(UTC) - timedelta(seconds=seconds)).isoformat()
    record = {'host': 'elsewhere', 'pid': 1, 'heartbeat': heartbeat, 'is_over': False}
    (tmp_path / 'a.1').write_text(json.dumps(record))
    assert bool(claim(tmp_path)) == is_free
