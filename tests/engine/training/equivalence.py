"""Trains one task in every way to work on 8 simulated devices, and prints by how much they differ, as JSON.

JAX_NUM_CPU_DEVICES=8 python -m tests.engine.training.equivalence convnet
"""

import json
import sys
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax

from engine.interfaces import INDEX, BoundTask
from engine.parts.augmentation import Flip, Shift
from engine.parts.losses import cross_entropy_and_dice
from engine.parts.segmentation import Segmentation
from engine.sharding import Jit, Parallelism, PMap
from engine.training.batches.training import from_host
from engine.training.logs.packed import unpack
from engine.training.steps import TRAIN, StepFunctions, compiled, compiler_options, key
from research.models import dcgan, normalization
from research.models.convnet import ConvNet
from research.models.mlp import MLP
from research.models.unet import UNet
from research.tasks.adversarial import Wasserstein
from research.tasks.features import Convolutions
from research.tasks.gan import GAN
from tests.engine import tiny

State = Any
Optimizer = Callable[..., optax.GradientTransformation]

STEPS, BATCH = 50, 16
ONE = Jit(data=1)
WAYS: dict[str, Parallelism] = {
    'data=8': Jit(data=8),
    'fsdp=8': Jit(data=1, fsdp=8),
    'data=2, fsdp=4': Jit(data=2, fsdp=4),
    'pmap': PMap(),
}
ADAM: Optimizer = optax.adamw
# XLA rounds Adam's quotients, now and then, to another last bit in another program.
SGD: Optimizer = partial(optax.sgd, momentum=0.9)


def convnet(optimizer: Optimizer) -> BoundTask:
    model = partial(ConvNet, width=8, dropout=0.0)
    task = tiny.classification(model, optimizer=optimizer, learning_rate=3e-3, augment=Shift())
    return task.bind(tiny.SPEC)


def gan(optimizer: Optimizer) -> BoundTask:
    # Nor is there spectral normalisation, a quotient, or an average: XLA may fuse its product and sum.
    task = GAN(
        generator=partial(dcgan.DCGANGenerator, width=8, stages=1),
        discriminator=partial(dcgan.DCGANDiscriminator, width=8, stages=1, normalization=normalization.none),
        loss=Wasserstein(),
        generator_optimizer=optimizer,
        generator_learning_rate=3e-3,
        discriminator_optimizer=optimizer,
        discriminator_learning_rate=3e-3,
        features=Convolutions('data/digits/classifier.npz'),
        discriminator_steps=2,
        latent_dim=4,
        ema_decay=0.0,
    )
    return task.bind(tiny.SPEC)


def unet(optimizer: Optimizer) -> BoundTask:
    task = Segmentation(
        model=partial(UNet, width=4, stages=2),
        optimizer=optimizer,
        learning_rate=3e-3,
        loss=cross_entropy_and_dice,
        augment=Flip(vertical=True),
    )
    return task.bind(tiny.MASK_SPEC)


TASKS: dict[str, Callable[[Optimizer], BoundTask]] = {'convnet': convnet, 'gan': gan, 'unet': unet}
EXAMPLES = {'convnet': tiny.examples(40), 'gan': tiny.examples(40), 'unet': tiny.masked_examples(40)}


class Cast:
    """A task whose state is in another precision."""

    def __init__(self, bound: BoundTask, dtype: str):
        self._bound, self._dtype = bound, dtype

    def __getattr__(self, name: str) -> Any:
        return getattr(self._bound, name)

    def init_model(self, key: jax.Array) -> tuple[State, State]:
        return self._cast(self._bound.init_model(key))

    def init_training(self, params: State, model_state: State) -> State:
        return self._cast(self._bound.init_training(params, model_state))

    def _cast(self, tree: Any) -> Any:
        def cast(leaf: jax.Array) -> jax.Array:
            return leaf.astype(self._dtype) if jnp.issubdtype(leaf.dtype, jnp.floating) else leaf

        return jax.tree.map(cast, tree)


class Way:
    """One way to work: a compiled step, from state on the host to state and metrics there."""

    def __init__(self, name: str, devices: Parallelism, dtype: str, optimizer: Optimizer = ADAM):
        self._source = from_host(EXAMPLES[name], tiny.order(len(EXAMPLES[name]), BATCH, seed=0), devices)
        programs = StepFunctions(Cast(TASKS[name](optimizer), dtype), devices, seed=0)  # type: ignore[arg-type]
        batch: Any = self._source.shapes(1)
        rows = {field: jax.ShapeDtypeStruct(each.shape[1:], each.dtype) for field, each in batch.items()}
        rows |= {
            INDEX: jax.ShapeDtypeStruct((BATCH,), np.int32),
            'valid': jax.ShapeDtypeStruct((BATCH,), bool),
        }
        self._update = compiled(programs.trace(self._source, rows, [1]).train_steps[1])
        self._shardings = jax.tree.map(lambda leaf: leaf.sharding, programs.state_shapes)
        self.first = jax.device_get(programs.init())

    def put(self, state: State) -> State:
        return jax.device_put(state, self._shardings)

    def step(self, state: State, step: int) -> tuple[State, dict[str, Any]]:
        state, metrics = self._update(state, self._source.inputs(step, 1), np.int32(step))
        return state, {name: quotient(*sums) for name, sums in unpack([metrics]).items()}


