"""Checks `debug_inputs`, which observers and checks call after the training has begun."""

import jax

from engine.interfaces import Batch
from engine.training.experiment import Experiment
from engine.training.preflight import hooks


def check(experiment: Experiment) -> None:
    """Raises `UserError` unless the inputs of the network are arrays by name, each [B, ...]."""
    rows = experiment.batch_size

    def checked(batch: Batch, key: jax.Array) -> dict[str, jax.Array]:
        arrays = experiment.bound.debug_inputs(batch, key)
        hooks.check_arrays(hooks.named(experiment.bound, 'debug_inputs', 'inputs'), arrays, rows)
        return arrays

    jax.eval_shape(checked, experiment.data.spec.batch(rows), jax.eval_shape(jax.random.key, 0))
