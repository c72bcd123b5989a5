"""A second training in the same run folder, a clock set back, and a loss that is NaN."""

import json
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

from benchmarks.faults.case import EXIT_KILLED, Fault, FaultCase
from benchmarks.faults.training_process import wait_for_first_step, wait_for_result
from engine.errors import EXIT_FAILED, EXIT_FINISHED, EXIT_MISTAKE


def second_training(then: int) -> Fault:
    """Starts a second training of a run while the first is suspended; the second must be refused.

    Args:
      then: the signal that the first training gets afterwards, SIGCONT or SIGKILL.
    """

    def fault(case: FaultCase, generator: random.Random) -> None:
        first = case.starter.start(case.run)
        wait_for_first_step(case.run)
        os.killpg(first.pid, signal.SIGSTOP)
        case.train(EXIT_MISTAKE, message='is being trained by process')
        os.killpg(first.pid, then)
        code = EXIT_FINISHED if then == signal.SIGCONT else EXIT_KILLED
        case.check(wait_for_result(first, time.monotonic()), code)
        case.finish()

    return fault


def training_elsewhere(base: Path) -> Fault:
    """Resumes a run that trains on another machine, and again when the last heartbeat is a day old."""

    def fault(case: FaultCase, generator: random.Random) -> None:
        shutil.copytree(base, case.run)
        _change_status(case.run, state='running', host='elsewhere', heartbeat=_time_in(days=0))
        case.train(EXIT_MISTAKE, message='is being trained by process .* on elsewhere')
        _change_status(case.run, heartbeat=_time_in(days=-1))
        case.finish()

    return fault


def set_clock_back(base: Path) -> Fault:
    """Resumes a run whose times are all a year in the future."""

    def fault(case: FaultCase, generator: random.Random) -> None:
        shutil.copytree(base, case.run)
        _change_status(case.run, started=_time_in(days=365), heartbeat=_time_in(days=365))
        later = time.time() + 365 * 86400
        for path in case.run.rglob('*'):
            os.utime(path, (later, later))
        case.faults += 1
        case.finish()

    return fault


def _change_status(run: Path, **values: str) -> None:
    path = run / 'status.json'
    path.write_text(json.dumps(json.loads(path.read_text()) | values))


def _time_in(days: float) -> str:
    """Returns the time that many days from now, in the format of status.json."""
    return (datetime.now(UTC) + timedelta(days=days)).isoformat(timespec='seconds')


def nan_loss(case: FaultCase, generator: random.Random) -> None:
    """Trains with a learning rate that makes the loss NaN.

    The training must print one message and save everything that repeats the step.
    """
    learning_rate = '--gin_bindings=LEARNING_RATE = 1e30'
    process = case.starter.start(case.run, learning_rate)
    case.faults += 1
    result = wait_for_result(process, time.monotonic())
    case.check(result, EXIT_FAILED, message=r'error: step \d+: \w+ is (nan|inf)')
    folder = case.run / 'debug' / 'nonfinite'
    for name in ('batch.npz', 'state.npz', 'replay.py'):
        if not (folder / name).is_file():
            case.broken.append(f'debug/nonfinite has no {name}')
    replay = subprocess.run(
        [sys.executable, folder / 'replay.py'], capture_output=True, text=True, check=False
    )
    if not re.search(r'FloatingPointError: .*(nan|inf)', replay.stderr):
        case.broken.append(f'replay.py does not print the origin of the NaN: {replay.stderr[-600:]}')
