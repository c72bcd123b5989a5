"""Signals, in processes of their own: handled at once, and gracefully where work is under way."""

import signal
import subprocess
import sys
import time

import pytest

# The signal comes while `work` runs. A long call of C imitates compiling: no Python handler runs in it.
PROGRAM = """
import sys, time
from engine.runs.signals import Signals
with Signals() as signals:
    signals.before_exit = lambda: print('ended at once', flush=True)
    {work}
print('ended', signals.stop_requested(), flush=True)
sys.exit(75 if signals.stop_requested() else 0)
"""
COMPILE = "print('ready', flush=True); import hashlib; hashlib.pbkdf2_hmac('sha256', b'', b'', 10**9)"
GRACEFUL = """
    with signals.graceful():
        print('ready', flush=True)
        while not signals.stop_requested():
            time.sleep(0.01)
"""
STUBBORN = """
    with signals.graceful():
        print('ready', flush=True)
        time.sleep(60); time.sleep(60)
"""


def signalled(work: str, number: signal.Signals, times: int = 1) -> tuple[int, str, float]:
    """Returns (exit code, what was printed, seconds from the first signal to the end)."""
    command = [sys.executable, '-c', PROGRAM.format(work=work)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        assert process.stdout.readline() == 'ready\n'
        began = time.monotonic()
        for _ in range(times):
            process.send_signal(number)
            time.sleep(0.3)
        out, _ = process.communicate(timeout=30)
    return process.returncode, out, time.monotonic() - began


@pytest.mark.parametrize('number', [signal.SIGTERM, signal.SIGINT])
def test_inside_a_compile_the_process_leaves_at_once(number: signal.Signals) -> None:
    code, out, seconds = signalled(COMPILE, number)
    assert (code, out) == (75, 'ended at once\n')
    assert seconds < 5


@pytest.mark.parametrize('number', [signal.SIGTERM, signal.SIGINT])
def test_where_a_step_can_end_it_ends(number: signal.Signals) -> None:
    code, out, _ = signalled(GRACEFUL, number)
    assert (code, out) == (75, 'ended True\n')


def test_a_second_signal_leaves_at_once() -> None:
    code, out, seconds = signalled(STUBBORN, signal.SIGTERM, times=2)
    assert (code, out) == (75, 'ended at once\n')
    assert seconds < 5


@pytest.mark.parametrize('number', [signal.SIGTERM, signal.SIGINT])
def test_once_all_is_saved_a_signal_changes_nothing(number: signal.Signals) -> None:
    ignoring = "signals.ignore(); print('ready', flush=True); time.sleep(1)"
    assert signalled(ignoring, number)[:2] == (0, 'ended False\n')


def test_after_the_end_a_signal_changes_nothing_any_more() -> None:
    """The interpreter takes a moment to leave: exit code and files say that the run has finished."""
    program = """
import time
from engine.runs.signals import Signals
with Signals(process_ends=True):
    pass
print('ready', flush=True)
time.sleep(0.5)
"""
    with subprocess.Popen([sys.executable, '-c', program], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        process.stdout.readline()
        for number in (signal.SIGTERM, signal.SIGINT):
            process.send_signal(number)
        assert process.wait(timeout=30) == 0
