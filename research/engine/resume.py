"""From which step a run goes on: the newest whose checkpoint, logs and best checkpoint are whole.

What is lost or damaged comes out the same when it is done again. So an earlier step always serves, in the end
the very start.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from research.engine import logs
from research.engine.checkpoints import Checkpoints
from research.engine.journal import Direction, best_step, digests
from research.engine.logs import logger


def step(folder: Path, checkpoints: Checkpoints, best: tuple[str, Direction] | None) -> int:
    """Returns the step to go on from, 0 for the start.

    Args:
      folder: `logs/` of the run.
      checkpoints: of the run; those that are damaged are already set aside.
      best: (metric, direction) that chooses the best checkpoint.
    """
    evaluations = logs.read(folder / 'val.jsonl')
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


def _has_best(
    step: int, evaluations: Sequence[Mapping[str, Any]], best: tuple[str, Direction], saved: Sequence[int]
) -> bool:
    """Whether the best checkpoint up to a step is saved, or a later one, which will be better again."""
    needed = best_step([line for line in evaluations if line['step'] <= step], *best)
    return needed is None or any(each == needed or each > step for each in saved)
