"""Checkpoints, each with checksums: the latest to resume from, the best to predict with.

A small state is written directly, in a millisecond. Orbax saves a large one in the background.
"""

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

import jax
from jax.experimental import multihost_utils

from engine import files
from engine.errors import UserError
from engine.interfaces import State
from engine.runs import checksums, faults
from engine.stored_trees import single_file, tree
from engine.stored_trees.tree import ITEM
from engine.training.checkpointing import state_layout, tidying
from engine.training.checkpointing.direct import is_direct
from engine.variables import by_path

if TYPE_CHECKING:
    from engine.training.checkpointing.background import BackgroundSaver

CHECKPOINT_KINDS = ('latest', 'best')


class Checkpoints:
    """The folders `latest/` and `best/`, with a folder for each saved step.

    The best state stays in memory until it is committed, just before the next latest one is saved or when the
    context is left. Leaving the context waits for the saves. Opening the folder reports damaged checkpoints
    and moves them to `damaged/`, so that an earlier one is used.

    Args:
      folder: holds `latest/` and `best/`.
      keep: number of latest checkpoints to keep.
      keep_every: steps between the checkpoints in `latest/` that are never deleted; None: there are none.
      read_only: whether to change nothing, because another process may be writing.
    """

    def __init__(self, folder: Path, keep: int = 2, keep_every: int | None = None, read_only: bool = False):
        self._folder, self._keep, self._keep_every = folder.resolve(), keep, keep_every
        self._metadata: dict[str, Mapping[str, str]] = {}
        self._savers: dict[str, BackgroundSaver] = {}
        self._best: tuple[int, State] | None = None
        if not read_only:
            self._tidy()
        self._steps = {kind: self._saved(kind) for kind in CHECKPOINT_KINDS}

    def _tidy(self) -> None:
        """Removes what killed processes left, and moves damaged checkpoints away."""
        if jax.process_index() == 0:
            for kind in CHECKPOINT_KINDS:
                (self._folder / kind).mkdir(parents=True, exist_ok=True)
                tidying.remove_unfinished(self._folder / kind)
                tidying.move_damaged(self._folder / kind)
        if jax.process_count() > 1:
            multihost_utils.sync_global_devices('the checkpoints were checked')

    def _saved(self, kind: str) -> list[int]:
        return sorted(
            (int(folder.name) for folder in tidying.saved_folders(self._folder, kind)), reverse=True
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if kind is None or jax.process_count() == 1:  # after an error, other processes may not meet this
                self.commit_best()
            self.wait()
        finally:
            for saver in self._savers.values():
                saver.close()

    def keep_best(self, step: int, arrays: State) -> None:
        """Keeps the best state so far, in place of an earlier one that is not committed yet.

        Args:
          step: of the state.
          arrays: what is evaluated, in memory of its own.
        """
        self._best = (step, arrays)

    def commit_best(self) -> None:
        """Starts to save the best state, if there is a new one."""
        if self._best:
            self.save('best', *self._best)
            self._best = None

    def save(self, kind: str, step: int, state: State, metadata: Mapping[str, str] | None = None) -> None:
        """Starts to save a step, unless this step or a later one is saved.

        Before a latest checkpoint, the best state is committed. A later best checkpoint exists if the run
        resumed from an earlier step. The run will reach that step again.

        Args:
          kind: of the checkpoint, "latest" or "best".
          step: of the state.
          state: to save.
          metadata: to keep beside the checksums.
        """
        faults.point('save')
        if kind == 'latest':
            self.commit_best()
        self._wait(kind)  # raises the error of the previous save
        if self._steps[kind] and self._steps[kind][0] >= step:
            return
        self._metadata[kind] = metadata or {}
        folder = self._folder / kind / str(step)
        self._steps[kind].insert(0, step)
        if is_direct(state):
            with files.atomic_folder(folder) as unfinished:
                single_file.write(unfinished / ITEM, jax.device_get(by_path(state)))
                self._write_checksums(kind, unfinished)
            self._delete_old(kind)
        else:
            self._saver(kind).save(folder, state)

    def _saver(self, kind: str) -> 'BackgroundSaver':
        if kind not in self._savers:
            from engine.training.checkpointing.background import BackgroundSaver

            self._savers[kind] = BackgroundSaver(kind, partial(self._write_checksums, kind))
        return self._savers[kind]

    def wait(self) -> None:
        """Waits until all saves are on disk."""
        for kind in self._savers:
            self._wait(kind)

    def _wait(self, kind: str) -> None:
        if kind in self._savers:
            self._savers[kind].wait()
            self._delete_old(kind)

    def _write_checksums(self, kind: str, unfinished: Path) -> None:
        """Writes the checksums of a checkpoint that is about to get its final name.

        Orbax calls this in its own thread. A latest checkpoint waits there for the best one, on which it
        relies.
        """
        faults.point('checksums')
        if kind == 'latest' and 'best' in self._savers:
            self._savers['best'].wait()
        if jax.process_index() == 0:  # it writes the checksums of what all have written
            checksums.write(unfinished, self._metadata[kind])
        faults.point('checksums_written')

    def _delete_old(self, kind: str) -> None:
        """Deletes the checkpoints that a newer one has replaced."""
        steps = self._steps[kind]
        kept = steps[: self._keep if kind == 'latest' else 1]
        if kind == 'latest' and self._keep_every:
            kept = [step for step in steps if step in kept or step % self._keep_every == 0]
        for step in [step for step in steps if step not in kept]:
            self._delete(kind, step)

    def _delete(self, kind: str, step: int) -> None:
        self._steps[kind].remove(step)
        if jax.process_index() == 0:
            files.remove_folder(self._folder / kind / str(step))

    def last(self, kind: str) -> int | None:
        """Returns the newest saved step, None if there is none."""
        return next(iter(self._steps[kind]), None)

    def steps(self, kind: str) -> list[int]:
        """Returns the saved steps, the newest first."""
        return [*self._steps[kind]]

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
        saved = ', '.join(f'{kind}: {steps[::-1] or "none"}' for kind, steps in self._steps.items())
        raise UserError(f'there is no checkpoint {which!r}. Saved steps: {saved}.')

    def _kinds_with(self, step: int) -> list[str]:
        """Returns the kinds that have saved a step, those that are undamaged first."""
        kinds = [kind for kind in CHECKPOINT_KINDS if step in self._steps[kind]]
        if len(kinds) == 1:
            return kinds
        return sorted(kinds, key=lambda kind: bool(checksums.damage(self._folder / kind / str(step))))

    def restore(self, kind: str, step: int, shapes: Any, is_part: bool = False) -> Any:
        """Returns the state of a step, with the shapes, dtypes and shardings of `shapes`.

        Nothing is cast, and no array is left out.

        Args:
          kind: of the checkpoint, "latest" or "best".
          step: that was saved.
          shapes: of the state.
          is_part: whether the shapes are only a part of the state, with all parameters.

        Raises:
          UserError: if the checkpoint is damaged, or its arrays are not those of `shapes`.
        """
        self._wait(kind)
        folder = self._folder / kind / str(step)
        damage = checksums.damage(folder)
        if damage:
            raise UserError(f'the checkpoint {folder} is damaged: {damage}. Choose another one.')
        state_layout.check_same(folder, shapes, is_part)
        arrays = tree.restored(folder / ITEM, by_path(shapes))
        return jax.tree.unflatten(jax.tree.structure(shapes), [arrays[path] for path in by_path(shapes)])

    def stored(self, kind: str, step: int) -> set[str]:
        """Returns the paths of the arrays that were saved with a step."""
        return {*tree.stored_shapes(self._folder / kind / str(step) / ITEM)}

    def sha256(self, kind: str, step: int) -> str:
        """Returns the sha256 of the checksums of a checkpoint that `restore` has found undamaged."""
        return checksums.of_undamaged(self._folder / kind / str(step))

    def discard_after(self, step: int) -> None:
        """Deletes all checkpoints after `step`."""
        for kind in CHECKPOINT_KINDS:
            for saved in self.steps(kind):
                if saved > step:
                    self._delete(kind, saved)
