"""Predictions of a split as an outputs folder, for the offline evaluator and all who read NumPy files."""

from pathlib import Path

import jax
import numpy as np

from research import outputs
from research.engine.datasets import Dataset, Examples
from research.engine.inputs import evaluation_batches
from research.engine.programs import Compiled
from research.interfaces import Description, State


def predict(program: Compiled, state: State, examples: Examples, batch_size: int) -> dict[str, np.ndarray]:
    """Returns the predictions for all examples in their order, each array [n, ...]."""
    batches = [jax.device_get(program(state, batch)) for batch in evaluation_batches(examples, batch_size)]
    return {name: np.concatenate([each[name] for each in batches])[: len(examples)] for name in batches[0]}


def save(
    folder: Path,
    predicted: dict[str, np.ndarray],
    description: Description,
    data: Dataset,
    split: str,
    overwrite: bool,
    **origin: str | int,
) -> None:
    """Writes an outputs folder: predictions, truth where known, and where they come from.

    Args:
      folder: of the outputs.
      predicted: arrays [n, ...].
      description: what they are.
      data: the dataset they are of.
      split: of the dataset.
      overwrite: whether outputs that exist are replaced; else they are an error.
      origin: project, run and step, for the manifest.
    """
    examples = data.split(split)
    truth = {name: examples.arrays[field] for name, field in description.truth.items()}
    truth_meanings = {name: f'field {field!r} of the dataset' for name, field in description.truth.items()}
    outputs.write(
        folder,
        kind=description.kind,
        arrays=predicted | truth,
        ids=examples.ids,
        meanings=dict(description.predictions) | truth_meanings,
        class_names=data.spec.class_names,
        dataset=data.name,
        split=split,
        overwrite=overwrite,
        **origin,  # type: ignore[arg-type]
    )
