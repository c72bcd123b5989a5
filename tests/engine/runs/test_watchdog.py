"""The watchdog reports a hang once, with the stacks of all threads, and ends the run if so configured."""

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from engine.errors import UserError
from engine.runs.watchdog import Watchdog


def test_a_hang_is_reported_once(tmp_path: Path) -> None:
    report, failed = tmp_path / 'hang.txt', []
    began = time.monotonic()
    with Watchdog(seconds=0.1).watch(lambda: began, report, failed.append):
        for _ in range(100):
            if report.exists() and report.stat().st_size:
                break
            time.sleep(0.02)
        time.sleep(0.3)
    text = report.read_text()
    assert text.count('test_a_hang_is_reported_once') == 1
    assert not failed


def test_nothing_is_reported_while_the_run_progresses(tmp_path: Path) -> None:
    with Watchdog(seconds=0.2).watch(time.monotonic, tmp_path / 'hang.txt', lambda _: None):
        time.sleep(0.5)
    assert not (tmp_path / 'hang.txt').exists()


def test_a_hang_ends_the_run(tmp_path: Path) -> None:
    program = (
        'import pathlib, sys, time; from engine.runs.watchdog import Watchdog\n'
        'with Watchdog(seconds=0.1, end=True).watch(lambda: 0.0, pathlib.Path(sys.argv[1]), print):\n'
        '  time.sleep(60)'
    )
    command = [sys.executable, '-u', '-c', program, str(tmp_path / 'hang.txt')]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == 1
    assert 'the run has not progressed for 0.1 seconds' in done.stdout


def test_the_time_in_which_the_process_was_stopped_does_not_count(tmp_path: Path) -> None:
    """As of a laptop that sleeps. The watchdog would otherwise end the run on waking up."""
    program = (
        'import pathlib, sys, time; from engine.runs.watchdog import Watchdog\n'
        'last = time.monotonic()\n'
        'with Watchdog(seconds=2.0, end=True).watch(lambda: last, pathlib.Path(sys.argv[1]), print):\n'
        '  print("ready", flush=True)\n'
        '  time.sleep(0.5); time.sleep(0.5)\n'
        'print("done")'
    )
    command = [sys.executable, '-c', program, str(tmp_path / 'hang.txt')]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        process.stdout.readline()
        process.send_signal(signal.SIGSTOP)
        time.sleep(3)
        process.send_signal(signal.SIGCONT)
        assert process.communicate(timeout=30)[0] == 'done\n'
    assert process.returncode == 0
    assert not (tmp_path / 'hang.txt').exists()


@pytest.mark.parametrize('seconds', [0.0, -1.0, float('nan')])
def test_a_watchdog_needs_some_time(seconds: float) -> None:
    with pytest.raises(UserError, match='must be above 0'):
        Watchdog(seconds=seconds)


def test_a_watchdog_without_end_never_reports(tmp_path: Path) -> None:
    with Watchdog(seconds=float('inf')).watch(lambda: 0.0, tmp_path / 'hang.txt', lambda _: None):
        time.sleep(0.05)
