"""Checks `debug_inputs`, which observers and checks call after the training has begun."""

import jax
import numpy as np

from engine.interfaces import INDEX, Batch
from engine.training import steps
from engine.training.experiment import Experiment
from engine.training.preflight import hooks


def check(experiment: Experiment) -> None:
    """Raises `UserError` unless the inputs of the network are arrays by name, each [B, ...]."""
    rows = experiment.batch_size
    fields = {
        name: jax.ShapeDtypeStruct((rows, *field.shape), field.dtype)
        for name, field in experiment.data.spec.example.items()
    }
    batch = {**fields, INDEX: jax.ShapeDtypeStruct((rows,), np.int32)}

    def checked(batch: Batch, key: jax.Array) -> dict[str, jax.Array]:
        arrays = experiment.bound.debug_inputs(batch, key)
        hooks.check_arrays(hooks.named(experiment.bound, 'debug_inputs', 'inputs'), arrays, rows)
        return arrays

    jax.eval_shape(checked, batch, steps.key(0, steps.TRAIN, 0))
