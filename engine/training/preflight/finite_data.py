"""Looks for NaN and infinity in the data, and checks that they do not reach a metric.

A task may mask missing values, so NaN in the data alone is not a mistake.
"""

import math
from collections.abc import Iterable, Mapping

import numpy as np

from engine import sharding
from engine.datasets.orders.order import MAIN
from engine.datasets.reading.dataset import Examples
from engine.errors import UserError
from engine.interfaces import INDEX, VALID
from engine.training.batches.evaluation import evaluation_batches
from engine.training.experiment import Experiment
from engine.training.logs.metrics import merged
from engine.training.preflight.examples import affordable
from engine.training.steps import compiled


def check(experiment: Experiment) -> None:
    """Evaluates the examples that hold NaN or infinity, if there are any.

    Steps of the training are left out if the experiment skips those whose metrics are not finite.

    Args:
      experiment: a traced experiment.

    Raises:
      UserError: a metric of one of these examples is NaN or infinite.
    """
    sets = [(each.name, each.data, each.examples) for each in experiment.validation.sets]
    if experiment.nonfinite == 'stop':
        sets.append(('train', experiment.data, experiment.parts[MAIN].examples))
    for split, data, examples in sets:
        suspects = nonfinite(examples)
        metrics = _metrics(experiment, examples, suspects) if suspects else {}
        for metric, value in sorted(metrics.items(), key=lambda pair: pair[0] != 'loss'):
            if not math.isfinite(value):
                raise UserError(_message(f'{split} of {data.name}', examples, suspects, metric, value))


def nonfinite(examples: Examples) -> dict[int, str]:
    """Returns the examples with a number that is not finite, and a field that holds it.

    Of large fields, evenly spaced examples are read.
    """
    suspects: dict[int, str] = {}
    for field, array in examples.arrays.items():
        if array.dtype.kind == 'f':
            indices = affordable(array)
            values = array[indices].reshape(len(indices), -1)
            for index in indices[~np.isfinite(values).all(1)]:
                suspects.setdefault(int(index), field)
    return suspects


def _metrics(experiment: Experiment, examples: Examples, suspects: Iterable[int]) -> dict[str, float]:
    """Returns the metrics of a batch of some examples, before training."""
    size, mesh = experiment.evaluated_rows, experiment.parallelism.mesh
    rows = np.resize(list(suspects), size)
    batch = next(evaluation_batches(examples, size, mesh))
    gathered = {name: array[rows] for name, array in examples.arrays.items()}
    batch = batch | gathered | {INDEX: rows.astype(np.int32), VALID: np.ones(size, bool)}
    placed = sharding.shard(batch, sharding.batch_sharding(mesh))
    return merged([compiled(experiment.traced.evaluate)(experiment.step_functions.init(), placed)])


def _message(where: str, examples: Examples, suspects: Mapping[int, str], metric: str, value: float) -> str:
    index, field = next(iter(suspects.items()))
    return (
        f'{where}: the field {field!r} of {examples.ids[index]!r} holds NaN or infinity, as '
        f'{len(suspects):,} of the examples that were read do, and makes {metric} {value}. Correct the data, '
        'or let the task leave such values out of its loss and metrics.'
    )
