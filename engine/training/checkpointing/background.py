"""Saves large states by Orbax, in the background."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import orbax.checkpoint as ocp

from engine.stored_trees.tree import ITEM
from engine.training.checkpointing.tidying import UNFINISHED_MARK


class BackgroundSaver:
    """Saves states of one kind, one after the other. All processes must call the same methods.

    Args:
      kind: of the checkpoints; keeps the barriers of two savers apart.
      before_commit: called in a thread, with the unfinished folder, before the folder gets its final name.
    """

    def __init__(self, kind: str, before_commit: Callable[[Path], None]):
        self._before_commit = before_commit
        self._folder: Path | None = None
        self._checkpointer = ocp.AsyncCheckpointer(
            ocp.CompositeCheckpointHandler(ITEM),
            async_options=ocp.AsyncOptions(post_finalization_callback=self._finish),
            multiprocessing_options=ocp.options.MultiprocessingOptions(barrier_sync_key_prefix=kind),
        )

    def save(self, folder: Path, arrays: Any) -> None:
        """Starts to save a tree of arrays; raises the error of the previous save."""
        self._folder = folder
        self._checkpointer.save(folder, args=ocp.args.Composite(**{ITEM: ocp.args.StandardSave(arrays)}))

    def wait(self) -> None:
        """Waits until the save is on disk; raises its error."""
        self._checkpointer.wait_until_finished()

    def close(self) -> None:
        """Waits and ends the threads."""
        self._checkpointer.close()

    def _finish(self) -> None:
        assert self._folder
        for unfinished in self._folder.parent.glob(f'{self._folder.name}{UNFINISHED_MARK}*'):
            self._before_commit(unfinished)
