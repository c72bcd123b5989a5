"""Training processes: how to start them, wait for them, and compare their runs."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from engine.stored_trees import tree
from engine.workspace import REPOSITORY

HANG_SECONDS = 120.0  # a process that takes longer counts as hanging

# The config has batch normalisation, dropout and augmentation. Steps save, evaluate, or
# do both. The run keeps a best checkpoint.
CONFIG = """
include '{repository}/configs/digits_cnn.gin'
from __gin__ import dynamic_registration
from engine.training import trainer
from research.models import convnet

STEPS = 80              # steps; an epoch is 19.6
BATCH_SIZE = 64         # examples
convnet.ConvNet.width = 4
trainer.Trainer.save_every = 13
"""


@dataclass(frozen=True)
class ProcessResult:
    """How a process ended.

    Attributes:
      code: its exit code; -9 if SIGKILL ended it.
      seconds: from its start, or from the signal that was sent to it, to its end.
      text: everything that it printed.
      hung: whether it took too long and was killed.
    """

    code: int
    seconds: float
    text: str
    hung: bool


def wait_for_result(process: 'subprocess.Popen[str]', since: float) -> ProcessResult:
    """Waits until a process ends, and kills it if it hangs.

    Args:
      process: to wait for.
      since: the time of `time.monotonic` from which the seconds of the result count.
    """
    hung = False
    try:
        text, _ = process.communicate(timeout=HANG_SECONDS)
    except subprocess.TimeoutExpired:
        hung = True
        os.killpg(process.pid, signal.SIGKILL)
        text, _ = process.communicate()
    return ProcessResult(process.returncode, time.monotonic() - since, text, hung)


def handles_sigterm(process: 'subprocess.Popen[str]') -> bool:
    """Whether a process has installed its handler of SIGTERM."""
    try:
        lines = Path(f'/proc/{process.pid}/status').read_text().splitlines()
    except OSError:
        return False
    caught = next((line.split()[1] for line in lines if line.startswith('SigCgt')), '0')
    return bool(int(caught, 16) >> (signal.SIGTERM - 1) & 1)


def wait_until_sigterm_is_handled(process: 'subprocess.Popen[str]') -> None:
    """Waits until a process handles SIGTERM. Before that, SIGTERM kills it, and no work is lost."""
    while process.poll() is None and not handles_sigterm(process):
        time.sleep(0.005)


def wait_for_first_step(run: Path) -> None:
    """Waits until a run has logged a step, but no longer than a process may hang."""
    log, deadline = run / 'logs' / 'train.jsonl', time.monotonic() + HANG_SECONDS
    while not (log.exists() and log.stat().st_size) and time.monotonic() < deadline:
        time.sleep(0.01)


@dataclass(frozen=True)
class TrainingStarter:
    """Starts trainings of one config.

    Args:
      folder: for the config and temporary files; the runs may lie here, too.
      bindings: Gin bindings that override the config.
    """

    folder: Path
    bindings: Sequence[str] = field(default=())

    def __post_init__(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        self.config.write_text(CONFIG.format(repository=REPOSITORY), encoding='utf-8')

    @property
    def config(self) -> Path:
        """The Gin file of all trainings."""
        return self.folder / 'torture.gin'

    def start(
        self,
        run: Path,
        *arguments: str,
        fault: str = '',
        prefix: Sequence[str] = (),
        terminal: int | None = None,
        environment: Mapping[str, str] | None = None,
    ) -> 'subprocess.Popen[str]':
        """Starts or resumes the training of a run folder. The command is the same for both.

        Args:
          run: the run folder.
          arguments: more arguments of the training.
          fault: the point at which the process is killed, such as 'save@2'.
          prefix: a command that runs the training, such as `nsenter` with its options.
          terminal: the training reads from this terminal and prints to it. The prefix begins its session.
          environment: more environment variables.
        """
        program = [sys.executable, '-m', 'engine.commands.train', f'--gin_file={self.config}', f'--run={run}']
        bindings = [f'--gin_bindings={binding}' for binding in self.bindings]
        return subprocess.Popen(
            [*prefix, *program, *bindings, *arguments],
            cwd=REPOSITORY,
            # A killed process leaves its temporary files behind. They are deleted with the folder.
            env={**os.environ, 'FAULT': fault, 'TMPDIR': str(self.folder), **(environment or {})},
            stdin=subprocess.DEVNULL if terminal is None else terminal,
            stdout=subprocess.PIPE if terminal is None else terminal,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=terminal is None,
        )

    def train(self, run: Path, *arguments: str, fault: str = '', prefix: Sequence[str] = ()) -> ProcessResult:
        """Starts or resumes the training of a run folder, and waits until it ends."""
        since = time.monotonic()
        return wait_for_result(self.start(run, *arguments, fault=fault, prefix=prefix), since)


def differences(one: Path, other: Path) -> list[str]:
    """Returns the logs, checkpoints and outputs in which two finished runs are not equal to the bit."""
    files = ['logs/train.jsonl', 'logs/val.jsonl', *_output_files(one)]
    differing = [file for file in files if _content(one / file) != _content(other / file)]
    kinds = [kind for kind in ('latest', 'best') if _arrays(one, kind) != _arrays(other, kind)]
    return differing + [f'checkpoints/{kind}' for kind in kinds]


def _output_files(run: Path) -> list[str]:
    """Returns the files of the outputs. Manifests are left out: each names its run."""
    files = (path for path in sorted(run.glob('outputs/*/*')) if path.name != 'manifest.json')
    return [path.relative_to(run).as_posix() for path in files]


def _content(path: Path) -> bytes | None:
    return path.read_bytes() if path.is_file() else None


def _arrays(run: Path, kind: str) -> dict[str, bytes]:
    """Returns the bytes of each array of the newest checkpoint of a kind, by step and name."""
    folder = max((run / 'checkpoints' / kind).glob('*'), key=lambda path: int(path.name))
    shapes = tree.stored_shapes(folder / tree.ITEM)
    arrays = tree.restored(folder / tree.ITEM, shapes)
    return {f'{folder.name}/{path}': array.tobytes() for path, array in arrays.items()}
