"""Compares an exported program with the outputs that a run has saved, before it is released."""

from collections.abc import Mapping
from typing import Any

import jax
import numpy as np

from engine.errors import UserError
from engine.interfaces import Batch, State
from engine.outputs import kind_folders
from engine.outputs.check_arrays import packed
from engine.outputs.outputs import Outputs
from engine.prediction import predictions
from engine.prediction.predicted_data import OwnData
from engine.prediction.samples import samples_of
from engine.prediction.thumbnails import NAME
from engine.releases.exported import Predict
from engine.training.experiment import Experiment

TOLERANCE = 1e-6  # of the largest value of an array, and of 1 where all are smaller


def check(
    experiment: Experiment, saved: Outputs, predict: Predict, arrays: Mapping[str, Any], fields: list[str]
) -> float:
    """Predicts a split by an exported program, and compares the predictions with saved outputs.

    Args:
      experiment: of the run.
      saved: outputs of the run.
      predict: the exported program.
      arrays: its variables.
      fields: its inputs.

    Returns:
      The largest difference, as a share of `TOLERANCE`'s scale.

    Raises:
      UserError: the predictions differ.
    """

    def program(state: State, batch: Batch) -> dict[str, np.ndarray]:
        return jax.device_get(predict(state, {name: batch[name] for name in fields}))

    part, declared = (
        OwnData(experiment).split(saved.manifest.split),
        kind_folders.declaration(saved.manifest.kind),
    )
    samples, size, mesh = (
        samples_of(experiment.samples, experiment.dataset, experiment.description.kind),
        experiment.batch_size,
        experiment.parallelism.mesh,
    )
    predicted = predictions.predict(
        program, dict(arrays), part.examples, size, mesh, varying=declared.varying, samples=samples
    )
    decode = experiment.description.decode
    repeated = packed(declared, {**predicted, **part.truth}, saved.ids, decode)
    compared = {name: array for name, array in repeated.items() if name != NAME}
    return max((_difference(name, saved, array) for name, array in compared.items()), default=0.0)


def _difference(name: str, saved: Outputs, array: Any) -> float:
    """Returns the largest difference of an array; raises `UserError` if it is too large."""
    old = saved.arrays.get(name)
    if old is None or len(old) != len(array):
        raise UserError(f'{saved.folder} has no {name} for these examples. Predict again with --overwrite.')
    differences = [_of_example(old[row], array[row]) for row in range(len(old))]
    scale = max([1.0, *(_largest(old[row]) for row in range(len(old)))])
    worst = int(np.argmax(differences)) if differences else 0
    difference = differences[worst] / scale if differences else 0.0
    if not difference <= TOLERANCE:
        raise UserError(
            f'the exported program predicts {name} of {saved.ids[worst]!r} with a difference of '
            f'{differences[worst]:.3g} from {saved.folder}, more than {TOLERANCE * scale:.3g}. Nothing '
            'was released. If code or packages changed since, predict again: scripts/predict.sh --overwrite.'
        )
    return difference


def _of_example(old: Any, new: Any) -> float:
    one, other = (np.asarray(value) for value in (old, new))
    if one.shape != other.shape:
        return np.inf
    if one.dtype.kind not in 'biuf':
        return 0.0 if np.array_equal(one, other) else np.inf
    one, other = one.astype(np.float64), other.astype(np.float64)
    same = (one == other) | (np.isnan(one) & np.isnan(other))
    return float(np.max(np.where(same, 0, np.abs(one - other)), initial=0))


def _largest(values: Any) -> float:
    array = np.asarray(values)
    if array.dtype.kind not in 'f' or not array.size:
        return 0.0
    return float(np.max(np.where(np.isfinite(array), np.abs(array.astype(np.float64)), 0)))
