"""Checkpoints by Orbax, each sealed with hashes: the latest to go on from, the best to predict with."""

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

KINDS = ('latest', 'best')
UNFINISHED = '.orbax-checkpoint-tmp'


class Checkpoints:
    """The folders `latest/` and `best/`, each managed by Orbax; saves are written in the background.

    Leaving the context waits for them: what Orbax has not finished by exit is lost. On opening, a damaged
    checkpoint is named and set aside, so that the one before it is used.

    Args:
      folder: of both.
      keep: how many of the latest are kept.
      read_only: leaves alone what another process may be writing.
    """

    def __init__(self, folder: Path, keep: int = 2, read_only: bool = False):
        self._folder, self._read_only = folder.resolve(), read_only
        self._notes: dict[str, Mapping[str, str]] = {}
        self._managers = {kind: self._manager(kind, keep if kind == 'latest' else 1) for kind in KINDS}

    def _manager(self, kind: str, keep: int) -> ocp.CheckpointManager:
        folder = self._folder / kind
        if not self._read_only and jax.process_index() == 0:
            _set_damaged_aside(folder)
        if jax.process_count() > 1:
            multihost_utils.sync_global_devices(f'{kind} checkpoints are looked through')
        sealing = ocp.AsyncOptions(post_finalization_callback=partial(self._seal, kind))
        options = ocp.CheckpointManagerOptions(
            max_to_keep=keep,
            cleanup_tmp_directories=not self._read_only,
            read_only=self._read_only,
            enable_async_checkpointing=True,
            async_options=sealing,
            # Both may save a step at a time: the processes must not take one for the other.
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

    def save(self, kind: str, step: int, state: State, notes: Mapping[str, str] | None = None) -> None:
        """Begins to save a step, with notes in its seal; does nothing if that step or a later one is there.

        A later best checkpoint is one that a run which was thrown back will come to again.
        """
        faults.point('save')
        manager = self._managers[kind]
        manager.wait_until_finished()  # raises what went wrong with the save before
        if step > (self.last(kind) or 0):
            self._notes[kind] = notes or {}
            manager.save(step, args=ocp.args.StandardSave(state))

    def wait(self) -> None:
        """Returns when all saves are on disk."""
        for manager in self._managers.values():
            manager.wait_until_finished()

    def _seal(self, kind: str) -> None:
        """Seals what is about to be renamed to its final name; Orbax calls this in its own thread."""
        faults.point('seal')
        if jax.process_index():
            return  # the first process seals what all have written
        for unfinished in (self._folder / kind).glob(f'*{UNFINISHED}*'):
            checksums.seal(unfinished, self._notes[kind])
        faults.point('sealed')

    def last(self, kind: str) -> int | None:
        """Returns the newest step saved, None if there is none."""
        return self._managers[kind].latest_step()

    def steps(self, kind: str) -> list[int]:
        """Returns the steps saved, the newest first."""
        return sorted(self._managers[kind].all_steps(), reverse=True)

    def notes(self, kind: str, step: int) -> dict[str, str]:
        """Returns the notes in the seal of a step."""
        return checksums.notes(self._folder / kind / str(step))

    def find(self, which: str) -> tuple[str, int]:
        """Returns (kind, step) of 'latest', 'best' or a step; raises `UserError` if there is none."""
        for kind in KINDS:
            step = self.last(kind)
            if which == kind and step is not None:
                return kind, step
            if which.isdecimal() and int(which) in self._managers[kind].all_steps():
                return kind, int(which)
        saved = ', '.join(
            f'{kind}: {sorted(manager.all_steps()) or "none"}' for kind, manager in self._managers.items()
        )
        raise UserError(f'there is no checkpoint {which!r}. Saved steps: {saved}.')

    def restore(self, kind: str, step: int, shapes: Any) -> State:
        """Returns the state of a step, with the shapes, dtypes and shardings of `shapes`.

        Raises:
          UserError: if the checkpoint is damaged.
        """
        self._managers[kind].wait_until_finished()
        folder = self._folder / kind / str(step)
        damage = checksums.damage(folder)
        if damage:
            raise UserError(f'the checkpoint {folder} is damaged: {damage}. Take another one.')
        restored: Any = self._managers[kind].restore(step, args=ocp.args.StandardRestore(shapes))
        return restored

    def discard_after(self, step: int) -> None:
        """Deletes all checkpoints from after `step`."""
        for kind, manager in self._managers.items():
            for each in self.steps(kind):
                if each > step:
                    manager.delete(each)


def _set_damaged_aside(folder: Path) -> None:
    """Moves damaged checkpoints to `damaged/` beside `latest/` and `best/`, and says so."""
    for step in (path for path in sorted(folder.glob('*')) if path.name.isdecimal()):
        damage = checksums.damage(step)
        if damage:
            aside = folder.parent / 'damaged' / f'{folder.name}-{step.name}'
            shutil.rmtree(aside, ignore_errors=True)
            aside.parent.mkdir(exist_ok=True)
            step.rename(aside)
            logger.warning('the checkpoint %s is damaged (%s): set aside as %s', step, damage, aside)
