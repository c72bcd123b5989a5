"""The folders of saved steps: which there are, and what is removed when a run is opened."""

import shutil
from pathlib import Path

from engine import files
from engine.runs import checksums
from engine.runs.text_log import logger

UNFINISHED_MARK = '.orbax-checkpoint-tmp'  # in the name of a folder that Orbax is still writing


def saved_folders(checkpoints: Path, kind: str) -> list[Path]:
    """Returns the folders of the saved steps of a kind, undamaged or not, in any order."""
    return [path for path in (checkpoints / kind).glob('*') if path.name.isdecimal()]


def remove_unfinished(folder: Path) -> None:
    """Deletes what killed processes left of saves and deletions."""
    files.remove_all_leftovers(folder)
    for unfinished in folder.glob(f'*{UNFINISHED_MARK}*'):
        shutil.rmtree(unfinished)


def move_damaged(folder: Path) -> None:
    """Moves damaged checkpoints to `damaged/` beside `latest/` and `best/`, and reports them."""
    for step in saved_folders(folder.parent, folder.name):
        damage = checksums.damage(step)
        if damage:
            target = folder.parent / 'damaged' / f'{folder.name}-{step.name}'
            shutil.rmtree(target, ignore_errors=True)
            target.parent.mkdir(exist_ok=True)
            step.rename(target)
            logger.warning('The checkpoint %s is damaged (%s). It was moved to %s.', step, damage, target)
