"""Saved outputs of a run, predicted once more: they must be the same files, to the byte."""

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from engine import outputs
from engine.errors import UserError
from engine.outputs.contents import PAGE
from engine.outputs.manifest import Manifest, read_manifest
from engine.prediction import augmented, other_data, predictions
from engine.prediction.predicted_data import OwnData, PredictedData
from engine.runs.text_log import logger
from engine.training.experiment import Experiment


def differences(experiment: Experiment, run: Path) -> Iterator[tuple[str, str]]:
    """Predicts the outputs of a run once more, each from the checkpoint that made it.

    Outputs whose checkpoint is lost are reported and left out.

    Args:
      experiment: of the run.
      run: its folder.

    Yields:
      The name of an outputs folder, and its first difference, '' if it is equal.
    """
    for folder in sorted(path.parent for path in (run / 'outputs').glob(f'*/{outputs.MANIFEST}')):
        manifest = read_manifest(folder)
        with tempfile.TemporaryDirectory() as temporary:
            origin, which = {'commits': manifest.commits, 'code': manifest.code}, str(manifest.step)
            try:
                data = _data(experiment, manifest)
                if augmented.DETAIL in manifest.details:
                    data = augmented.AugmentedData(data, experiment, int(manifest.details[augmented.DETAIL]))
                [repeated] = predictions.save(
                    experiment, run, data, [manifest.split], which, False, origin, Path(temporary)
                )
            except UserError as error:
                logger.warning('%s cannot be compared: %s', folder, error)
                continue
            yield folder.name, _difference(folder, repeated)


def _data(experiment: Experiment, manifest: Manifest) -> PredictedData:
    """Returns the dataset that was predicted.

    Raises:
      UserError: it is gone, or it is not the same any more.
    """
    own = OwnData(experiment)
    if manifest.dataset == own.name:
        return own
    how: Any = manifest.details.get('resize', 'crop')
    data = other_data.load(manifest.dataset, experiment, how)
    if data.fingerprint != manifest.dataset_fingerprint:
        raise UserError(f'{manifest.dataset} has changed since: its fingerprint is another.')
    return data


def _difference(stored: Path, repeated: Path) -> str:
    """Returns the first difference between two outputs folders; '' if there is none."""
    old, new = read_manifest(stored), read_manifest(repeated)
    for key in ('kind', 'class_names', 'examples'):
        if getattr(old, key) != getattr(new, key):
            return f'{key} was {getattr(old, key)!r}, is {getattr(new, key)!r}'
    compared = (old.files.keys() | new.files.keys()) - {PAGE}  # it shows the other files, and the checkpoint
    for name in sorted(compared, key=_arrays_first):
        one, other = stored / name, repeated / name
        if not (one.is_file() and other.is_file()):
            return f'{name} {"is new" if other.is_file() else "is missing"}'
        if one.read_bytes() != other.read_bytes():
            return f'{name} {_first_value(one, other) or "differs"}'
    return ''


def _arrays_first(name: str) -> tuple[bool, str]:
    return not name.endswith('.npy'), name


def _first_value(one: Path, other: Path) -> str:
    """Returns the first value in which two array files differ; '' for other and for damaged files."""
    try:
        old, new = (np.load(path, allow_pickle=False) for path in (one, other))
    except (OSError, ValueError):
        return ''
    if (old.shape, old.dtype) != (new.shape, new.dtype):
        return f'was {old.dtype} {list(old.shape)}, is {new.dtype} {list(new.shape)}'
    differing = np.argwhere((old != new) & ((old == old) | (new == new)))  # NaN equals NaN
    if not len(differing):
        return ''
    place = tuple(map(int, differing[0]))
    return (
        f'was {old[place]!s}, is {new[place]!s} at {list(place)}, the first of {len(differing)} differences'
    )
