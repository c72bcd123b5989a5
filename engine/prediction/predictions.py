"""Predictions of a split as an outputs folder, for the offline evaluator and all who read NumPy files."""

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from jax.sharding import Mesh

from engine import outputs, sharding
from engine.datasets.building.labels import is_unlabelled
from engine.datasets.reading.dataset import Examples
from engine.interfaces import State
from engine.outputs import kind_folders
from engine.outputs.check_arrays import packed
from engine.prediction.pictures import pictures
from engine.prediction.thumbnails import MEANING, NAME, Thumbnails
from engine.runs import faults
from engine.runs.text_log import logger
from engine.training import outputs_manifest
from engine.training.batches.evaluation import evaluation_batches
from engine.training.checkpointing.checkpoints import Checkpoints
from engine.training.experiment import Experiment
from engine.training.steps import Compiled, compiled


def save(
    experiment: Experiment,
    run: Path,
    splits: Sequence[str],
    which: str,
    overwrite: bool,
    origin: Mapping[str, Sequence[str]],
    target: Path | None = None,
) -> list[Path]:
    """Predicts splits from a checkpoint and writes them to the run's outputs.

    Args:
      experiment: of the run.
      run: its folder.
      splits: of the dataset.
      which: 'best', 'latest' or the number of a step.
      overwrite: whether outputs that exist are replaced; else they are an error.
      origin: the versions of the code that took part, as `history.took_part` returns them.
      target: the folder for the outputs folders, by default `outputs/` of the run.

    Returns:
      The outputs folders: `<split>`, or `<split>@<step>` for a checkpoint asked for by number.

    Raises:
      UserError: if there is no such split or checkpoint, or outputs exist.
    """
    if not splits:
        return []
    with Checkpoints(run / 'checkpoints', read_only=True) as checkpoints:
        kind, step = checkpoints.find(which)
        state = checkpoints.restore(kind, step, experiment.step_functions.state_shapes)
    logger.info('predicting %s from the %s checkpoint, step %d', ', '.join(splits), kind, step)
    program, folders = compiled(experiment.traced.predict), []
    for split in splits:
        examples, mesh = experiment.data.split(split), experiment.parallelism.mesh
        small = _thumbnails(experiment, len(examples))
        predicted = predict(program, state, examples, experiment.batch_size, mesh, small)
        folders.append((target or run / 'outputs') / (f'{split}@{step}' if which.isdecimal() else split))
        manifest = outputs_manifest.manifest(
            experiment.description, experiment.data.name, split, experiment.class_names
        )
        manifest = _completed(manifest, run.name, step, small.details, origin)
        _write(folders[-1], predicted, experiment, manifest, overwrite)
    return folders


def predict(
    program: Compiled,
    state: State,
    examples: Examples,
    batch_size: int,
    mesh: Mesh,
    thumbnails: Thumbnails = Thumbnails(),  # noqa: B008 (immutable)
) -> dict[str, np.ndarray]:
    """Returns predictions and thumbnails of all examples in their order, each array [n, ...]."""
    rows, batches = sharding.batch_sharding(mesh), []
    for batch in evaluation_batches(examples, batch_size, mesh):
        placed = sharding.shard(batch, rows)
        batches.append(sharding.fetch({**thumbnails(placed), **program(state, placed)}))
    return {name: np.concatenate([each[name] for each in batches])[: len(examples)] for name in batches[0]}


def _thumbnails(experiment: Experiment, examples: int) -> Thumbnails:
    description = experiment.description
    if NAME not in kind_folders.declaration(description.kind).arrays:
        return Thumbnails()
    return Thumbnails.of(experiment.data.spec.example, description.truth, examples)


def _completed(
    known: outputs.Manifest,
    run: str,
    step: int,
    details: Mapping[str, str],
    origin: Mapping[str, Sequence[str]],
) -> outputs.Manifest:
    return replace(
        known,
        run=run,
        step=step,
        details={**known.details, **details},
        commits=origin['commits'],
        code=origin['code'],
    )


def _write(
    folder: Path,
    predicted: dict[str, np.ndarray],
    experiment: Experiment,
    manifest: outputs.Manifest,
    overwrite: bool,
) -> None:
    """Writes an outputs folder: predictions, truth where known, and where they come from."""
    faults.point('outputs')
    if overwrite and not (folder / outputs.MANIFEST).exists():
        shutil.rmtree(folder, ignore_errors=True)  # what is left of outputs that were damaged
    examples, description = experiment.data.split(manifest.split), experiment.description
    truth = {
        name: examples.arrays[field]
        for name, field in description.truth.items()
        if not is_unlabelled(examples.arrays[field])
    }
    pictured = {name: array for name, array in predicted.items() if name != NAME}
    meanings = {name: f'field {description.truth[name]!r} of the dataset' for name in truth}
    meanings |= {NAME: MEANING, **description.predictions}
    declared = kind_folders.declaration(description.kind)
    arrays = packed(declared, predicted | truth, examples.ids, description.decode)
    outputs.write(
        folder,
        manifest,
        arrays,
        examples.ids,
        {name: meanings.get(name, f'made by the kind {description.kind!r}') for name in arrays},
        files=pictures(pictured, examples.ids),
        overwrite=overwrite,
    )
