"""Compares an exported program with the outputs that a run has saved, before it is released."""

from collections.abc import Mapping
from typing import Any

import jax
import numpy as np

from engine.errors import UserError
from engine.interfaces import Batch, State
from engine.outputs import kind_folders
from engine.outputs.check_arrays import packed
from engine.outputs.kind import Kind
from engine.outputs.outputs import Outputs
from engine.prediction import predictions
from engine.prediction.predicted_data import OwnData
from engine.prediction.samples import samples_of
from engine.prediction.thumbnails import NAME
from engine.releases import difference, tolerance
from engine.releases.exported import Predict
from engine.releases.tolerance import Tolerance
from engine.training.experiment import Experiment

_AGAIN = (
    'Nothing was released. If code, packages or the device changed since, predict again: '
    'scripts/predict.sh --overwrite.'
)


def check(
    experiment: Experiment, saved: Outputs, predict: Predict, arrays: Mapping[str, Any], fields: list[str]
) -> tuple[float, Tolerance]:
    """Predicts a split by an exported program, and compares the predictions with saved outputs.

    Args:
      experiment: of the run.
      saved: outputs of the run.
      predict: the exported program.
      arrays: its variables.
      fields: its inputs.

    Returns:
      The largest difference of floats, as a share of the largest value of their array, and of 1 where all
      are smaller; and how large it might be.

    Raises:
      UserError: the predictions differ, or those of an example depend on the size of its batch.
    """
    allowed = tolerance.of_program(experiment.traced.predict, jax.default_backend())
    firsts: list[tuple[dict[str, Any], dict[str, np.ndarray]]] = []  # of the first example: inputs, results

    def program(state: State, batch: Batch) -> dict[str, np.ndarray]:
        inputs = {name: batch[name] for name in fields}
        results = jax.device_get(predict(state, inputs))
        if not firsts:
            firsts.append(({name: array[:1] for name, array in inputs.items()}, _first(results)))
        return results

    part, declared = (
        OwnData(experiment).split(saved.manifest.split),
        kind_folders.declaration(saved.manifest.kind),
    )
    samples, size, mesh = (
        samples_of(experiment.samples, experiment.dataset, experiment.description.kind),
        experiment.batch_size,
        experiment.parallelism.mesh,
    )
    state = jax.device_put(dict(arrays))
    predicted = predictions.predict(
        program, state, part.examples, size, mesh, varying=declared.varying, samples=samples
    )
    decode = experiment.description.decode
    repeated = packed(declared, {**predicted, **part.truth}, saved.ids, decode)
    for inputs, results in firsts:
        check_alone(predict, state, inputs, results, allowed.of_other_batches)
    compared = {name: array for name, array in repeated.items() if name != NAME}
    shares = [checked(name, saved, array, declared, allowed) for name, array in compared.items()]
    return max(shares, default=0.0), allowed


def _first(arrays: Mapping[str, Any]) -> dict[str, np.ndarray]:
    return {name: np.asarray(array)[:1] for name, array in arrays.items()}


def check_alone(
    predict: Predict,
    arrays: Mapping[str, Any],
    inputs: Mapping[str, Any],
    results: Mapping[str, np.ndarray],
    allowed: Tolerance,
) -> None:
    """Predicts an example alone, and compares that with its prediction in a batch.

    Args:
      predict: the exported program.
      arrays: its variables.
      inputs: its inputs, each [1, ...].
      results: what it has predicted of these inputs in a batch, each [1, ...].
      allowed: how much predictions may differ in batches of another size.

    Raises:
      UserError: the predictions differ.
    """
    try:
        alone = jax.device_get(predict(arrays, inputs))
    except (TypeError, ValueError) as error:
        raise UserError(
            'the exported program cannot predict a single example, so the code that predicts needs batches '
            'of certain sizes, as if it reshapes the axis of the batch. Nothing was released.'
        ) from error
    for name, array in alone.items():
        found = difference.between(results[name], array)
        if not allowed.accepts(found):
            raise UserError(
                f'the prediction {name!r} of an example differs by {found.share:.3g} if the example is alone '
                'in its batch, so it depends on the other examples. That happens if batch normalization is '
                'in training mode, or if code computes over the axis of the batch. Nothing was released.'
            )


def checked(name: str, saved: Outputs, array: Any, declared: Kind, allowed: Tolerance) -> float:
    """Compares an array that the exported program has predicted with the saved one.

    Returns:
      The largest difference of floats, as a share of the largest value and of 1; 0 of other values.

    Raises:
      UserError: more differs than rounding explains.
    """
    old = saved.arrays.get(name)
    if old is None or len(old) != len(array):
        rows = 'none' if old is None else len(old)
        raise UserError(
            f'the exported program predicts {len(array)} rows of {name!r}, and {saved.folder} has {rows}. '
            f'{_AGAIN}'
        )
    found = difference.between(old, array)
    if not (tolerance.EQUAL if name in declared.from_data else allowed).accepts(found):
        example = f' of {saved.ids[found.row]!r}' if declared.rows(name) == 'n' else ''
        raise UserError(
            f'the exported program predicts {name!r}{example} with a difference of {found.share:.3g} from '
            f'{saved.folder}, more than rounding in {allowed.precision} explains. {_AGAIN}'
        )
    return found.share if found.of_floats else 0.0
