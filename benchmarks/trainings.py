"""Trainings as processes of their own: started, awaited, compared with one that nothing happened to."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import jax
import numpy as np
import orbax.checkpoint as ocp

from engine.workspace import REPOSITORY

HANGS = 120.0  # seconds after which a process is taken to hang

# Batch normalisation, dropout and augmentation; evaluations, saves and their coincidences; a best checkpoint.
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
class Ending:
    """How a process ended.

    Attributes:
      code: its exit code, -9 if SIGKILL has ended it.
      seconds: it took, from the start or from the signal that was sent.
      text: all that it printed.
      hung: whether it had to be killed.
    """

    code: int
    seconds: float
    text: str
    hung: bool


def ending(process: 'subprocess.Popen[str]', since: float) -> Ending:
    """Waits for a process; `since` is a time of `time.monotonic`."""
    hung = False
    try:
        text, _ = process.communicate(timeout=HANGS)
    except subprocess.TimeoutExpired:
        hung = True
        os.killpg(process.pid, signal.SIGKILL)
        text, _ = process.communicate()
    return Ending(process.returncode, time.monotonic() - since, text, hung)


def listens(process: 'subprocess.Popen[str]') -> bool:
    """Whether a process has begun to listen for SIGTERM."""
    try:
        lines = Path(f'/proc/{process.pid}/status').read_text().splitlines()
    except OSError:
        return False
    caught = next((line.split()[1] for line in lines if line.startswith('SigCgt')), '0')
    return bool(int(caught, 16) >> (signal.SIGTERM - 1) & 1)


def wait_until_it_listens(process: 'subprocess.Popen[str]') -> None:
    """Returns when signals are heard; before that a program can only be killed, which loses nothing."""
    while process.poll() is None and not listens(process):
        time.sleep(0.005)


@dataclass(frozen=True)
class Laboratory:
    """A folder for trainings of one config.

    Args:
      folder: for all of it.
      bindings: that differ from the config.
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
        self, run: Path, *arguments: str, fault: str = '', inside: Sequence[str] = (), **environment: str
    ) -> 'subprocess.Popen[str]':
        """Starts a training of a run folder, or goes on with it: the command is the same.

        Args:
          run: its folder.
          arguments: besides those that name config and run.
          fault: the point at which it is hit, such as 'save@2'.
          inside: a command that runs the training in its own surroundings.
          environment: variables that are set.
        """
        given = [f'--gin_bindings={each}' for each in self.bindings]
        program = [
            sys.executable, '-m', 'engine.commands.train', f'--gin_file={self.config}', f'--run={run}', *given
        ]  # fmt: skip
        return subprocess.Popen(
            [*inside, *program, *arguments],
            cwd=REPOSITORY,
            # What a killed process leaves behind of temporary files goes with the folder.
            env=os.environ | {'FAULT': fault, 'TMPDIR': str(self.folder)} | environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )

    def train(self, run: Path, *arguments: str, fault: str = '', inside: Sequence[str] = ()) -> Ending:
        """Starts a training and waits for its end."""
        since = time.monotonic()
        return ending(self.start(run, *arguments, fault=fault, inside=inside), since)


def differing(one: Path, other: Path) -> list[str]:
    """Returns what of two finished runs is not the same to the bit: logs, checkpoints, predictions."""
    files = ['logs/train.jsonl', 'logs/val.jsonl', *_predicted(one)]
    differ = [file for file in files if _bytes(one / file) != _bytes(other / file)]
    kinds = [kind for kind in ('latest', 'best') if _arrays(one, kind) != _arrays(other, kind)]
    return differ + [f'checkpoints/{kind}' for kind in kinds]


def _predicted(run: Path) -> list[str]:
    """Returns the files of predictions; a manifest is not one of them, for it names its run."""
    files = (path for path in sorted(run.glob('outputs/*/*')) if path.name != 'manifest.json')
    return [path.relative_to(run).as_posix() for path in files]


def _bytes(path: Path) -> bytes | None:
    return path.read_bytes() if path.is_file() else None


def _arrays(run: Path, kind: str) -> dict[str, bytes]:
    """Returns the arrays of the newest checkpoint of a kind, by step and name."""
    folder = max((run / 'checkpoints' / kind).glob('*'), key=lambda path: int(path.name))
    with ocp.StandardCheckpointer() as checkpointer:
        tree = checkpointer.restore(folder / 'default')
    leaves = jax.tree_util.tree_flatten_with_path(tree)[0]
    return {f'{folder.name}{jax.tree_util.keystr(path)}': np.asarray(leaf).tobytes() for path, leaf in leaves}
