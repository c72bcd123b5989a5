"""Checkpoints by Orbax: the latest ones to go on from, the best one to predict with."""

from pathlib import Path
from types import TracebackType
from typing import Any, Self

import orbax.checkpoint as ocp

from research.errors import UserError
from research.interfaces import State

KINDS = ('latest', 'best')


class Checkpoints:
    """The folders `latest/` and `best/`, each managed by Orbax; saves are written in the background.

    Leaving the context waits for them: what Orbax has not finished by exit is lost.

    Args:
      folder: of both.
      keep: how many of the latest are kept.
      read_only: leaves alone what another process may be writing.
    """

    def __init__(self, folder: Path, keep: int = 2, read_only: bool = False):
        self._managers = {
            kind: ocp.CheckpointManager(
                (folder / kind).resolve(),
                options=ocp.CheckpointManagerOptions(
                    max_to_keep=keep if kind == 'latest' else 1,
                    cleanup_tmp_directories=not read_only,
                    read_only=read_only,
                    enable_async_checkpointing=True,
                ),
            )
            for kind in KINDS
        }

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for manager in self._managers.values():
            manager.close()

    def save(self, kind: str, step: int, state: State) -> None:
        """Begins to save a step; does nothing if it is there already."""
        manager = self._managers[kind]
        if step not in manager.all_steps():
            manager.save(step, args=ocp.args.StandardSave(state))

    def last(self, kind: str) -> int | None:
        """Returns the newest step saved, None if there is none."""
        return self._managers[kind].latest_step()

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
        """Returns the state of a step, with the shapes, dtypes and shardings of `shapes`."""
        restored: Any = self._managers[kind].restore(step, args=ocp.args.StandardRestore(shapes))
        return restored

    def discard_after(self, step: int) -> None:
        """Deletes best checkpoints from after `step`, for a run that goes on from there makes them anew."""
        for each in self._managers['best'].all_steps():
            if each > step:
                self._managers['best'].delete(each)
