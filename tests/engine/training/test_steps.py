"""Programs on the devices: groups of steps against single ones, keys, and what a task must not do."""

import dataclasses
from functools import partial
from itertools import product
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from engine import sharding
from engine.interfaces import INDEX, VALID
from engine.parts.augmentation import Shift
from engine.sharding import Jit
from engine.training import steps
from engine.training.batches.on_device import OnDevice
from engine.training.logs.packed import unpack
from engine.training.steps import INIT, TRAIN, StepFunctions, compiled
from research.models.mlp import MLP
from tests.engine import tiny

MESH = Jit(data=1)
SOURCE = OnDevice(tiny.examples(7), tiny.order(7, 4, seed=0), MESH)
BOUND = tiny.classification().bind(tiny.SPEC)
MODELS = {'mlp': partial(MLP, width=8, depth=1, dropout=0.5), 'convnet': tiny.MODELS['convnet']}


@pytest.fixture(scope='module')
def first() -> Any:
    """The first state of the bound task, on the host."""
    return jax.device_get(StepFunctions(BOUND, MESH, seed=0).init())


@pytest.mark.parametrize('model', MODELS)
def test_a_group_of_steps_is_those_steps(model: str) -> None:
    made = StepFunctions(tiny.classification(MODELS[model]).bind(tiny.SPEC), MESH, seed=0)
    traced = made.trace(SOURCE, tiny.batch(4), [1, 2])
    single, group = (compiled(traced.train_steps[count]) for count in (1, 2))
    state, expected = made.init(), []
    start = jax.tree.map(jnp.copy, state)
    for step in (6, 7):
        state, metrics = single(state, SOURCE.inputs(step, 1), np.int32(step))
        expected.append(metrics)
    state_of_group, metrics = group(start, SOURCE.inputs(6, 2), np.int32(6))
    close = partial(np.testing.assert_allclose, rtol=1e-5, atol=1e-6)
    jax.tree.map(close, jax.device_get(state), jax.device_get(state_of_group))
    sums = unpack([metrics])
    jax.tree.map(close, unpack(expected), sums)
    assert {leaf.shape for leaf in jax.tree.leaves(sums)} == {(2,)}


def test_the_state_is_given_away(first: Any) -> None:
    """Nobody keeps two copies of a large model."""
    state = jax.device_put(first, sharding.replicated(MESH.mesh))
    compiled(tiny.traced(BOUND, MESH, SOURCE, 4, 1).train_steps[1])(state, SOURCE.inputs(0, 1), np.int32(0))
    assert all(leaf.is_deleted() for leaf in jax.tree.leaves(state))


def test_keys_are_told_apart_by_seed_stream_and_step() -> None:
    keys = [
        jax.random.key_data(steps.key(seed, stream, step)).tobytes()
        for seed, stream, step in product((0, 1, 2), (INIT, TRAIN), (0, 1, 2, 10**6))
    ]
    assert len(set(keys)) == len(keys)


def test_a_key_depends_on_nothing_else() -> None:
    traced = jax.jit(lambda step: jax.random.key_data(steps.key(3, TRAIN, step)))(np.int32(5))
    np.testing.assert_array_equal(traced, jax.random.key_data(steps.key(3, TRAIN, 5)))


def test_the_first_state_is_a_function_of_the_seed(first: Any) -> None:
    again, other = (jax.device_get(StepFunctions(BOUND, MESH, seed).init()) for seed in (0, 1))
    jax.tree.map(np.testing.assert_array_equal, first, again)
    assert not np.array_equal(first['params']['output']['kernel'], other['params']['output']['kernel'])


def test_the_shapes_of_the_state_are_those_of_the_state() -> None:
    made = StepFunctions(BOUND, Jit(data=2), seed=0)
    shapes, state = made.state_shapes, made.init()
    assert jax.tree.structure(shapes) == jax.tree.structure(state)
    for shape, leaf in zip(jax.tree.leaves(shapes), jax.tree.leaves(state), strict=True):
        assert (shape.shape, shape.dtype) == (leaf.shape, leaf.dtype)
        assert shape.sharding.is_equivalent_to(leaf.sharding, leaf.ndim)


def test_the_first_batch_is_seen_as_training_sees_it(first: Any) -> None:
    bound = tiny.classification(augment=Shift(2)).bind(tiny.SPEC)
    batch: Any = {name: array[SOURCE.inputs(0, 1)[1][0]] for name, array in tiny.examples(7).arrays.items()}
    batch[INDEX] = np.arange(4, dtype=np.int32)
    made = StepFunctions(bound, MESH, seed=0)
    output, _ = bound.network(first['params'], first['model_state'], made.first_inputs(batch)['inputs'])
    expected = bound.task.per_example(output, batch)['loss'].mean()
    update = compiled(made.trace(SOURCE, tiny.batch(4), [1]).train_steps[1])
    state = jax.device_put(first, sharding.replicated(MESH.mesh))
    _, metrics = update(state, SOURCE.inputs(0, 1), np.int32(0))
    total, _ = unpack([metrics])['loss']
    np.testing.assert_allclose(total[0] / 4, expected, rtol=1e-5)


def test_evaluate_and_predict_are_those_of_the_task(first: Any) -> None:
    mesh, batch = Jit(data=2), tiny.batch(4)
    batch[VALID] = np.array([True, True, False, True])
    traced = tiny.traced(BOUND, mesh, OnDevice(tiny.examples(7), tiny.order(7, 4, 0), mesh), 4, 1)
    state = jax.device_put(first, sharding.replicated(mesh.mesh))
    close = partial(np.testing.assert_allclose, rtol=1e-5, atol=1e-6)
    expected = {name: (each.total, each.count) for name, each in BOUND.evaluate(first, batch).items()}
    sums = unpack([compiled(traced.evaluate)(state, batch)])
    jax.tree.map(close, sums, jax.tree.map(lambda x: x[None], expected))
    jax.tree.map(close, compiled(traced.predict)(state, batch), BOUND.predict(first, batch))


@dataclasses.dataclass(frozen=True)
class Careless:
    """A bound task whose training step changes the state by a function of the user's."""

    bound: Any
    change: Any

    def __getattr__(self, name: str) -> Any:
        return getattr(self.bound, name)

    def update(self, state: Any, batch: Any, key: Any) -> Any:
        state, metrics = self.bound.update(state, batch, key)
        return self.change(state), metrics


CARELESS = {
    'another dtype': (
        lambda state: state | {'steps': state['steps'].astype(jnp.float32)},
        r"state\['steps'\] from \(\(\), dtype\('int32'\)\) into \(\(\), dtype\('float32'\)\)",
    ),
    'another shape': (lambda state: state | {'steps': state['steps'][None]}, r"state\['steps'\] from"),
    'one more': (lambda state: state | {'more': jnp.zeros(2)}, r"state\['more'\] from None into"),
    'one less': (lambda state: {k: v for k, v in state.items() if k != 'steps'}, r"state\['steps'\].* None"),
}


@pytest.mark.parametrize('case', CARELESS)
def test_a_step_must_leave_the_state_of_the_same_kind(case: str) -> None:
    change, message = CARELESS[case]
    bound: Any = Careless(BOUND, change)
    with pytest.raises(TypeError, match=message):
        tiny.traced(bound, MESH, SOURCE, 4, 1)
