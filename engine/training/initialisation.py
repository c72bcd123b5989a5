"""The first state of a run: initialised, or with trained variables (`Trainer.init_from`).

Only a run that begins at step 0 needs the source of the variables. Its checkpoint of step 0 holds them, so
the source may be deleted afterwards.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from engine.errors import UserError
from engine.interfaces import State
from engine.runs.environment import history
from engine.runs.text_log import logger
from engine.training.checkpointing.tidying import saved_folders
from engine.training.steps import StepFunctions
from engine.variables import VariableSource

RECORD = 'init_from'  # in environment.json
TABLE = Path('debug', 'init_from.txt')


def table(source: VariableSource | None, functions: StepFunctions, run: Path | None) -> str:
    """Returns the table of the variables that a run loads; '' if it loads none.

    Args:
      source: loads the trained variables; None initialises all.
      functions: the functions of the task.
      run: the folder of the run; None for a new run. A run with checkpoints needs no source.

    Raises:
      UserError: the source cannot be read, or does not fit the model.
    """
    if source is None or (run and saved_folders(run / 'checkpoints', 'latest')):
        return ''
    return f'Variables {source.check(functions.model_shapes)}'


def record(source: VariableSource | None) -> dict[str, Any]:
    """Returns what environment.json records of a source; raises `UserError` if the source is damaged."""
    return {RECORD: source.origin()} if source else {}


def first_state(source: VariableSource | None, functions: StepFunctions, run: Path) -> State:
    """Returns the state before the first step.

    Args:
      source: loads the trained variables; None initialises all.
      functions: the functions of the task.
      run: the folder of the run.

    Raises:
      UserError: the source is missing, does not fit the model, or has changed since the run began.
    """
    recorded = history.read(run / history.FILE).get(RECORD)
    if source and isinstance(recorded, dict):  # the record of the first process
        _check_unchanged(source, recorded, run)
    return functions.init(source)


def _check_unchanged(source: VariableSource, recorded: Mapping[str, Any], run: Path) -> None:
    needed = f'{run} has no checkpoint of step 0, so it needs the variables that it began with'
    try:
        present = source.origin()
    except UserError as error:
        raise UserError(f'{needed}. {error}') from error
    if present.get('sha256') != recorded.get('sha256'):
        raise UserError(
            f'{needed}, and {present.get("source")} has changed since: its sha256 differs. Restore it, or '
            'begin a new run.'
        )


def write_table(source: VariableSource | None, functions: StepFunctions, run: Path) -> None:
    """Writes the table of loaded variables into the log of a new run and into `debug/`."""
    if text := table(source, functions, None):
        logger.info(text)
        (run / TABLE).write_text(text, encoding='utf-8')
