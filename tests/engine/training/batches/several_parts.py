"""Makes batches of two parts in all ways, and prints whether each is right, as JSON.

JAX_NUM_CPU_DEVICES=8 python -m tests.engine.training.batches.several_parts
"""

import json
from typing import Any

import jax
import numpy as np

from engine.datasets.orders.order import MAIN
from engine.parts.orders import Balanced
from engine.sharding import Jit, Parallelism, PMap, batch_sharding
from engine.training.batches import training
from engine.training.batches.training import training_batch, training_source
from tests.engine import tiny

WAYS: dict[str, Parallelism] = {'data=8': Jit(data=8), 'data=2, fsdp=4': Jit(data=2, fsdp=4), 'pmap': PMap()}
PARTS = {MAIN: tiny.part(tiny.examples(11), 8), 'unlabelled': tiny.part(tiny.examples(37), 24)}
SEED, COUNT = 3, 2


def batches(parallelism: Parallelism, order: Any, step: int) -> list[Any]:
    """Returns the batches of two steps that a program is given, as a task sees them."""
    source = training_source(PARTS, order, SEED, parallelism)

    def program(payload: Any) -> list[Any]:
        return [parallelism.batch(source.batch(payload, index)) for index in range(COUNT)]

    shapes = source.shapes(COUNT)
    out = jax.tree.map(lambda _: batch_sharding(parallelism.mesh), jax.eval_shape(outside(source), shapes))
    traced = parallelism.trace(program, (shapes,), out)
    return jax.device_get(traced.lower().compile()(source.inputs(step, COUNT)))


def outside(source: Any) -> Any:
    """Returns the same program without its devices, for the structure of what it returns."""
    return lambda payload: [Jit(data=1).batch(source.batch(payload, index)) for index in range(COUNT)]


def is_right(parallelism: Parallelism, order: Any, step: int) -> bool:
    """Whether all arrays are those of the whole batches on the host."""
    expected = [training_batch(PARTS, order, SEED, step + offset) for offset in range(COUNT)]
    assert [*expected[0]['unlabelled']['index']] == [*range(24)]
    actual = batches(parallelism, order, step)
    return jax.tree.all(jax.tree.map(np.array_equal, actual, expected))


if __name__ == '__main__':
    assert jax.device_count() == 8
    results = {}
    for place, limit in (('devices', 2**30), ('host', 0), ('one on each', 40 * 8)):
        training.MAX_DEVICE_BYTES = limit
        for name, way in WAYS.items():
            results[f'{place}, {name}'] = is_right(way, Balanced().bind(PARTS, SEED), 10**6)
    print(json.dumps(results))
