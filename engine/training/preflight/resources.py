"""Checks that memory and disk can hold what an experiment writes at its end."""

import shutil
from collections.abc import Iterable
from math import prod
from pathlib import Path
from typing import Any

import jax

from engine.errors import UserError
from engine.hardware import limits
from engine.training.cost.size import written
from engine.training.experiment import Experiment


def check_memory(experiment: Experiment, splits: Iterable[str]) -> None:
    """Raises `UserError` if the predictions of a split cannot fit into the memory of this machine."""
    for split in splits:
        size, memory = _bytes_of_predictions(experiment, split), limits.machine_memory()[0]
        if size > memory:
            raise UserError(
                f'Trainer.predict: the predictions of {split} take {written(size)}, for '
                f'{experiment.data.splits[split]:,} examples, but this machine has '
                f'{written(memory)} of memory. Predict fewer numbers per example, or leave the split '
                'out.'
            )


def check_disk(experiment: Experiment, splits: Iterable[str], folder: Path) -> None:
    """Raises `UserError` if the disk cannot hold one checkpoint and the predictions.

    Args:
      experiment: a traced experiment.
      splits: names of the splits to predict.
      folder: where the run will be.
    """
    existing = next(parent for parent in (folder.absolute(), *folder.absolute().parents) if parent.exists())
    free = shutil.disk_usage(existing).free
    checkpoint = _bytes(experiment.step_functions.state_shapes)
    needed = checkpoint + sum(_bytes_of_predictions(experiment, split) for split in splits)
    if needed > free:
        raise UserError(
            f'{existing} has {written(free)} of free space, but one checkpoint and the predictions '
            f'take {written(needed)}. Free space, or put the run on another disk with --run or '
            'WORKSPACE.'
        )


def _bytes_of_predictions(experiment: Experiment, split: str) -> int:
    arrays = jax.tree.leaves(experiment.traced.predict.out_info)
    return experiment.data.splits[split] * sum(_bytes(array) // array.shape[0] for array in arrays)


def _bytes(shapes: Any) -> int:
    return sum(prod(leaf.shape) * leaf.dtype.itemsize for leaf in jax.tree.leaves(shapes))
