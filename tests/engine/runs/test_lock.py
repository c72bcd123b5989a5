"""One training at a time: the lock decides on this machine, the heartbeat for other machines."""

import platform
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from engine.errors import UserError
from engine.runs.lock import locked

HOLD = 'import sys, pathlib; from engine.runs.lock import locked\n'
HOLD += 'with locked(pathlib.Path(sys.argv[1]), {}):\n  print("held", flush=True); sys.stdin.read()'


def test_the_second_is_refused_until_the_first_is_dead(tmp_path: Path) -> None:
    command = [sys.executable, '-c', HOLD, str(tmp_path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as first:
        assert first.stdout
        assert first.stdout.readline() == 'held\n'
        with (
            pytest.raises(UserError, match=f'is being trained by process {first.pid} on '),
            locked(tmp_path, {}),
        ):
            pass
        first.kill()
    with locked(tmp_path, {'state': 'running', 'host': platform.node()}):
        pass


@pytest.mark.parametrize(('age', 'refused'), [(10, True), (-10, True), (3600, False), (-3600, False)])
def test_another_machine_counts_by_its_heartbeat(tmp_path: Path, age: int, refused: bool) -> None:
    heartbeat = (datetime.now(UTC) - timedelta(seconds=age)).isoformat()
    status = {'state': 'running', 'host': 'elsewhere', 'pid': 7, 'heartbeat': heartbeat}
    if refused:
        with pytest.raises(UserError, match='process 7 on elsewhere'), locked(tmp_path, status):
            pass
    else:
        with locked(tmp_path, status):
            pass


@pytest.mark.parametrize('heartbeat', [None, 'soon', 5, '2026-11-26T14:00:00', [], '9999-12-31T23:59:59Z'])
def test_a_damaged_heartbeat_refuses_no_run(tmp_path: Path, heartbeat: object) -> None:
    with locked(tmp_path, {'state': 'running', 'host': 'elsewhere', 'heartbeat': heartbeat}):
        pass
    with locked(tmp_path, {'state': 'running', 'host': 'elsewhere'}):
        pass


def test_a_run_that_ended_elsewhere_may_be_continued(tmp_path: Path) -> None:
    status = {'state': 'interrupted', 'host': 'elsewhere', 'heartbeat': datetime.now(UTC).isoformat()}
    with locked(tmp_path, status):
        pass
