"""Checkpoints by Orbax, each with checksums: the latest to resume from, the best to predict with."""

import shutil
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import jax
import orbax.checkpoint as ocp
from jax.experimental import multihost_utils

from engine.errors import UserError
from engine.interfaces import State
from engine.runs import checksums, faults
from engine.runs.text_log import logger
from engine.training.checkpointing import state_layout

CHECKPOINT_KINDS = ('latest', 'best')
UNFINISHED_MARK = '.orbax-checkpoint-tmp'  # in the name of a folder that Orbax is still writing


class Checkpoints:
    """The folders `latest/` and `best/`, each managed by Orbax, which saves in the background.

    Leaving the context waits for the saves: what Orbax has not finished at exit is lost. On opening, damaged
    checkpoints are reported and moved to `damaged/`, so that an earlier one is used.

    Args:
      folder: holds `latest/` and `best/`.
      keep: number of latest checkpoints to keep.
      keep_every: steps between the checkpoints in `latest/` that are never deleted; None: there are none.
      read_only: whether to change nothing, because another process may be writing.
    """

    def __init__(self, folder: Path, keep: int = 2, keep_every: int | None = None, read_only: bool = False):
        self._folder, self._read_only = folder.resolve(), read_only
        self._metadata: dict[str, Mapping[str, str]] = {}
        self._managers = {
            'latest': self._manager('latest', keep, None if read_only else keep_every),
            'best': self._manager('best', 1),
        }

    def _manager(self, kind: str, keep: int, keep_every: int | None = None) -> ocp.CheckpointManager:
        folder = self._folder / kind
        if not self._read_only and jax.process_index() == 0:
            _move_damaged(folder)
        if jax.process_count() > 1:
            multihost_utils.sync_global_devices(f'{kind} checkpoints were checked')
        checksums_at_end = ocp.AsyncOptions(post_finalization_callback=partial(self._write_checksums, kind))
        options = ocp.CheckpointManagerOptions(
            max_to_keep=keep,
            keep_period=keep_every,
            cleanup_tmp_directories=not self._read_only,
            read_only=self._read_only,
            enable_async_checkpointing=True,
            async_options=checksums_at_end,
            # Both kinds may save at the same time: the barriers of the processes must not mix.
            multiprocessing_options=ocp.options.MultiprocessingOptions(barrier_sync_key_prefix=kind),
        )
        return ocp.CheckpointManager(folder, options=options)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for manager in self._managers.values():
            manager.close()

    def save(self, kind: str, step: int, state: State, metadata: Mapping[str, str] | None = None) -> None:
        """Starts to save a step, unless that step or a later one is saved.

        A later best checkpoint exists where a run resumes from an earlier step: it will reach it again.

        Args:
          kind: of the checkpoint, "latest" or "best".
          step: of the state.
          state: to save.
          metadata: to keep beside the checksums.
        """
        faults.point('save')
        manager = self._managers[kind]
        manager.wait_until_finished()  # raises the error of the save before
        last = self.last(kind)
        if last is None or step > last:
            self._metadata[kind] = metadata or {}
            manager.save(step, args=ocp.args.StandardSave(state))

    def wait(self) -> None:
        """Waits until all saves are on disk."""
        for manager in self._managers.values():
            manager.wait_until_finished()

    def _write_checksums(self, kind: str) -> None:
        """Writes the checksums of a checkpoint that Orbax is about to rename to its final name.

        Orbax calls this in its own thread.
        """
        faults.point('checksums')
        if jax.process_index():
            return  # the first process writes the checksums of what all have written
        for unfinished in (self._folder / kind).glob(f'*{UNFINISHED_MARK}*'):
            checksums.write(unfinished, self._metadata[kind])
        faults.point('checksums_written')

    def last(self, kind: str) -> int | None:
        """Returns the newest saved step, None if there is none."""
        return self._managers[kind].latest_step()

    def steps(self, kind: str) -> list[int]:
        """Returns the saved steps, the newest first."""
        return sorted(self._managers[kind].all_steps(), reverse=True)

    def has(self, step: int) -> bool:
        """Returns whether `latest/` or `best/` holds a step."""
        return bool(self._kinds_with(step))

    def metadata(self, kind: str, step: int) -> dict[str, str]:
        """Returns the metadata that was saved with a step."""
        return checksums.metadata(self._folder / kind / str(step))

    def change_metadata(self, kind: str, step: int, **values: str) -> None:
        """Changes some values of the metadata that was saved with a step."""
        if jax.process_index() == 0:
            checksums.write(self._folder / kind / str(step), self.metadata(kind, step) | values)

    def find(self, which: str) -> tuple[str, int]:
        """Returns (kind, step) for 'latest', 'best' or a step; raises `UserError` if it is not saved."""
        for kind in CHECKPOINT_KINDS:
            step = self.last(kind)
            if which == kind and step is not None:
                return kind, step
        if which.isdecimal() and (kinds := self._kinds_with(int(which))):
            return kinds[0], int(which)
        saved = ', '.join(
            f'{kind}: {sorted(manager.all_steps()) or "none"}' for kind, manager in self._managers.items()
        )
        raise UserError(f'there is no checkpoint {which!r}. Saved steps: {saved}.')

    def _kinds_with(self, step: int) -> list[str]:
        """Returns the kinds that have saved a step, those that are undamaged first."""
        kinds = [kind for kind in CHECKPOINT_KINDS if step in self._managers[kind].all_steps()]
        if len(kinds) == 1:
            return kinds
        return sorted(kinds, key=lambda kind: bool(checksums.damage(self._folder / kind / str(step))))

    def restore(self, kind: str, step: int, shapes: Any) -> State:
        """Returns the state of a step, with the shapes, dtypes and shardings of `shapes`.

        Nothing is cast, and no array is left out.

        Raises:
          UserError: if the checkpoint is damaged, or its arrays are not those of `shapes`.
        """
        self._managers[kind].wait_until_finished()
        folder = self._folder / kind / str(step)
        damage = checksums.damage(folder)
        if damage:
            raise UserError(f'the checkpoint {folder} is damaged: {damage}. Choose another one.')
        state_layout.check_same(folder, shapes)
        restored: Any = self._managers[kind].restore(step, args=ocp.args.StandardRestore(shapes))
        return restored

    def sha256(self, kind: str, step: int) -> str:
        """Returns the sha256 of the checksums of a checkpoint that `restore` has found undamaged."""
        return checksums.of_undamaged(self._folder / kind / str(step))

    def discard_after(self, step: int) -> None:
        """Deletes all checkpoints after `step`."""
        for kind, manager in self._managers.items():
            for saved in self.steps(kind):
                if saved > step:
                    manager.delete(saved)


def saved_folders(checkpoints: Path, kind: str) -> list[Path]:
    """Returns the folders of the saved steps of a kind, undamaged or not, in any order."""
    return [path for path in (checkpoints / kind).glob('*') if path.name.isdecimal()]


def _move_damaged(folder: Path) -> None:
    """Moves damaged checkpoints to `damaged/` beside `latest/` and `best/`, and reports them."""
    for step in saved_folders(folder.parent, folder.name):
        damage = checksums.damage(step)
        if damage:
            target = folder.parent / 'damaged' / f'{folder.name}-{step.name}'
            shutil.rmtree(target, ignore_errors=True)
            target.parent.mkdir(exist_ok=True)
            step.rename(target)
            logger.warning('The checkpoint %s is damaged (%s). It was moved to %s.', step, damage, target)
