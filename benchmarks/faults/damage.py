"""Damaged files: a flipped bit, a truncated file, a deleted file."""

import random
import re
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

from benchmarks.faults.case import Fault, FaultCase
from engine.errors import EXIT_MISTAKE
from engine.runs import checksums
from engine.training.checkpointing.tidying import saved_folders
from engine.training.logs.metric_log import digests


def flip_bit(path: Path, generator: random.Random) -> None:
    """Flips one bit of a file."""
    content = bytearray(path.read_bytes())
    if content:
        content[generator.randrange(len(content))] ^= 1 << generator.randrange(8)
        path.write_bytes(bytes(content))


def truncate(path: Path, generator: random.Random) -> None:
    """Cuts off the end of a file."""
    path.write_bytes(path.read_bytes()[: generator.randrange(max(1, path.stat().st_size))])


def delete(path: Path, generator: random.Random) -> None:
    """Deletes a file."""
    path.unlink()


DAMAGES = (flip_bit, truncate, delete)
# Files that a training needs to resume. It checks them and reports damage. Orbax writes the two excluded
# files after the checksums, so they are not checked.
CHECKED_FILES = re.compile(
    r'checkpoints/(?!.*(_CHECKPOINT_METADATA|commit_success\.txt)$)|logs/(train|val)\.jsonl$'
)


def files_by_kind(run: Path) -> dict[str, list[str]]:
    """Returns the files of a run by kind. Files of one kind differ only in a step, a split or a digest."""
    kinds: dict[str, list[str]] = {}
    for path in sorted(path for path in run.rglob('*') if path.is_file()):
        name = path.relative_to(run).as_posix()
        kind = re.sub(r'/\d+/', '/<step>/', re.sub(r'[0-9a-f]{32}', '<digest>', name))
        kind = re.sub(r'outputs/\w+/', 'outputs/<split>/', re.sub(r'tfevents.*', 'tfevents', kind))
        kinds.setdefault(kind, []).append(name)
    return kinds


def damage_file(base: Path, names: Sequence[str], damage: Callable[[Path, random.Random], None]) -> Fault:
    """Damages one file in a copy of a run, then resumes the copy.

    Args:
      base: the run folder that is copied.
      names: names of files of the run; the fault damages one of them.
      damage: is done to the file.
    """

    def fault(case: FaultCase, generator: random.Random) -> None:
        shutil.copytree(base, case.run)
        name, intact = generator.choice(names), _log_digests(case.run)
        content = (case.run / name).read_bytes()
        damage(case.run / name, generator)
        case.faults += 1
        if name == 'config.gin':
            case.train(EXIT_MISTAKE, message=r'config\.gin', is_fault=False)
            (case.run / name).write_bytes(content)
        # Log lines after the newest checkpoint are written again in any case. Damage to them is not reported.
        is_harmless = name.startswith('logs/') and intact == _log_digests(case.run)
        is_reported = CHECKED_FILES.match(name) and not is_harmless
        case.finish(message='damaged|trying an earlier' if is_reported else '')

    return fault


def _log_digests(run: Path) -> dict[int, dict[str, str]]:
    """Returns the digests of the logs up to the newest checkpoint."""
    folders = saved_folders(run / 'checkpoints', 'latest')
    newest = max(folders, key=lambda folder: int(folder.name), default=None)
    return digests(run / 'logs', {int(newest.name): checksums.metadata(newest)} if newest else {})
