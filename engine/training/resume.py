"""The step from which a run continues: the newest whose checkpoint, logs and best checkpoint are intact.

Lost or damaged steps are recomputed and come out the same. So any earlier step serves, in the end step 0.
"""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from engine import outputs
from engine.errors import UserError
from engine.runs import checksums, json_lines
from engine.runs.text_log import logger
from engine.training.checkpoints import CHECKPOINT_KINDS, Checkpoints
from engine.training.metric_log import Direction, best_step, digests


def step(folder: Path, checkpoints: Checkpoints, best: tuple[str, Direction] | None) -> int:
    """Returns the step to continue from; 0 starts from the beginning.

    Args:
      folder: `logs/` of the run.
      checkpoints: of the run, without damaged ones.
      best: (metric, direction) that chooses the best checkpoint.
    """
    evaluations = json_lines.read(folder / 'val.jsonl')
    for candidate in checkpoints.steps('latest'):
        if checkpoints.metadata('latest', candidate) != digests(folder, candidate):
            logger.warning(
                'The logs up to step %d have changed since it was saved: trying an earlier checkpoint.',
                candidate,
            )
        elif best and not _has_best(candidate, evaluations, best, checkpoints.steps('best')):
            logger.warning(
                'The best checkpoint up to step %d is lost: trying an earlier checkpoint.', candidate
            )
        else:
            logger.info('Continuing after step %d.', candidate)
            return candidate
    return 0


def damage(run: Path, predicted: Iterable[str]) -> str:
    """Returns what is damaged among a finished run's checkpoints, logs and predictions; '' if nothing is.

    Args:
      run: its folder.
      predicted: the splits whose predictions it has.
    """
    for folder in run.glob('checkpoints/*/*'):
        is_checkpoint = folder.parent.name in CHECKPOINT_KINDS and folder.name.isdecimal()
        if is_checkpoint and (problem := checksums.damage(folder)):
            return f'{folder}: {problem}'
    latest = max((int(path.name) for path in run.glob('checkpoints/latest/*')), default=None)
    if latest and checksums.metadata(run / 'checkpoints' / 'latest' / str(latest)) != digests(
        run / 'logs', latest
    ):
        return f'{run / "logs"}: the logs have changed since step {latest} was saved'
    for split in predicted:
        try:
            outputs.read(run / 'outputs' / split)
        except UserError as error:
            return str(error)
    return ''


def _has_best(
    step: int, evaluations: Sequence[Mapping[str, Any]], best: tuple[str, Direction], saved: Sequence[int]
) -> bool:
    """Whether the best checkpoint up to a step is saved, or a later one, which the run will reach again."""
    needed = best_step([line for line in evaluations if line['step'] <= step], *best)
    return needed is None or any(number == needed or number > step for number in saved)
