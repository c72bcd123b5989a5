"""Steps of optimizers against steps by hand."""

from functools import partial
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from engine import sharding, variables
from engine.interfaces import BoundTask, Spec, State
from engine.parts.optimizers import Chained, Groups
from engine.parts.regression import Regression
from engine.sharding import Jit
from engine.training.checkpointing.checkpoints import Checkpoints
from engine.training.steps import first_state
from research.models.mlp import MLP
from tests.engine import tiny
from tests.engine.parts.optimizers import on_devices

BATCH = tiny.batch(12)


def states(bound: BoundTask, steps: int, state: State | None = None, start: int = 0) -> list[State]:
    """Returns the first state and the state after each step on the same batch."""
    update = jax.jit(bound.update)
    result = [first_state(bound, jax.random.key(0)) if state is None else state]
    for step in range(start, start + steps):
        result.append(update(result[-1], BATCH, jax.random.key(step))[0])
    return result


def assert_same_bits(one: Any, other: Any) -> None:
    assert jax.tree.structure(one) == jax.tree.structure(other)
    jax.tree.map(np.testing.assert_array_equal, one, other)


def test_lbfgs_reaches_the_closed_form_of_least_squares() -> None:
    random = np.random.default_rng(0)
    batch: Any = {
        'features': random.normal(size=(40, 5)).astype(np.float32),
        'targets': random.normal(size=(40, 2)).astype(np.float32),
    }
    spec = Spec({name: jax.ShapeDtypeStruct(array.shape[1:], np.float32) for name, array in batch.items()})
    linear = partial(MLP, depth=0)
    bound = Regression(model=linear, optimizer=optax.lbfgs, learning_rate=None).bind(spec)
    state, update, metrics = first_state(bound, jax.random.key(0)), jax.jit(bound.update), {}
    for step in range(25):
        state, metrics = update(state, batch, jax.random.key(step))
    assert metrics.keys() == {'loss', 'absolute_error', 'gradient_norm'}
    design = np.column_stack([batch['features'], np.ones(40)]).astype(np.float64)
    solution = np.linalg.lstsq(design, batch['targets'].astype(np.float64))[0]
    output = state['params']['output']
    np.testing.assert_allclose(np.vstack([output['kernel'], output['bias'][None]]), solution, atol=1e-5)


def test_a_plateau_lowers_the_rate_and_the_log_shows_it() -> None:
    plateau = partial(optax.contrib.reduce_on_plateau, factor=0.5, patience=2, cooldown=0)
    bound = tiny.classification(optimizer=Chained((optax.sgd, plateau)), learning_rate=1e-9).bind(tiny.SPEC)
    state, update, rates = first_state(bound, jax.random.key(0)), jax.jit(bound.update), []
    for step in range(7):  # nothing improves; the first value is the best one
        state, metrics = update(state, BATCH, jax.random.key(step))
        rates.append(float(metrics['learning_rate'].total))
    np.testing.assert_allclose(rates, np.array([1, 1, 0.5, 0.5, 0.25, 0.25, 0.125]) * 1e-9, rtol=1e-6)


def loss_and_gradients(bound: Any, params: State) -> tuple[jax.Array, State]:
    def loss(params: State) -> jax.Array:
        logits, _ = bound.network(params, {}, bound.task.inputs(BATCH))
        return optax.softmax_cross_entropy_with_integer_labels(logits, BATCH['label']).mean()

    return jax.value_and_grad(loss)(params)


def test_a_step_of_sam_is_that_of_the_paper() -> None:
    bound = tiny.classification(optimizer=on_devices.sam, learning_rate=0.1).bind(tiny.SPEC)
    before, after, second = (state['params'] for state in states(bound, 2))
    momentum = jax.tree.map(jnp.zeros_like, before)
    for params, result in ((before, after), (after, second)):
        _, grads = loss_and_gradients(bound, params)
        norm = optax.tree.norm(grads)
        nearby = jax.tree.map(lambda p, g, norm=norm: p + 0.05 * g / norm, params, grads)
        _, grads = loss_and_gradients(bound, nearby)
        momentum = jax.tree.map(lambda m, g: 0.9 * m + g, momentum, grads)
        expected = jax.tree.map(lambda p, m: p - 0.1 * m, params, momentum)
        jax.tree.map(partial(np.testing.assert_allclose, rtol=1e-5, atol=1e-7), result, expected)


