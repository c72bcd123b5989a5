"""Predictions of a split as an outputs folder, for the offline evaluator and all who read NumPy files."""

import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
from jax.sharding import Mesh

from engine import files, outputs, sharding
from engine.datasets.reading.dataset import Examples
from engine.interfaces import INDEX, VALID, Description, State
from engine.outputs import kind_folders
from engine.outputs.check_arrays import packed
from engine.outputs.contents import PAGE
from engine.outputs.kind import Arrays
from engine.outputs.outputs import Outputs
from engine.outputs.pictures import cropping
from engine.outputs.pictures.spool import PictureSpool
from engine.prediction import page
from engine.prediction.pictures import pictures
from engine.prediction.predicted_data import PredictedData, PredictedSplit, Predictor
from engine.prediction.samples import Samples, samples_of
from engine.prediction.thumbnails import MEANING, NAME, Thumbnails
from engine.runs import faults
from engine.runs.text_log import logger
from engine.training import outputs_manifest
from engine.training.batches.evaluation import evaluation_batches
from engine.training.checkpointing import best_state
from engine.training.checkpointing.checkpoints import Checkpoints
from engine.training.experiment import Experiment


def save(
    experiment: Experiment,
    run: Path,
    data: PredictedData,
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
      data: what is predicted.
      splits: of the data.
      which: 'best', 'latest' or the number of a step; '' for 'best', or for 'latest' in a run without a best.
      overwrite: whether outputs that exist are replaced; else they are an error, before anything is computed.
      origin: the versions of the code that took part, as `history.took_part` returns them.
      target: the folder for the outputs folders, by default `outputs/` of the run.

    Returns:
      The outputs folders, as `place` names them.

    Raises:
      UserError: if there is no such split or checkpoint, or outputs exist.
    """
    if not splits:
        return []
    main = 'best' if experiment.best else 'latest'
    with Checkpoints(run / 'checkpoints', read_only=True) as checkpoints:
        kind, step = checkpoints.find(which or main)
        folders = [
            (target or run / 'outputs')
            / place(data.slug, split + data.suffix, None if which in ('', main) else step)
            for split in splits
        ]
        for folder in [] if overwrite else folders:
            files.check_replaceable(folder, outputs.MANIFEST, overwrite)
        parts = [data.split(split) for split in splits]
        programs = [part.program for part in parts]
        shapes = experiment.step_functions.state_shapes
        state = best_state.restored(checkpoints, kind, step, programs, shapes)
        digest = checkpoints.sha256(kind, step)
    logger.info('predicting %s from the %s checkpoint, step %d', ', '.join(splits), kind, step)
    known = {
        'run': run.name,
        'step': step,
        'checkpoint': kind,
        'dataset_fingerprint': data.fingerprint,
        'commits': origin['commits'],
        'code': origin['code'],
    }
    details = {**data.details, 'checkpoint_sha256': digest}
    save_from(
        experiment, state, data, dict(zip(splits, parts, strict=True)), folders, known, details, overwrite
    )
    return folders


def save_from(
    experiment: Experiment,
    state: State,
    data: PredictedData,
    parts: Mapping[str, PredictedSplit],
    folders: Sequence[Path],
    known: Mapping[str, Any],
    details: dict[str, str],
    overwrite: bool,
) -> None:
    """Predicts splits from a state and writes them.

    Args:
      experiment: whose task predicts.
      state: of the task.
      data: what is predicted.
      parts: the splits by name.
      folders: the outputs folder of each split.
      known: what the manifest says of the origin.
      details: what else distinguishes the outputs, for the manifest.
      overwrite: whether outputs that exist are replaced.
    """
    samples, varying = (
        samples_of(experiment.samples, experiment.dataset, experiment.description.kind),
        kind_folders.declaration(experiment.description.kind).varying,
    )
    for (split, part), folder in zip(parts.items(), folders, strict=True):
        small = _thumbnails(experiment, part.examples)
        program = part.predictor()
        mesh = experiment.parallelism.mesh
        size = experiment.batch_size
        predicted = predict(program, state, part.examples, size, mesh, small, varying, samples)
        manifest = _manifest(experiment, known, data.name, split, details | small.details)
        ids = samples.ids if samples else part.examples.ids
        described = experiment.description
        _write(folder, predicted, part, ids, described, manifest, overwrite, is_other=bool(data.slug))


def place(slug: str, split: str, step: int | None = None) -> str:
    """Returns the name of an outputs folder: no two datasets, splits or checkpoints share one.

    >>> place('', 'test'), place('', 'test', 400), place('images-photos-1f3a9c20', 'images')
    ('test', 'test@400', 'images-photos-1f3a9c20-images')

    Args:
      slug: of another dataset than that of the run, '' for its own.
      split: of the dataset.
      step: of the checkpoint; None for the one that predicts when training ends.
    """
    name = f'{slug}-{split}' if slug else split
    return name if step is None else f'{name}@{step}'


def predict(
    program: Predictor,
    state: State,
    examples: Examples,
    batch_size: int,
    mesh: Mesh,
    thumbnails: Thumbnails = Thumbnails(),  # noqa: B008 (immutable)
    varying: str = '',
    samples: Samples | None = None,
) -> dict[str, Any]:
    """Returns predictions and thumbnails of all examples in their order, each array [n, ...].

    Args:
      program: the compiled prediction of a batch.
      state: of the task.
      examples: of the split.
      batch_size: examples of a batch.
      mesh: of devices.
      thumbnails: makes thumbnails of the images.
      varying: the predicted pictures that are padded where the task returns `sizes`. They come back as
        `Pictures`, in files, because they may not fit into memory.
      samples: the number of samples, which arrays with a row per sample then have as rows.
    """
    batches = (samples.batches if samples else evaluation_batches)(examples, batch_size, mesh)
    rows, parts, spool = sharding.batch_sharding(mesh), [], PictureSpool()
    for batch in batches:
        placed = sharding.shard(batch, rows)
        fetched = {**sharding.fetch(thumbnails(placed)), **program(state, placed)}
        if varying and cropping.SIZES in fetched:
            ids = [examples.ids[row] for row in batch[INDEX][batch[VALID]]]
            fetched = spool.add(cropping.of_batch(fetched, varying, ids))
        parts.append(fetched)
    joined = {name: np.concatenate([each[name] for each in parts]) for name in parts[0]}
    counted = samples.counts(joined, len(examples)) if samples else dict.fromkeys(joined, len(examples))
    return {name: array[: counted[name]] for name, array in joined.items()} | spool.pictures()


def _thumbnails(experiment: Experiment, examples: Examples) -> Thumbnails:
    description = experiment.description
    if NAME not in kind_folders.declaration(description.kind).arrays:
        return Thumbnails()
    known = examples.arrays.keys() | examples.encoded.keys()
    fields = {name: field for name, field in experiment.data.spec.example.items() if name in known}
    return Thumbnails.of(fields, description.truth, len(examples))


def _manifest(
    experiment: Experiment, known: Mapping[str, Any], dataset: str, split: str, details: Mapping[str, str]
) -> outputs.Manifest:
    """Returns the manifest of a split, given what is known of its origin."""
    described = outputs_manifest.manifest(experiment.description, dataset, split, experiment.class_names)
    return replace(described, **known, details={**described.details, **details})


def _write(
    folder: Path,
    predicted: dict[str, np.ndarray],
    part: PredictedSplit,
    ids: Sequence[str],
    description: Description,
    manifest: outputs.Manifest,
    overwrite: bool,
    is_other: bool,
) -> None:
    """Writes an outputs folder: predictions, truth where known, and where they come from."""
    faults.point('outputs')
    if overwrite and not (folder / outputs.MANIFEST).exists():
        shutil.rmtree(folder, ignore_errors=True)  # what is left of outputs that were damaged
    truth = part.truth
    pictured = {name: array for name, array in predicted.items() if name != NAME}
    meanings = {name: f'field {description.truth[name]!r} of the dataset' for name in truth}
    meanings |= {NAME: MEANING, **description.predictions}
    declared = kind_folders.declaration(description.kind)
    arrays = packed(declared, {**predicted, **truth}, ids, description.decode)
    needs_page = part.is_other or (declared.labels and not truth)
    outputs.write(
        folder,
        manifest,
        arrays,
        ids,
        {name: meanings.get(name, f'made by the kind {description.kind!r}') for name in arrays},
        files=chain(
            pictures(pictured, ids), _page(folder, manifest, arrays, part, ids) if needs_page else ()
        ),
        overwrite=overwrite,
    )


def _page(
    folder: Path, manifest: outputs.Manifest, arrays: Arrays, part: PredictedSplit, ids: Sequence[str]
) -> Iterator[tuple[str, bytes]]:
    """Yields the path and content of the page."""
    saved = Outputs(folder, manifest, tuple(ids), arrays)
    yield PAGE, page.html(saved, part.examples).encode()
