"""What `scripts/runs.sh gc` frees, by a stated policy. What a living process may need is never touched."""

import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from engine import files
from engine.run_reader.catalogue import liveness, trash
from engine.run_reader.catalogue.entry import RunEntry
from engine.run_reader.catalogue.liveness import ShownState
from engine.runs import lock

TRASH_DAYS = 30
LEFTOVER_DAYS = 1  # a run this young may just be starting
POLICY = """\
- runs in the trash for more than {days} days: deleted
- checkpoints that failed their checksums, and temporary files of killed processes, in runs without a process
  that are older than a day: deleted
- runs without a step, checkpoint, output or note, without a process and older than a day: to the trash"""
RESUMABLE_POLICY = """\
- checkpoints to resume from, of runs that finished more than {resumable} days ago and keep a best
  checkpoint: deleted; such a run can still predict, but not be continued"""


@dataclass(frozen=True)
class Candidate:
    """What may be freed.

    Attributes:
      path: a file or folder.
      reason: why.
      entry: the run that it belongs to; None in the trash.
      is_whole_run: whether it is a run that moves to the trash. Others are deleted.
    """

    path: Path
    reason: str
    entry: RunEntry | None = None
    is_whole_run: bool = False

    @property
    def size(self) -> int:
        """Its bytes."""
        paths = [self.path, *(self.path.rglob('*') if self.path.is_dir() else ())]
        return sum(path.lstat().st_size for path in paths if path.is_symlink() or path.is_file())


def policy(days: float, resumable: float | None) -> str:
    """Returns the rules as a list in words.

    Args:
      days: after which runs in the trash are deleted.
      resumable: days after which finished runs lose the checkpoints to resume from; None keeps these.
    """
    parts = [POLICY.format(days=f'{days:g}')]
    if resumable is not None:
        parts.append(RESUMABLE_POLICY.format(resumable=f'{resumable:g}'))
    return '\n'.join(parts)


def candidates(entries: Sequence[RunEntry], days: float, resumable: float | None) -> list[Candidate]:
    """Returns what the policy frees."""
    removed = [
        Candidate(run.folder, f'removed on {run.removed:%Y-%m-%d}')
        for run in trash.contents()
        if run.removed < _before(days)
    ]
    idle = [entry for entry in entries if entry.liveness.state not in liveness.ALIVE]
    old = [entry for entry in idle if _last_change(entry) < _before(LEFTOVER_DAYS)]
    return [*removed, *(item for entry in old for item in _of_run(entry, resumable))]


def free(candidate: Candidate) -> None:
    """Deletes a candidate, or moves it to the trash.

    Raises:
      UserError: a process has begun to work on the run.
    """
    if candidate.entry is None:
        files.remove_folder(candidate.path)
        return
    if candidate.is_whole_run:
        trash.remove(candidate.entry)
        return
    with lock.locked(candidate.entry.folder, candidate.entry.status):
        if candidate.path.is_dir() and not candidate.path.is_symlink():
            shutil.rmtree(candidate.path)
        else:
            candidate.path.unlink(missing_ok=True)


def _before(days: float) -> datetime:
    try:
        return datetime.now(UTC) - timedelta(days=days)
    except OverflowError:  # before all times
        return datetime.min.replace(tzinfo=UTC)


def _last_change(entry: RunEntry) -> datetime:
    """Returns when a run was last at work, as far as its files tell."""
    places = [entry.folder, *(entry.folder / name for name in ('status.json', 'config.gin', 'logs', 'lock'))]
    times = [path.stat().st_mtime for path in places if path.exists()]
    return datetime.fromtimestamp(max(times), UTC)


def _of_run(entry: RunEntry, resumable: float | None) -> Iterator[Candidate]:
    if _is_empty(entry):
        if not entry.folder.is_symlink():
            yield Candidate(entry.folder, 'it never made a step', entry, is_whole_run=True)
        return
    checkpoints = entry.folder / 'checkpoints'
    damaged = checkpoints / 'damaged'
    if damaged.is_dir() and any(damaged.iterdir()):
        yield Candidate(damaged, 'damaged checkpoints', entry)
    for folder in (entry.folder, entry.folder / 'logs', entry.folder / 'outputs', *checkpoints.glob('*/')):
        for path in folder.glob('.*.tmp'):
            if files.original_name(path.name) != path.name:
                yield Candidate(path, 'left by a killed process', entry)
    is_over = entry.liveness.state in (ShownState.FINISHED, ShownState.STOPPED)
    if resumable is None or not is_over or _last_change(entry) >= _before(resumable):
        return
    if (checkpoints / 'latest').is_dir() and any((checkpoints / 'best').glob('[0-9]*')):
        yield from (
            Candidate(path, 'of a finished run', entry) for path in (checkpoints / 'latest').glob('[0-9]*')
        )


def _is_empty(entry: RunEntry) -> bool:
    """Whether a run holds nothing that anybody could miss."""
    folder = entry.folder
    results = ('logs/train.jsonl', 'logs/val.jsonl', 'notes.md')
    if entry.step or any((folder / name).exists() and (folder / name).stat().st_size for name in results):
        return False
    saved = (*folder.glob('checkpoints/*/*'), *folder.glob('outputs/*'), *folder.glob('debug/nonfinite*'))
    return not saved