def quotient(total: Any, count: Any) -> Any:
    """Returns the value of a metric, of each class if it is made of several; 0 for a class without count."""
    return total / np.where(count, count, 1)


def distance(one: Any, other: Any) -> float:
    """Returns the largest difference between two trees, relative where values are above 1."""

    def apart(a: Any, b: Any) -> float:
        a, b = (np.asarray(each, np.float64) for each in (a, b))
        return float(np.max(np.abs(a - b) / np.maximum(1, np.abs(a)), initial=0))

    return max(jax.tree.leaves(jax.tree.map(apart, *jax.device_get((one, other)))))


def free(name: str) -> dict[str, float]:
    """Returns by how much each way is off after all steps in float64, metrics of every step included."""

    def run(way: Way) -> tuple[State, list[Any]]:
        state, metrics = way.put(first), []
        for step in range(STEPS):
            state, result = way.step(state, step)
            metrics.append(result)
        return jax.device_get((state, metrics))

    with jax.enable_x64(True):
        one = Way(name, ONE, 'float64')
        first = one.first  # of all, for first parameters are drawn in float32 and rounded as the way has it
        expected = run(one)
        return {title: distance(expected, run(Way(name, each, 'float64'))) for title, each in WAYS.items()}


def from_common_states(name: str) -> dict[str, float]:
    """Returns by how much a step of each way is off at most, each from a state that one device came to."""
    one, ways = Way(name, ONE, 'float32'), {title: Way(name, each, 'float32') for title, each in WAYS.items()}
    state, worst = one.first, dict.fromkeys(ways, 0.0)
    for step in range(STEPS):
        expected = jax.device_get(one.step(one.put(state), step))
        for title, way in ways.items():
            worst[title] = max(worst[title], distance(expected, way.step(way.put(state), step)))
        state = expected[0]
    return worst


def pmap_steps(name: str, first: State) -> Iterator[tuple[State, Any]]:
    """Yields states and metrics of a trainer that is written with `jax.pmap` itself."""
    bound, devices = TASKS[name](SGD), jax.device_count()
    source = from_host(EXAMPLES[name], tiny.order(len(EXAMPLES[name]), BATCH, seed=0), ONE)

    @partial(jax.pmap, axis_name='data')
    def update(state: State, batch: Any, step: jax.Array) -> tuple[State, Any]:
        state, metrics = bound.update(state, batch, key(0, TRAIN, step))
        return state, jax.lax.psum(metrics, 'data')

    state = jax.tree.map(lambda leaf: np.broadcast_to(leaf, (devices, *np.shape(leaf))), first)
    program: Any = None
    for step in range(STEPS):
        batch = {field: each[0] for field, each in source.inputs(step, 1).items()}
        batch[INDEX] = np.arange(BATCH, dtype=np.int32)
        parts = {field: each.reshape(devices, -1, *each.shape[1:]) for field, each in batch.items()}
        arguments = state, parts, np.full(devices, step, np.int32)
        program = program or update.lower(*arguments).compile(compiler_options())  # as `compiled` does
        state, metrics = program(*arguments)
        yield jax.tree.map(lambda leaf: leaf[0], jax.device_get((state, metrics)))


def pmap_differs(name: str) -> int:
    """Returns how many states of `PMap` differ in any bit from those of `jax.pmap`."""
    way, differing = Way(name, PMap(), 'float32', SGD), 0
    state = way.put(way.first)
    for step, expected in enumerate(pmap_steps(name, way.first)):
        state, metrics = way.step(state, step)
        sums = jax.device_get(expected[1]).items()
        values = {name: quotient(each.total, each.count) for name, each in sums}
        pairs = jax.device_get((state, metrics)), (expected[0], values)
        equal = jax.tree.map(lambda a, b: np.array_equal(a.ravel(), b.ravel()), *pairs)
        differing += not all(jax.tree.leaves(equal))
    return differing


def largest_share() -> float:
    """Returns which part of parameters and optimizer state the fullest of 8 devices holds, of a large MLP."""
    wide = tiny.classification(partial(MLP, width=1024, depth=2, dropout=0.0), optimizer=optax.adamw)
    state = StepFunctions(wide.bind(tiny.SPEC), Jit(data=1, fsdp=8), seed=0).init()
    leaves = jax.tree.leaves([state['params'], state['opt_state']])
    assert sum(leaf.size for leaf in jax.tree.leaves(state['params'])) > 10**6
    held = [sum(leaf.addressable_shards[device].data.nbytes for leaf in leaves) for device in range(8)]
    return max(held) / sum(leaf.nbytes for leaf in leaves)


if __name__ == '__main__':
    assert jax.device_count() == 8
    task = sys.argv[1]
    results = {'free': free(task), 'common': from_common_states(task), 'pmap_differs': pmap_differs(task)}
    print(json.dumps(results | ({'largest_share': largest_share()} if task == 'convnet' else {})))
