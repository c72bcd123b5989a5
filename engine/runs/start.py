"""Decides whether a run begins, resumes or is refused.

The folder that the command line names decides:

| the folder           | its record against the command's      | decision                                  |
|----------------------|---------------------------------------|-------------------------------------------|
| none, or not a run   |                                       | a new run begins                          |
| a run                | config.gin was edited                 | refused                                   |
| a finished run       | the same config and data, undamaged   | there is nothing left to do               |
| a run that stopped   | more steps                            | there is nothing left to do               |
| a run                | other config, data, code, packages or | refused; with --accept_changes it         |
|                      | flags                                 | resumes; what came after is discarded     |
| a run                | another machine                       | resumes with a warning; with --strict     |
|                      |                                       | refused                                   |
| a run                | more steps, or the same config        | the run resumes                           |
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from enum import Enum, auto
from pathlib import Path

from engine.errors import UserError
from engine.paths import check_folder
from engine.runs.environment import history
from engine.runs.environment.differences import Differences
from engine.runs.run_folder import OF_EXPRESSION, OF_ORDER, Run, is_run
from engine.runs.safety import private
from engine.runs.text_log import logger

STEPS = 'trainer.Trainer.steps'


class Decision(Enum):
    """What happens to a run."""

    BEGIN = auto()
    RESUME = auto()
    RESUME_CHANGED = auto()
    NOTHING_LEFT = auto()


def existing_run(resume: str | None, folder: str | None) -> Run | None:
    """Returns the run that the command line asks to resume, None if a new run is to begin.

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
    private.check(Path(value or '.'))


def decide(
    run: Run | None,
    differences: Differences,
    accept_changes: bool,
    strict: bool,
    damage: Callable[[Path], str],
) -> Decision:
    """Decides what happens to a run.

    Args:
      run: the existing run, None for a new one.
      differences: what differs between the run's record and what the command would train with.
      accept_changes: whether the user accepts the differences.
      strict: whether another machine is refused too.
      damage: describes the damaged files of a finished run in a folder, '' if there are none.

    Raises:
      UserError: what differs may change numbers and is not accepted.
    """
    if run is None:
        return Decision.BEGIN
    is_stopped = bool(run.stopped) and _are_more_steps(differences)
    if run.is_finished and (is_stopped or not _needs_training(differences, accept_changes)):
        damaged = damage(run.folder)
        if not damaged:
            if is_stopped:
                _note_stop(run)
            else:
                _note(differences)
            return Decision.NOTHING_LEFT
        logger.warning('this run was finished and has been damaged since: %s', damaged)
    check(run, differences, accept_changes, strict)
    is_changed = bool(differences.numeric) and not _are_more_steps(differences)
    return Decision.RESUME_CHANGED if is_changed else Decision.RESUME


def check(run: Run, differences: Differences, accept_changes: bool, strict: bool) -> None:
    """Raises `UserError` if differences are neither accepted nor harmless.

    Args:
      run: the run that resumes or predicts.
      differences: between its record and the present.
      accept_changes: whether the user accepts them.
      strict: whether another machine is refused too.
    """
    are_harmless = not differences.numeric or _are_more_steps(differences)
    if not accept_changes and (not are_harmless or (strict and differences.machine)):
        raise UserError(_refusal(run, differences))


@contextmanager
def explained(run: Run | None, compare: Callable[[Run], Differences], accept_changes: bool) -> Iterator[None]:
    """Names differences that are not accepted if what a run describes cannot be built.

    Another flag, package or version of the code is then the likely cause.

    Args:
      run: the run, None for a new one.
      compare: compares what needs nothing built.
      accept_changes: whether the user accepts differences.

    Raises:
      UserError: something cannot be built, and what may change numbers differs.
    """
    try:
        yield
    except Exception as error:
        if run and not accept_changes and (differences := compare(run)).numeric:
            raise UserError(_refusal(run, differences)) from error
        raise


def warnings(differences: Differences) -> list[str]:
    """Returns what is worth a warning although nothing is refused."""
    lines = [f'warning: {differences.unknown}.'] if differences.unknown else []
    if differences.machine:
        machine = Differences(machine=differences.machine).lines()
        shown = '; '.join(line.removeprefix('machine: ') for line in machine)
        lines.append(f'warning: another machine may change the last bits. {shown}. --strict refuses it.')
    return lines


def _needs_training(differences: Differences, accept_changes: bool) -> bool:
    """Whether a finished run is to resume with changes."""
    return bool(differences.numeric.keys() & {'config', 'data'} or (differences.numeric and accept_changes))


def _note(differences: Differences) -> None:
    """Notes that a finished run was trained with other code, packages or flags."""
    lines = Differences(differences.numeric).lines()
    if lines:
        logger.warning('note: what this run was trained with has changed since. %s', '; '.join(lines))


def _note_stop(run: Run) -> None:
    logger.warning(
        'note: this run has %s. More steps do not change that. To resume it, change Trainer.stop and '
        'pass --accept_changes.',
        run.stopped,
    )


def _are_more_steps(differences: Differences) -> bool:
    """Whether the number of steps is larger and nothing else has changed."""
    config = differences.numeric.get('config', {})
    old_steps, new_steps = config.get(STEPS, ('0', '0'))
    return [*differences.numeric] == ['config'] and [*config] == [STEPS] and int(new_steps) > int(old_steps)


def _refusal(run: Run, differences: Differences) -> str:
    lines = ''.join(f'  {line}\n' for line in differences.lines())
    subjects = [*differences.numeric, *(['machine'] if differences.machine else [])]
    advice = ' '.join(_advice(run, subject, differences) for subject in subjects)
    return (
        f'{run.folder} has been trained with other {_listed(subjects)}:\n{lines}{advice} Or begin a new run, '
        'or pass --accept_changes, which records the changes. A training then discards the checkpoints '
        'after the step from which it resumes.'
    )


def _advice(run: Run, subject: str, differences: Differences) -> str:
    """Returns how to restore what the run was trained with."""
    changed = next(iter(differences.numeric.get('data', {})), '')
    recorded = history.latest(run.environment())
    version = history.version(recorded) or 'unknown'
    diff = f'uncommitted.diff of the run. {history.incomplete(recorded)}'.rstrip()
    return {
        'config': 'Leave out --gin_file and --gin_bindings.',
        'data': _advice_on_data(changed),
        'code': f'Restore the code: commit {version}; what follows a + is {diff}',
        'packages': 'Restore the packages: requirements.lock of the run lists them.',
        'flags': 'Restore the flags.',
        'machine': 'Leave out --strict.',
    }[subject]


def _advice_on_data(changed: str) -> str:
    """Returns how to restore data, from the name of what has changed first."""
    if changed.endswith(OF_EXPRESSION):
        return 'Restore the expression: its members are intact, or others have taken their places.'
    if changed.endswith(OF_ORDER):
        return f'Restore {changed.removesuffix(OF_ORDER)}.'
    return f'Restore the data: scripts/dataset.sh check {changed.partition(" ")[0]} reports what is wrong.'


def _listed(names: list[str]) -> str:
    return ' and '.join(filter(None, [', '.join(names[:-1]), names[-1]]))
