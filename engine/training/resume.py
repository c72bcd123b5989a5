"""From which step a run goes on: the newest whose checkpoint, logs and best checkpoint are whole.

What is lost or damaged comes out the same when it is done again. So an earlier step always serves, in the end
the very start.
"""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from engine.errors import UserError
from engine.outputs import outputs
from engine.runs import checksums, json_lines
from engine.runs.text_log import logger
from engine.training.checkpoints import KINDS, Checkpoints
from engine.training.metric_log import Direction, best_step, digests


def step(folder: Path, checkpoints: Checkpoints, best: tuple[str, Direction] | None) -> int:
    """Returns the step to go on from, 0 for the start.

    Args:
      folder: `logs/` of the run.
      checkpoints: of the run; those that are damaged are already set aside.
      best: (metric, direction) that chooses the best checkpoint.
    """
    evaluations = json_lines.read(folder / 'val.jsonl')
    for candidate in checkpoints.steps('latest'):
        if checkpoints.notes('latest', candidate) != digests(folder, candidate):
            logger.warning(
                'the logs up to step %d are not those it was saved with: going further back', candidate
            )
        elif best and not _has_best(candidate, evaluations, best, checkpoints.steps('best')):
            logger.warning('the best checkpoint up to step %d is lost: going further back', candidate)
        else:
            logger.info('going on after step %d', candidate)
            return candidate
    return 0


def damage(run: Path, predicted: Iterable[str]) -> str:
    """Returns what is damaged of a finished run's checkpoints, logs and predictions, '' if nothing is.

    Args:
      run: its folder.
      predicted: the splits whose predictions it has.
    """
    for folder in run.glob('checkpoints/*/*'):
        found = checksums.damage(folder) if folder.parent.name in KINDS and folder.name.isdecimal() else ''
        if found:
            return f'{folder}: {found}'
    latest = max((int(path.name) for path in run.glob('checkpoints/latest/*')), default=None)
    if latest and checksums.notes(run / 'checkpoints' / 'latest' / str(latest)) != digests(
        run / 'logs', latest
    ):
        return f'{run / "logs"}: they are not those that step {latest} was saved with'
    for split in predicted:
        try:
            outputs.read(run / 'outputs' / split)
        except UserError as error:
            return str(error)
    return ''


def _has_best(
    step: int, evaluations: Sequence[Mapping[str, Any]], best: tuple[str, Direction], saved: Sequence[int]
) -> bool:
    """Whether the best checkpoint up to a step is saved, or a later one, which will be better again."""
    needed = best_step([line for line in evaluations if line['step'] <= step], *best)
    return needed is None or any(each == needed or each > step for each in saved)
