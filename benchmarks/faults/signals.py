"""SIGKILL, SIGTERM and SIGINT, at random times and at named points of a training."""

import contextlib
import os
import random
import signal
import subprocess
import time

from benchmarks.faults.case import EXIT_KILLED, Fault, FaultCase
from benchmarks.faults.training_process import wait_for_result, wait_until_sigterm_is_handled
from engine.errors import EXIT_FINISHED, EXIT_INTERRUPTED


def kill_at_random(kills: int, seconds: float) -> Fault:
    """Kills the run several times, each time within `seconds` of its start."""

    def fault(case: FaultCase, generator: random.Random) -> None:
        for _ in range(kills):
            process, since = case.starter.start(case.run), time.monotonic()
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(generator.uniform(0, seconds))
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            result = wait_for_result(process, since)
            case.faults += result.code == EXIT_KILLED
            case.check(result, EXIT_KILLED, EXIT_FINISHED)
        case.finish()

    return fault


def kill_at(*points: str) -> Fault:
    """Kills the run at named points, one after the other."""

    def fault(case: FaultCase, generator: random.Random) -> None:
        for point in points:
            case.train(EXIT_KILLED, fault=point)
        case.finish()

    return fault


def stop_at_random(seconds: float, *signals: int) -> Fault:
    """Sends signals within `seconds` of the moment from which the process handles SIGTERM."""

    def fault(case: FaultCase, generator: random.Random) -> None:
        process = case.starter.start(case.run)
        wait_until_sigterm_is_handled(process)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(generator.uniform(0, seconds))
        case.stop(process, *signals)
        case.finish()

    return fault


def stop_at(point: str) -> Fault:
    """Sends SIGTERM at a named point. For `compile`, the compilation cache is off."""

    def fault(case: FaultCase, generator: random.Random) -> None:
        environment = {'JAX_ENABLE_COMPILATION_CACHE': 'false'} if point == 'compile' else {}
        process = case.starter.start(case.run, fault=f'{point}:SIGTERM', environment=environment)
        case.faults += 1
        # After `outputs` there may be nothing left to interrupt.
        case.check(wait_for_result(process, time.monotonic()), EXIT_INTERRUPTED, EXIT_FINISHED)
        case.finish()

    return fault
