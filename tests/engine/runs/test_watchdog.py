"""The watchdog reports a hang once, with the stacks of all threads, and ends the run if so configured."""

import subprocess
import sys
import time
from pathlib import Path

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