def test_muon_is_that_of_optax() -> None:
    bound = tiny.classification(optimizer=optax.contrib.muon, learning_rate=0.05).bind(tiny.SPEC)
    result = states(bound, 3)
    optimizer = optax.contrib.muon(0.05)
    params: Any = result[0]['params']
    opt_state = optimizer.init(params)
    for _ in range(3):
        _, grads = loss_and_gradients(bound, params)
        updates, opt_state = optimizer.update(grads, opt_state, params)
        params = optax.apply_updates(params, updates)
    jax.tree.map(partial(np.testing.assert_allclose, rtol=1e-3, atol=1e-5), result[-1]['params'], params)


@pytest.mark.parametrize(
    'name',
    [pytest.param(name, marks=pytest.mark.slow if name == 'muon' else ()) for name in on_devices.OPTIMIZERS],
)
def test_a_restored_state_continues_to_the_same_bits(name: str, tmp_path: Path) -> None:
    bound = on_devices.task(name, frozen=('^output/bias',), accumulation_steps=1)
    whole = states(bound, 3)
    shapes = sharding.abstract_sharded(whole[0], sharding.replicated(Jit(data=1).mesh))
    with Checkpoints(tmp_path / 'checkpoints') as checkpoints:
        checkpoints.save('latest', 2, whole[2])
        checkpoints.wait()
        restored = checkpoints.restore('latest', 2, shapes)
    assert_same_bits(restored, whole[2])
    assert_same_bits(states(bound, 1, restored, start=2)[-1], whole[3])


class TestFrozen:
    """Frozen variables, of a model with batch statistics."""

    FROZEN = ('^stages/', 'output/bias')

    def task(self, **arguments: Any) -> Any:
        model = tiny.MODELS['convnet']
        return tiny.classification(model, frozen=self.FROZEN, **arguments).bind(tiny.SPEC)

    def test_they_stay_to_the_bit_and_are_nowhere_else(self) -> None:
        bound = self.task(optimizer=optax.adamw, ema_decay=0.9)
        first, *_, last = states(bound, 3)
        for tree in ('params', 'model_state'):
            before, after = variables.by_path(first[tree]), variables.by_path(last[tree])
            changed = {path for path in before if not np.array_equal(before[path], after[path])}
            assert changed == ({'output/kernel'} if tree == 'params' else set())
        assert variables.by_path(last['ema_params']).keys() == {'output/kernel'}
        shape = first['params']['output']['kernel'].shape
        arrays = [leaf for leaf in jax.tree.leaves(last['opt_state']) if leaf.ndim]
        assert [leaf.shape for leaf in arrays] == [shape, shape]  # both moments of Adam

    def test_the_norm_and_clipping_leave_them_out(self) -> None:
        bound = self.task(optimizer=optax.sgd, learning_rate=1.0, grad_clip_norm=1e-3)
        state = first_state(bound, jax.random.key(0))

        def loss(kernel: jax.Array) -> jax.Array:
            params = state['params'] | {'output': state['params']['output'] | {'kernel': kernel}}
            logits, _ = bound.network(params, state['model_state'], bound.task.inputs(BATCH))
            return optax.softmax_cross_entropy_with_integer_labels(logits, BATCH['label']).mean()

        kernel = state['params']['output']['kernel']
        gradient = jax.grad(loss)(kernel)
        new, metrics = jax.jit(bound.update)(state, BATCH, jax.random.key(0))
        assert float(metrics['gradient_norm'].total) == pytest.approx(
            float(jnp.linalg.norm(gradient)), rel=1e-5
        )
        step = kernel - new['params']['output']['kernel']
        np.testing.assert_allclose(step, 1e-3 * gradient / jnp.linalg.norm(gradient), rtol=1e-2, atol=1e-7)


def test_groups_of_schedule_free_with_frozen_parameters_train() -> None:
    rules = (('kernel$', {'learning_rate_factor': 0.5}),)
    bound = tiny.classification(
        optimizer=Groups(optax.contrib.schedule_free_sgd, rules), frozen=('^hidden/0/',)
    ).bind(tiny.SPEC)
    first, *_, last = states(bound, 3)
    assert_same_bits(first['params']['hidden'][0], last['params']['hidden'][0])
    assert not np.array_equal(first['params']['output']['kernel'], last['params']['output']['kernel'])
