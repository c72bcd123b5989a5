"""How a guarded run ends: with a state and, if the file system failed, with one message."""

import errno
import json
from pathlib import Path

import pytest

from engine.errors import Interrupted, RunError
from engine.files import write_text
from engine.runs import guard
from engine.runs.environment import record as environment
from engine.runs.environment.differences import Differences
from engine.runs.guard import RunGuard
from engine.runs.run_folder import Run
from engine.runs.signals import Signals
from tests.engine.runs.test_run_folder import DIGITS


@pytest.fixture
def run(tmp_path: Path) -> Run:
    return Run.begin(DIGITS, tmp_path / 'run')


def status(run: Run) -> dict:
    return json.loads((run.folder / 'status.json').read_text())


def raised_in(run: Run, error: BaseException, signals: Signals | None = None) -> BaseException:
    with pytest.raises(BaseException) as raised, RunGuard(run, signals or Signals()).active():
        raise error
    return raised.value


def test_a_full_disk_is_one_message(run: Run) -> None:
    error = raised_in(run, OSError(errno.ENOSPC, 'No space left on device', '/data/file'))
    assert isinstance(error, RunError)
    assert str(error).startswith(
        'the file system failed: No space left on device (/data/file). Fix that first. To resume: '
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


def test_an_error_because_of_a_signal_elsewhere_is_an_interruption(run: Run) -> None:
    """As that of a collective operation whose other process has left after a second Ctrl-C."""
    signals = Signals()
    signals.caused = lambda error: 'Gloo' in str(error)
    error = raised_in(run, RuntimeError('Gloo all-reduce failed'), signals)
    assert isinstance(error, Interrupted)
    assert isinstance(error.__context__, RuntimeError)
    assert (status(run)['state'], status(run)['error']) == ('interrupted', None)
    assert isinstance(raised_in(run, RuntimeError('another'), signals), RuntimeError)
    assert status(run)['state'] == 'failed'


def record(run: Run, text: str, differences: Differences = Differences()) -> None:  # noqa: B008 (immutable)
    present = environment.present([], {})
    RunGuard(run, Signals()).record(present, differences, 3, lambda path: write_text(path, text))


def test_a_config_is_saved_with_its_changes(run: Run) -> None:
    record(run, 'a.B.c = 1')
    record(run, 'a.B.c = 2', Differences({'config': {'a.B.c': ('1', '2')}}, {'cpus': (2, 4)}))
    assert run.config.read_text() == 'a.B.c = 2'
    run.check_config()
    (line,) = (run.folder / 'changes.jsonl').read_text().splitlines()
    changes = json.loads(line)
    assert (changes['config'], changes['machine']) == ({'a.B.c': ['1', '2']}, {'cpus': [2, 4]})
    assert (changes['program'], changes['step']) == ('train', 3)


def test_other_observers_are_saved_and_no_change(run: Run) -> None:
    record(run, 'Trainer.observers = ()')
    record(run, 'Trainer.observers = (@a.B(),)')
    assert run.config.read_text() == 'Trainer.observers = (@a.B(),)'
    run.check_config()
    assert not (run.folder / 'changes.jsonl').exists()


def test_the_heart_beats_with_the_step(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    import time

    monkeypatch.setattr(guard, 'HEARTBEAT_SECONDS', 0.05)
    run_guard = RunGuard(run, Signals())
    with run_guard.active():
        assert status(run)['state'] == 'running'
        run_guard.note_progress(17)
        deadline = time.monotonic() + 10
        while status(run).get('step') != 17 and time.monotonic() < deadline:
            time.sleep(0.02)
    assert status(run)['step'] == 17
