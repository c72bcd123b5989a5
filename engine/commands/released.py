"""Predicts by a released model, and chooses the data that `predict.sh` predicts."""

import argparse
from pathlib import Path
from typing import Any

import numpy as np

from engine import files, outputs
from engine.commands import experiments, trusted
from engine.errors import UserError
from engine.prediction import augmented, other_data, predictions
from engine.prediction.predicted_data import OwnData, PredictedData
from engine.releases import variables
from engine.runs.run_folder import Run
from engine.stored_trees import release_folder, single_file
from engine.training.experiment import Experiment
from engine.variables import by_path
from engine.workspace import workspace


def is_chosen(arguments: argparse.Namespace) -> bool:
    """Returns whether a released model predicts, not a run.

    Raises:
      UserError: both or neither are given, or flags that need a run.
    """
    if (arguments.run is None) == (arguments.model is None):
        raise UserError('Name either a run or a released model, as --model=<name>/<version>.')
    if arguments.model is not None and arguments.checkpoint:
        raise UserError('--checkpoint chooses from a run; a released model holds only one.')
    return arguments.model is not None


def data(arguments: argparse.Namespace, trainer: Experiment, is_own: bool) -> tuple[PredictedData, list[str]]:
    """Returns the data to predict, and their splits.

    Args:
      arguments: of `predict.sh`.
      trainer: of the run or the release.
      is_own: whether the data are those that the model was trained on.
    """
    if is_own:
        chosen, splits = OwnData(trainer), 'val,test'
    else:
        chosen = other_data.load(str(arguments.dataset), trainer, arguments.resize)
        splits = 'test' if 'test' in chosen.data.splits else ','.join(chosen.data.splits)
    if arguments.augmentations is not None:
        chosen = augmented.AugmentedData(chosen, trainer, arguments.augmentations)
    return chosen, (arguments.split or splits).split(',')


def predict(arguments: argparse.Namespace, root: type[Experiment]) -> list[Path]:
    """Predicts by a released model; returns the outputs folders, in the workspace's `predictions/`.

    Args:
      arguments: of `predict.sh`.
      root: the class at the root of its config.
    """
    folder = release_folder.find(arguments.model)
    trusted.check(Run(folder), arguments.trust)
    record, own = release_folder.record(folder), files.read_json(folder / release_folder.DATASET).get('name')
    is_own = arguments.dataset in (None, own)
    trainer = experiments.of_release(folder, root, with_data=is_own)
    chosen, splits = data(arguments, trainer, is_own)
    home = workspace() / 'predictions' / folder.parent.name / folder.name
    folders = [home / predictions.place(chosen.slug, split + chosen.suffix) for split in splits]
    for place in folders:
        files.check_replaceable(place, outputs.MANIFEST, arguments.overwrite)
    parts = {split: chosen.split(split) for split in splits}
    known = {name: record[name] for name in ('run', 'step', 'checkpoint', 'commits', 'code')}
    details = {**chosen.details, 'model': f'{folder.parent.name}/{folder.name}'}
    known['dataset_fingerprint'] = chosen.fingerprint
    predictions.save_from(
        trainer,
        _state(trainer, folder, record['places']),
        chosen,
        parts,
        folders,
        known,
        details | {'checkpoint_sha256': record['checkpoint_sha256']},
        arguments.overwrite,
    )
    return folders


def _state(trainer: Experiment, folder: Path, places: dict[str, list[str]]) -> Any:
    """Returns the state of the task with the variables of a release.

    Raises:
      UserError: the code of the model has other variables by now.
    """
    shapes = trainer.step_functions.state_shapes
    arrays = single_file.read_file(folder / release_folder.VARIABLES)
    leaves = by_path(shapes)
    for name, path in [(name, path) for name, paths in places.items() for path in paths]:
        leaf, array = leaves.get(path), arrays[name]
        if leaf is None or (leaf.shape, np.dtype(leaf.dtype)) != (array.shape, array.dtype):
            here = f'{leaf.dtype} {list(leaf.shape)}' if leaf else 'missing'
            raise UserError(
                f'{folder} does not fit the present code: {name} is {array.dtype} {list(array.shape)} there '
                f'and {here} here. Restore the code, or run {release_folder.PROGRAM} as its README.md says.'
            )
    return variables.state(shapes, {name: tuple(paths) for name, paths in places.items()}, arrays)
