"""Signals, in processes of their own: handled at once, and gracefully where work is under way."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import pytest

from engine.runs.signals import STOP_SIGNALS
from engine.workspace import REPOSITORY

# The signal comes while `work` runs. A long call of C imitates compiling: no Python handler runs in it.
PROGRAM = """
import sys, time
from engine.commands import command_line
from engine.errors import Interrupted
from engine.runs.signals import Signals

def main(_):
  with Signals(process_ends=True) as signals:
    signals.before_exit = lambda: print('ended at once', flush=True)
    {work}
    print('saved' if signals.stop_requested() else 'finished', flush=True)
    if signals.stop_requested():
        raise Interrupted
    return 0

sys.argv[1:] = []
command_line.run(main, command_line.Parser('program.sh', '', ''))
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


CODES = dict.fromkeys(STOP_SIGNALS, 75) | {signal.SIGINT: -signal.SIGINT}  # a shell calls the latter 130


def signalled(
    work: str, *numbers: signal.Signals, pause: float = 0.3, prefix: Sequence[str] = ()
) -> tuple[int, str, float]:
    """Returns (exit code, what was printed, seconds from the first signal to the end)."""
    command = [*prefix, sys.executable, '-c', PROGRAM.format(work=work)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        assert process.stdout.readline() == 'ready\n'
        began = time.monotonic()
        for number in numbers:
            process.send_signal(number)
            time.sleep(pause)
        out, _ = process.communicate(timeout=30)
    return process.returncode, out, time.monotonic() - began


@pytest.mark.parametrize('number', [signal.SIGTERM, signal.SIGINT])
def test_inside_a_compile_the_process_leaves_at_once(number: signal.Signals) -> None:
    code, out, seconds = signalled(COMPILE, number)
    assert (code, out) == (CODES[number], 'ended at once\n')
    assert seconds < 5


@pytest.mark.parametrize('number', STOP_SIGNALS)
def test_where_a_step_can_end_it_ends(number: signal.Signals) -> None:
    code, out, _ = signalled(GRACEFUL, number)
    assert (code, out) == (CODES[number], 'saved\n')


@pytest.mark.parametrize('second', [signal.SIGTERM, signal.SIGINT])
def test_a_second_signal_leaves_at_once(second: signal.Signals) -> None:
    code, out, seconds = signalled(STUBBORN, signal.SIGTERM, second)
    assert (code, out) == (CODES[second], 'ended at once\n')
    assert seconds < 5


SLOW_SAVE = GRACEFUL + '        time.sleep(0.5)\n        time.sleep(0.5)\n'


@pytest.mark.parametrize(
    ('numbers', 'pause'),
    [
        ((signal.SIGTERM, signal.SIGTERM), 0.02),  # `timeout`, to the process and to its group
        ((signal.SIGHUP, signal.SIGHUP), 0.3),  # a terminal that closes, by the kernel and by the shell
        ((signal.SIGUSR1, signal.SIGUSR1, signal.SIGXCPU), 0.3),
        ((signal.SIGTERM, signal.SIGHUP), 0.3),
    ],
)
def test_one_request_may_come_as_several_signals(numbers: tuple[signal.Signals, ...], pause: float) -> None:
    assert signalled(SLOW_SAVE, *numbers, pause=pause)[:2] == (75, 'saved\n')


def test_nohup_is_respected() -> None:
    work = "print('ready', flush=True); time.sleep(0.5)"
    assert signalled(work, signal.SIGHUP, prefix=['nohup'])[:2] == (0, 'finished\n')


def test_ctrl_c_ends_a_loop_of_a_shell(tmp_path: Path) -> None:
    """A shell goes on after an exit code, whichever it is."""
    program = tmp_path / 'program.py'
    program.write_text(PROGRAM.format(work=GRACEFUL))
    loop = f'for i in 1 2 3; do {sys.executable} {program}; done; echo survived'
    environment = os.environ | {'PYTHONPATH': str(REPOSITORY)}
    with subprocess.Popen(
        ['bash', '-c', loop], stdout=subprocess.PIPE, text=True, env=environment, start_new_session=True
    ) as shell:
        assert shell.stdout
        assert shell.stdout.readline() == 'ready\n'
        os.killpg(shell.pid, signal.SIGINT)  # as a terminal does
        assert shell.communicate(timeout=30)[0] == 'saved\n'
    assert shell.returncode == -signal.SIGINT


def test_sigquit_prints_all_stacks_and_ends_the_process() -> None:
    without_core = ['bash', '-c', 'ulimit -c 0; exec "$@"', 'bash']  # a core dump may take minutes
    command = [*without_core, sys.executable, '-c', PROGRAM.format(work=STUBBORN)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout
        process.stdout.readline()
        process.send_signal(signal.SIGQUIT)
        _, err = process.communicate(timeout=30)
    assert process.returncode == -signal.SIGQUIT
    assert 'Current thread' in err and '_listen' in err


def test_a_pause_changes_nothing() -> None:
    """Ctrl-Z and fg."""
    work = "print('ready', flush=True); time.sleep(0.5)"
    assert signalled(work, signal.SIGTSTP, signal.SIGCONT)[:2] == (0, 'finished\n')


@pytest.mark.parametrize('number', [signal.SIGTERM, signal.SIGINT])
def test_once_all_is_saved_a_signal_changes_nothing(number: signal.Signals) -> None:
    ignoring = "signals.ignore(); print('ready', flush=True); time.sleep(1)"
    assert signalled(ignoring, number)[:2] == (0, 'finished\n')


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
