"""How a session ends: in a status and, where no code is to blame, in one message."""

import errno
import json
from pathlib import Path

import pytest

from engine.errors import Interrupted, RunError
from engine.runs import guard
from engine.runs.guard import Session
from engine.runs.run_folder import Run
from engine.runs.signals import Signals


@pytest.fixture
def run(tmp_path: Path) -> Run:
    return Run.begin('digits', tmp_path / 'run')


def status(run: Run) -> dict:
    return json.loads((run.folder / 'status.json').read_text())


def raised_in(run: Run, error: BaseException) -> BaseException:
    with pytest.raises(BaseException) as found, Session(run, Signals()).recorded(seed=3):
        raise error
    return found.value


def test_a_full_disk_is_one_message(run: Run) -> None:
    error = raised_in(run, OSError(errno.ENOSPC, 'No space left on device', '/data/file'))
    assert isinstance(error, RunError)
    assert str(error).startswith(
        'the file system failed: No space left on device (/data/file). Fix that first. To go on: '
    )
    assert (status(run)['state'], status(run)['error']) == (
        'failed', 'the file system failed: No space left on device (/data/file)',
    )  # fmt: skip


def test_a_mistake_in_code_keeps_its_traceback(run: Run) -> None:
    error = raised_in(run, ZeroDivisionError('division by zero'))
    assert isinstance(error, ZeroDivisionError)
    assert status(run)['error'] == 'ZeroDivisionError: division by zero'


@pytest.mark.parametrize('error', [Interrupted(), KeyboardInterrupt()])
def test_interrupted(run: Run, error: BaseException) -> None:
    assert isinstance(raised_in(run, error), Interrupted)
    assert status(run)['state'] == 'interrupted'


def test_the_heart_beats_with_the_step(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    import time

    monkeypatch.setattr(guard, 'BEAT', 0.05)
    mine = Session(run, Signals())
    with mine.recorded():
        assert status(run)['state'] == 'running'
        mine.moved(17)
        deadline = time.monotonic() + 10
        while status(run).get('step') != 17 and time.monotonic() < deadline:
            time.sleep(0.02)
    assert status(run)['step'] == 17
