"""Decides whether a run begins, continues or is refused.

The folder that the command line names decides:

| the folder           | its record against the command's      | decision                                  |
|----------------------|---------------------------------------|-------------------------------------------|
| none, or not a run   |                                       | a new run begins                          |
| a run                | config.gin was edited                 | refused                                   |
| a run                | other data                            | refused                                   |
| a run                | other config                          | refused; with --accept_changes it         |
|                      |                                       | continues with what lies later discarded  |
| a run                | more steps, or the same config        | the run continues                         |
| a finished run       | the same config, no file damaged      | there is nothing left to do               |
"""

from collections.abc import Callable, Mapping
from enum import Enum, auto
from pathlib import Path

from engine.errors import UserError
from engine.paths import check_folder
from engine.runs.run_folder import Run, RunData, is_run
from engine.runs.text_log import logger

STEPS = 'trainer.Trainer.steps'

Changes = Mapping[str, tuple[str, str]]


class Decision(Enum):
    """What happens to a run."""

    BEGIN = auto()
    CONTINUE = auto()
    CONTINUE_CHANGED = auto()
    NOTHING_LEFT = auto()


def existing_run(resume: str | None, folder: str | None) -> Run | None:
    """Returns the run that the command line asks to continue, None if a new run is to begin.

    Args:
      resume: the value of --resume.
      folder: the value of --run.

    Raises:
      UserError: there is no such run, or its config.gin was edited.
    """
    if resume and folder:
        raise UserError('--resume and --run both name a run. Pass only one of them.')
    for flag, value in (('--resume', resume), ('--run', folder)):
        _check_name(flag, value)
    name = resume or (folder if folder and is_run(Path(folder)) else None)
    if name is None:
        return None
    run = Run.find(name)
    run.check_config()
    return run


def _check_name(flag: str, value: str | None) -> None:
    if value == '':
        raise UserError(f'{flag} is empty. Name a folder, or leave the flag out.')
    check_folder(Path(value or '.').absolute(), f'{flag}={value}')


def decide(
    run: Run | None, data: RunData, changes: Changes, accept_changes: bool, damage: Callable[[Path], str]
) -> Decision:
    """Decides what happens to a run.

    Args:
      run: the existing run, None for a new one.
      data: the dataset that the command would train on.
      changes: (old, new) of each parameter that differs between the run's config and the command's.
      accept_changes: whether the user accepts changes.
      damage: describes the damaged files of a finished run in a folder, '' if there are none.

    Raises:
      UserError: the run began with other data, or with another config that is not accepted.
    """
    if run is None:
        return Decision.BEGIN
    run.check_data(data)
    if changes and not _are_more_steps(changes):
        _check_accepted(run, changes, accept_changes)
        return Decision.CONTINUE_CHANGED
    if changes or not run.is_finished:
        return Decision.CONTINUE
    if damaged := damage(run.folder):
        logger.warning('this run was finished and has been damaged since: %s', damaged)
        return Decision.CONTINUE
    return Decision.NOTHING_LEFT


def _are_more_steps(changes: Changes) -> bool:
    """Whether the number of steps is larger and nothing else has changed."""
    old_steps, new_steps = changes.get(STEPS, ('0', '0'))
    return len(changes) == 1 and int(new_steps) > int(old_steps)


def _check_accepted(run: Run, changes: Changes, accept_changes: bool) -> None:
    """Raises `UserError` with the changes unless the user accepts them."""
    if accept_changes:
        return
    lines = '\n'.join(f'  {name}: {old} -> {new}' for name, (old, new) in sorted(changes.items()))
    raise UserError(
        f'{run.folder} began with another config:\n{lines}\nContinue without --gin_file and --gin_bindings, '
        'begin a new run, or pass --accept_changes, which records the changes.'
    )
