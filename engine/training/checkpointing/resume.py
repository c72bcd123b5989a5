"""The step from which a run resumes: the newest whose checkpoint, logs and best checkpoint are intact.

Lost or damaged steps are recomputed and come out the same. So any earlier step serves, in the end step 0.
"""

import shutil
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from engine import outputs
from engine.errors import UserError
from engine.outputs.manifest import read_manifest
from engine.runs import checksums, json_lines
from engine.runs.text_log import logger
from engine.training.checkpointing import state_layout
from engine.training.checkpointing.checkpoints import CHECKPOINT_KINDS, Checkpoints
from engine.training.checkpointing.tidying import saved_folders
from engine.training.logs.metric_log import BEST, BLOCK, digests, has_last_line
from engine.training.observers import pictures

LOGS = ('train.jsonl', 'val.jsonl', 'performance.jsonl')


def step(folder: Path, checkpoints: Checkpoints, steps: int) -> int:
    """Returns the step to resume from; 0 starts from the beginning.

    Args:
      folder: `logs/` of the run.
      checkpoints: of the run, without damaged ones.
      steps: of the whole training; there may be later checkpoints if the config asked for more before.
    """
    candidates = [saved for saved in checkpoints.steps('latest') if saved <= steps]
    unchanged = _unchanged(folder, {saved: checkpoints.metadata('latest', saved) for saved in candidates})
    for candidate in candidates:
        if candidate not in unchanged:
            logger.warning(
                'The logs up to step %d have changed since it was saved: trying an earlier checkpoint.',
                candidate,
            )
        elif not _has_best(candidate, best_step(checkpoints, candidate), checkpoints.steps('best')):
            logger.warning(
                'The best checkpoint up to step %d is lost: trying an earlier checkpoint.', candidate
            )
        else:
            logger.info('Resuming after step %d.', candidate)
            return candidate
    if any(json_lines.lines(folder / 'train.jsonl')):
        logger.warning('No checkpoint is left to resume from: the run begins again at step 0.')
    _forget(folder)
    return 0


def _forget(folder: Path) -> None:
    """Drops the logs and pictures of a run that begins again, step 0 and the logs of observers included."""
    for log in folder.glob('*.jsonl'):
        json_lines.JsonLines(log, step=-1).close()
    pictures.discard_after(folder.parent, -1)


def check_fits(run: Path, shapes: Any) -> None:
    """Raises `UserError` if the newest undamaged checkpoint of a run does not fit the present state.

    Restoring checks this too. This check comes before anything is written, discarded or compiled.

    Args:
      run: its folder.
      shapes: the state that the present code makes, as shapes and dtypes.
    """
    newest_first = sorted(saved_folders(run / 'checkpoints', 'latest'), key=_step_of, reverse=True)
    undamaged = next((folder for folder in newest_first if not checksums.damage(folder)), None)
    if undamaged:
        state_layout.check_same(undamaged, shapes)


def best_step(checkpoints: Checkpoints, step: int) -> int | None:
    """Returns the step of the best evaluation up to a step that is 0 or saved; None if there is none."""
    known = _record(checkpoints, step)
    return int(known[BEST]) if known.get(BEST) else None


def open_block(checkpoints: Checkpoints, step: int) -> str:
    """Returns the record of the log's open block at a step that is 0 or saved; '' if the block is empty."""
    return _record(checkpoints, step).get(BLOCK, '')


def pictures_step(checkpoints: Checkpoints, step: int) -> int | None:
    """Returns the step of the newest pictures at a step that is 0 or saved; None if there are none."""
    known = _record(checkpoints, step).get(pictures.RECORD)
    return int(known) if known else None


def discard_later(run: Path, steps: int) -> int:
    """Discards everything after the step from which a run resumes, because it resumes with changes.

    This concerns checkpoints, best ones too, lines of the logs, pictures, and outputs. If the best checkpoint
    up to that step is lost, the next evaluation makes a new one.

    Args:
      run: its folder.
      steps: of the whole training.

    Returns:
      The step.
    """
    with Checkpoints(run / 'checkpoints') as checkpoints:
        start = step(run / 'logs', checkpoints, steps)
        best = best_step(checkpoints, start)
        if best is not None and best not in checkpoints.steps('best'):
            checkpoints.change_metadata('latest', start, **{BEST: ''})  # first: a kill may come in between
        checkpoints.discard_after(start if start in checkpoints.steps('latest') else -1)
    for log in LOGS:
        json_lines.JsonLines(run / 'logs' / log, start).close()
    pictures.discard_after(run, start)
    for folder in (run / 'outputs').glob('*'):
        with suppress(UserError):  # no outputs, or damaged ones
            if (read_manifest(folder).step or 0) > start:
                shutil.rmtree(folder)
    logger.info('Everything after step %d was discarded, because the run resumes with changes.', start)
    return start


def damage(run: Path, predicted: Iterable[str]) -> str:
    """Returns what is damaged among a finished run's checkpoints, logs and predictions; '' if nothing is.

    Args:
      run: its folder.
      predicted: the splits whose predictions it has.
    """
    for kind in CHECKPOINT_KINDS:
        for folder in saved_folders(run / 'checkpoints', kind):
            if problem := checksums.damage(folder):
                return f'{folder}: {problem}'
    latest = max(saved_folders(run / 'checkpoints', 'latest'), key=_step_of, default=None)
    if latest and not _are_complete(run / 'logs', int(latest.name), checksums.metadata(latest)):
        return f'{run / "logs"}: the logs have changed since step {latest.name} was saved'
    for split in predicted:
        try:
            outputs.read(run / 'outputs' / split)
        except UserError as error:
            return str(error)
    return ''


def _step_of(folder: Path) -> int:
    return int(folder.name)


def _record(checkpoints: Checkpoints, step: int) -> Mapping[str, str]:
    return checkpoints.metadata('latest', step) if step in checkpoints.steps('latest') else {}


def _unchanged(logs: Path, records: Mapping[int, Mapping[str, str]]) -> set[int]:
    """Returns the steps up to which the logs are those that their checkpoints recorded."""
    return {step for step, found in digests(logs, records).items() if found.items() <= records[step].items()}


def _are_complete(logs: Path, step: int, record: Mapping[str, str]) -> bool:
    """Whether the logs of a finished training are those that its last checkpoint recorded."""
    return step in _unchanged(logs, {step: record}) and has_last_line(logs, step, record)


def _has_best(step: int, needed: int | None, saved: Sequence[int]) -> bool:
    """Whether the best checkpoint up to a step is saved, or a later one, which the run will reach again."""
    return needed is None or any(number == needed or number > step for number in saved)
