"""A training in a process of its own, from the code in some folder."""

import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from engine.errors import EXIT_FINISHED, EXIT_INTERRUPTED, Interrupted, UserError
from engine.reproduction.interpreter import Interpreter
from engine.runs.run_folder import Run

PROGRAM = 'engine.commands.train'


class NothingTrainedError(Exception):
    """A training failed before its first step; the message says why."""


@dataclass(frozen=True)
class Recipe:
    """What to train, and with which code.

    Attributes:
      root: the folder that holds `engine/`.
      interpreter: the Python that trains.
      config: a config.gin.
      until: the step after which the training pauses, None to train to the end.
      processes: number of processes.
    """

    root: Path
    interpreter: Interpreter
    config: Path
    until: int | None
    processes: int = 1


def train(recipe: Recipe, run: Path, bindings: Sequence[str] = ()) -> str:
    """Trains in a new run folder, or resumes the training there. Its progress goes to stderr.

    Args:
      recipe: what to train.
      run: the run folder.
      bindings: Gin statements on top of the config.

    Returns:
      How the training ended if it failed after it had logged steps; '' if it did not fail.

    Raises:
      NothingTrainedError: the training failed before it logged a step.
      Interrupted: a signal stopped the training.
      UserError: the code is too old to pause after a step.
    """
    flags = [f'--gin_file={recipe.config}', f'--run={run}', *(f'--gin_bindings={text}' for text in bindings)]
    if recipe.until is not None:
        _check_pauses(recipe.root)
        flags.append(f'--until={recipe.until}')
    command, variables = recipe.interpreter.command(
        recipe.root, PROGRAM, *flags, f'--processes={recipe.processes}'
    )
    code = _exit_code(command, variables)
    if code == EXIT_INTERRUPTED:
        raise Interrupted
    if code == EXIT_FINISHED:
        return ''
    log = run / 'logs' / 'train.jsonl'
    if not (log.is_file() and log.stat().st_size):
        raise NothingTrainedError(_reason(command, variables) or f'it ended with exit code {code}')
    error = str(Run(run).status().get('error', '')).removeprefix('RunError: ').rstrip('.')
    return f'the repeated training failed: {error or f"exit code {code}"}'


def _exit_code(command: Sequence[str], variables: Mapping[str, str]) -> int:
    """Runs a program. If this process is asked to stop, so is the program, which starts processes itself."""
    with subprocess.Popen(command, env=variables, stdout=sys.stderr.fileno()) as process:
        try:
            return process.wait()
        except BaseException:
            process.terminate()
            process.wait()
            raise


def _reason(command: Sequence[str], variables: Mapping[str, str]) -> str:
    """Starts a training that fails at once again, to read the last line of what it says."""
    again = subprocess.run(
        [*command, '--dry_run'], env=variables, capture_output=True, text=True, check=False
    )
    lines = again.stderr.strip().splitlines() if again.returncode else []
    return next((line.removeprefix('error: ') for line in lines if line.startswith('error: ')), '')


def _check_pauses(root: Path) -> None:
    program = root / 'engine' / 'commands' / 'train.py'
    if program.is_file() and '--until' not in program.read_text(encoding='utf-8', errors='replace'):
        raise UserError(
            'the code of this run cannot pause after a step: its train.py has no --until. Leave out '
            '--steps to repeat the whole run.'
        )
