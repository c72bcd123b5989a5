"""One run that meets faults, and the promises that it is checked against."""

import contextlib
import json
import os
import random
import re
import signal
import subprocess
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from benchmarks.faults.training_process import ProcessResult, TrainingStarter, differences, wait_for_result
from engine.errors import EXIT_FINISHED, EXIT_INTERRUPTED

EXIT_KILLED = -signal.SIGKILL
EXIT_STOPPED = (EXIT_INTERRUPTED, -signal.SIGINT)  # by Ctrl-C, a run ends as if it had no handler


@dataclass
class FaultCase:
    """A run that meets faults, and what was observed.

    Attributes:
      name: the kind of fault, a row of the table.
      starter: starts the trainings.
      reference: the folder of the undisturbed run.
      run: the folder of this run.
      faults: number of faults that hit.
      differing: files and checkpoints that differ from the reference at the end.
      tracebacks: printed texts that contain a traceback.
      hangs: number of processes that hung.
      broken: descriptions of other broken promises.
      stop_seconds: for each signal, the seconds until the process ended.
    """

    name: str
    starter: TrainingStarter
    reference: Path
    run: Path
    faults: int = 0
    differing: list[str] = field(default_factory=list)
    tracebacks: list[str] = field(default_factory=list)
    hangs: int = 0
    broken: list[str] = field(default_factory=list)
    stop_seconds: list[float] = field(default_factory=list)

    def record(self) -> dict[str, Any]:
        """Returns the kind of fault and what was observed, as JSON."""
        places = ('starter', 'reference', 'run')
        return {item.name: getattr(self, item.name) for item in fields(self) if item.name not in places}

    def check(self, result: ProcessResult, *codes: int, message: str = '') -> None:
        """Records what is wrong with the result of a process.

        Args:
          result: of the process.
          codes: the allowed exit codes.
          message: a regular expression that must match in the printed text.
        """
        self.hangs += result.hung
        self.tracebacks += [result.text[-3000:]] if 'Traceback' in result.text else []
        if result.code not in codes:
            self.broken.append(f'the exit code is {result.code}, not one of {codes}: {result.text[-600:]}')
        if not re.search(message, result.text):
            self.broken.append(f'the message {message!r} is missing: {result.text[-600:]}')

    def train(
        self,
        *codes: int,
        fault: str = '',
        message: str = '',
        prefix: Sequence[str] = (),
        is_fault: bool = True,
    ) -> ProcessResult:
        """Trains, checks the result and counts the fault.

        Args:
          codes: the allowed exit codes.
          fault: the point at which the process is killed, such as 'save@2'.
          message: a regular expression that must match in the printed text.
          prefix: a command that runs the training.
          is_fault: whether this training meets a fault; one that only resumes does not.
        """
        result = self.starter.train(self.run, fault=fault, prefix=prefix)
        self.faults += is_fault
        self.check(result, *codes, message=message)
        return result

    def stop(self, process: 'subprocess.Popen[str]', *signals: int) -> None:
        """Sends signals to a process and checks its result. If it had just finished, no fault is counted."""
        since = time.monotonic()
        for number in signals:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, number)
            time.sleep(0.3 * (len(signals) > 1))  # those that come at once count as one
        result = wait_for_result(process, since)
        self.faults += result.code in EXIT_STOPPED
        self.stop_seconds.append(result.seconds)
        self.check(result, *EXIT_STOPPED, EXIT_FINISHED)

    def finish(self, message: str = '') -> None:
        """Resumes the run with the same command and without faults, then compares it with the reference."""
        self.train(EXIT_FINISHED, message=message, is_fault=False)
        self.compare()

    def compare(self) -> None:
        """Compares the run, which should have finished, with the reference."""
        state = json.loads((self.run / 'status.json').read_text()).get('state')
        if state != 'finished':
            self.broken.append(f'the state in status.json is {state!r}, not finished')
        else:
            self.differing += differences(self.reference, self.run)


# A fault happens to the run of a case. It draws everything random from the generator.
Fault = Callable[[FaultCase, random.Random], None]
