"""Trains by every kind of optimizer on 8 simulated devices, and prints by how much the ways to work differ.

JAX_NUM_CPU_DEVICES=8 python -m tests.engine.parts.optimizers.on_devices lbfgs sam
"""

import json
import sys
from functools import partial
from typing import Any

import jax
import optax

from engine.interfaces import BoundTask
from engine.parts.optimizers import Chained, Groups
from engine.sharding import Jit, Parallelism, PMap
from research.models.mlp import MLP
from tests.engine import tiny
from tests.engine.training import equivalence

STEPS = 4
WAYS: dict[str, Parallelism] = {'fsdp=8': Jit(data=1, fsdp=8), 'pmap': PMap()}


def sam(learning_rate: float) -> optax.GradientTransformationExtraArgs:
    """Returns SAM by SGD with momentum."""
    ascent = optax.chain(optax.contrib.normalize(), optax.sgd(0.05))
    return optax.contrib.sam(optax.sgd(learning_rate, momentum=0.9), ascent, opaque_mode=True)


OPTIMIZERS: dict[str, tuple[Any, float | None]] = {
    'lbfgs': (optax.lbfgs, None),
    'plateau': (
        Chained((optax.sgd, partial(optax.contrib.reduce_on_plateau, patience=1, cooldown=0))),
        0.1,
    ),
    'sam': (sam, 0.1),
    'schedule_free': (optax.contrib.schedule_free_adamw, 0.01),
    'muon': (optax.contrib.muon, 0.01),
    'groups': (
        Groups(
            optax.adamw,
            (('bias$', {'weight_decay': 0.0}), ('^hidden/', {'optimizer': optax.contrib.schedule_free_sgd})),
        ),
        0.01,
    ),
}


def task(name: str, **arguments: Any) -> BoundTask:
    """Returns a classifier by an optimizer, with clipped gradients of two micro-batches."""
    optimizer, rate = OPTIMIZERS[name]
    settings = {'grad_clip_norm': 0.5, 'accumulation_steps': 2} | arguments
    model = partial(MLP, width=16, depth=1, dropout=0.0)
    return tiny.classification(model, optimizer=optimizer, learning_rate=rate, **settings).bind(tiny.SPEC)


def distances(name: str) -> dict[str, float]:
    """Returns by how much each way is off one device after all steps in float64, metrics included."""
    equivalence.TASKS[name] = lambda _: task(name)
    equivalence.EXAMPLES[name] = tiny.examples(40)

    def run(way: equivalence.Way) -> Any:
        state, metrics = way.put(first), []
        for step in range(STEPS):
            state, result = way.step(state, step)
            metrics.append(result)
        return jax.device_get((state, metrics))

    one = equivalence.Way(name, equivalence.ONE, 'float64')
    first = one.first
    expected = run(one)
    return {
        title: equivalence.distance(expected, run(equivalence.Way(name, way, 'float64')))
        for title, way in WAYS.items()
    }


if __name__ == '__main__':
    assert jax.device_count() == 8
    with jax.enable_x64(True):
        print(json.dumps({name: distances(name) for name in sys.argv[1:]}))
