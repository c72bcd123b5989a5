"""A task on two batches at once, trained on the devices that there are."""

import math
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax

from engine.datasets.orders.order import MAIN, Part, Shuffled
from engine.interfaces import Batch, Spec, keys_by_row
from engine.parts.classification import Classification
from engine.sharding import Parallelism
from engine.training.batches.training import training_source
from engine.training.logs.packed import unpack
from engine.training.steps import StepFunctions, compiled
from tests.engine import tiny

BATCH, MULTIPLE, STEPS = 16, 3, 6
SPEC = replace(tiny.SPEC, parts={'aside': replace(tiny.SPEC, multiple=MULTIPLE)})


@dataclass(frozen=True, kw_only=True)
class TwoBatches(Classification):
    """Cross-entropy of the main part, and entropy of the predictions for the part `aside`.

    Args:
      weight: of the entropy.
    """

    weight: float = 1.0

    def augment_batch(self, batch: Batch, key: jax.Array) -> Batch:
        """Returns the batch with noise in the images of both parts."""
        noisy = super().augment_batch(batch, key)
        return {
            **noisy,
            'aside': {**batch['aside'], 'noise': _noise(batch['aside'], jax.random.fold_in(key, 9))},
        }

    def first_loss(self, spec: Spec) -> float:
        """Returns the cross-entropy and the entropy of guessing."""
        return (1 + self.weight) * math.log(len(spec.class_names[self.label]))

    def inputs(self, batch: Batch) -> jax.Array:
        """Returns the images of the main part, then those of the other."""
        main = super().inputs(batch)
        if 'aside' not in batch:
            return main
        return jnp.concatenate([main, super().inputs(batch['aside']) + batch['aside']['noise']])

    def debug_inputs(self, batch: Batch) -> dict[str, jax.Array]:
        """Returns the images of the main part."""
        return {'inputs': super().inputs(batch)}

    def per_example(self, output: jax.Array, batch: Batch) -> dict[str, jax.Array]:
        """Returns loss, accuracy and entropy of each example; that of the rows that belong to it."""
        rows = len(batch[self.label])
        metrics = super().per_example(output[:rows], batch)
        if 'aside' not in batch:
            return metrics
        probabilities = jax.nn.softmax(output[rows:])
        entropies = -jnp.sum(probabilities * jax.nn.log_softmax(output[rows:]), -1).reshape(rows, -1).mean(1)
        return metrics | {'loss': metrics['loss'] + self.weight * entropies, 'entropy': entropies}


def _noise(part: Batch, key: jax.Array) -> jax.Array:
    draw = partial(jax.random.normal, shape=part['image'].shape[1:])
    return 0.1 * jax.vmap(draw)(keys_by_row(key, part))


def parts() -> dict[str, Part]:
    """Returns the parts of the training data."""
    return {
        MAIN: tiny.part(tiny.examples(40), BATCH),
        'aside': tiny.part(tiny.examples(100), BATCH * MULTIPLE),
    }


def trained(parallelism: Parallelism, count: int = 1, **settings: Any) -> Any:
    """Returns the state after some steps, and the values of the metrics of each of them."""
    task = TwoBatches(model=tiny.MODELS['mlp'], learning_rate=0.1, **{'optimizer': optax.sgd, **settings})
    functions = StepFunctions(task.bind(SPEC), parallelism, seed=0)
    source = training_source(parts(), Shuffled().bind(parts(), 0), 0, parallelism)
    program = compiled(functions.trace(source, tiny.batch(BATCH), [count]).train_steps[count])
    state, measured = functions.init(), []
    for step in range(0, STEPS, count):
        state, metrics = program(state, source.inputs(step, count), np.int32(step))
        measured.append({name: total / each for name, (total, each) in unpack([metrics]).items()})
    return jax.device_get(state), {
        name: np.concatenate([each[name] for each in measured]) for name in measured[0]
    }
