"""Predictions of a split as an outputs folder, for the offline evaluator and all who read NumPy files."""

import shutil
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from jax.sharding import Mesh

from research import outputs
from research.datasets.dataset import Examples
from research.engine import faults, parallelism
from research.engine.checkpoints import Checkpoints
from research.engine.experiment import Experiment
from research.engine.inputs import evaluation_batches
from research.engine.logs import logger
from research.engine.pictures import pictures
from research.engine.programs import Compiled, compiled
from research.interfaces import State
from research.workspace import project


def save(experiment: Experiment, run: Path, splits: Sequence[str], which: str, overwrite: bool) -> list[Path]:
    """Predicts splits from a checkpoint and writes them to the run's outputs.

    Args:
      experiment: of the run.
      run: its folder.
      splits: of the dataset.
      which: 'best', 'latest' or the number of a step.
      overwrite: whether outputs that exist are replaced; else they are an error.

    Returns:
      The outputs folders: `<split>`, or `<split>@<step>` for a checkpoint asked for by number.

    Raises:
      UserError: if there is no such split or checkpoint, or outputs exist.
    """
    with Checkpoints(run / 'checkpoints', read_only=True) as checkpoints:
        kind, step = checkpoints.find(which)
        state = checkpoints.restore(kind, step, experiment.programs.state_shapes)
    logger.info('predicting %s from the %s checkpoint, step %d', ', '.join(splits), kind, step)
    program, folders = compiled(experiment.traced.predict), []
    for split in splits:
        examples, mesh = experiment.data.split(split), experiment.parallelism.mesh
        predicted = predict(program, state, examples, experiment.batch_size, mesh)
        folders.append(run / 'outputs' / (f'{split}@{step}' if which.isdecimal() else split))
        _write(folders[-1], predicted, experiment, split, overwrite, run=run.name, step=step)
    return folders


def predict(
    program: Compiled, state: State, examples: Examples, batch_size: int, mesh: Mesh
) -> dict[str, np.ndarray]:
    """Returns the predictions for all examples in their order, each array [n, ...]."""
    rows = parallelism.split(mesh)
    batches = [
        parallelism.fetch(program(state, parallelism.place(batch, rows)))
        for batch in evaluation_batches(examples, batch_size, mesh)
    ]
    return {name: np.concatenate([each[name] for each in batches])[: len(examples)] for name in batches[0]}


def _write(
    folder: Path,
    predicted: dict[str, np.ndarray],
    experiment: Experiment,
    split: str,
    overwrite: bool,
    run: str,
    step: int,
) -> None:
    """Writes an outputs folder: predictions, truth where known, and where they come from."""
    faults.point('outputs')
    if overwrite and not (folder / outputs.MANIFEST).exists():
        shutil.rmtree(folder, ignore_errors=True)  # what is left of outputs that were damaged
    examples, description = experiment.data.split(split), experiment.bound.describe()
    truth = {name: examples.arrays[field] for name, field in description.truth.items()}
    truth_meanings = {name: f'field {field!r} of the dataset' for name, field in description.truth.items()}
    outputs.write(
        folder,
        kind=description.kind,
        arrays=predicted | truth,
        ids=examples.ids,
        meanings=dict(description.predictions) | truth_meanings,
        class_names=experiment.data.spec.class_names,
        details=description.details,
        project=project(),
        run=run,
        step=step,
        dataset=experiment.data.name,
        split=split,
        files=pictures(predicted, examples.ids),
        overwrite=overwrite,
    )
