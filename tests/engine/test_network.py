"""A Flax model as a pure function of (parameters, model_state, x, key)."""

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from engine.errors import UserError
from engine.interfaces import average
from engine.network import Network


class Model(nnx.Module):
    """One of each: parameters, batch statistics, two dropouts with randomness of their own."""

    def __init__(self, *, rngs: nnx.Rngs):
        self.inner = nnx.Linear(6, 64, rngs=rngs)
        self.norm = nnx.BatchNorm(64, momentum=0.5, rngs=rngs)
        self.one, self.other = nnx.Dropout(0.5, rngs=rngs), nnx.Dropout(0.5, rngs=rngs)

    def __call__(self, x: jax.Array) -> dict[str, jax.Array]:
        x = self.norm(self.inner(x))
        return {'features': x, 'one': self.one(jnp.ones_like(x)), 'other': self.other(jnp.ones_like(x))}


X: Any = np.random.default_rng(0).normal(2, 3, (8, 6)).astype(np.float32)


@pytest.fixture(scope='module')
def network() -> Network:
    return Network(lambda rngs: Model(rngs=rngs))


@pytest.fixture(scope='module')
def state(network: Network) -> Any:
    return network.init(jax.random.key(0))


@pytest.fixture(scope='module')
def call(network: Network, state: Any) -> Any:
    """Returns (output, model_state) of a call in training mode with a seed, in evaluation mode without."""
    train = jax.jit(lambda params, model_state, key: network(params, model_state, X, key=key))
    evaluate = jax.jit(lambda params, model_state: network(params, model_state, X))

    def call(seed: int | None, model_state: Any = state[1]) -> Any:
        if seed is None:
            return jax.device_get(evaluate(state[0], model_state))
        return jax.device_get(train(state[0], model_state, jax.random.key(seed)))

    return call


def assert_same(one: Any, other: Any) -> None:
    jax.tree.map(np.testing.assert_array_equal, one, other)


def test_evaluation_is_deterministic_and_changes_nothing(call: Any, state: Any) -> None:
    output, model_state = call(None)
    assert_same(call(None)[0], output)
    assert_same(model_state, jax.device_get(state[1]))
    assert (output['one'] == 1).all()


def test_evaluation_uses_the_statistics(call: Any, state: Any) -> None:
    model_state = jax.tree.map(lambda leaf: leaf + 3, state[1])  # of a mean of 3 and a variance of 4
    features = np.asarray(X @ state[0]['inner']['kernel'])
    expected = (features - 3) / np.sqrt(4 + 1e-5)
    np.testing.assert_allclose(call(None, model_state)[0]['features'], expected, rtol=1e-4, atol=1e-4)


def test_as_a_flax_module_it_evaluates_and_has_variables_of_its_own(
    network: Network, state: Any, call: Any
) -> None:
    model_state = jax.tree.map(lambda leaf: leaf + 3, state[1])
    module: Any = network.module(state[0], model_state)
    jax.tree.map(
        partial(np.testing.assert_allclose, rtol=1e-4, atol=1e-4), module(X), call(None, model_state)[0]
    )
    before = np.asarray(model_state['norm']['mean'])
    module.train()
    module(X)
    assert not np.array_equal(module.norm.mean[...], before)
    assert_same(model_state['norm']['mean'], before)


def test_training_normalises_by_the_batch_and_updates_the_statistics(call: Any, state: Any) -> None:
    output, model_state = call(0)
    features = np.asarray(X @ state[0]['inner']['kernel'])
    mean, variance = features.mean(0), features.var(0)
    expected = (features - mean) / np.sqrt(variance + 1e-5)
    np.testing.assert_allclose(output['features'], expected, rtol=1e-3, atol=1e-4)
    np.testing.assert_allclose(model_state['norm']['mean'], 0.5 * mean, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(model_state['norm']['var'], 0.5 + 0.5 * variance, rtol=1e-4)


def test_statistics_go_on_from_call_to_call(call: Any) -> None:
    _, first = call(0)
    _, second = call(0, first)
    mean = 2 * first['norm']['mean']
    np.testing.assert_allclose(second['norm']['mean'], 0.75 * mean, rtol=1e-4)


def test_training_drops_units_by_the_key(call: Any) -> None:
    drawn = {seed: call(seed)[0]['one'] for seed in (0, 1)}
    assert_same(call(0)[0]['one'], drawn[0])
    assert not np.array_equal(drawn[0], drawn[1])
    for mask in drawn.values():
        assert set(np.unique(mask)) == {0, 2}
        assert 0.4 < (mask > 0).mean() < 0.6


def test_each_layer_and_each_example_draws_for_itself(call: Any) -> None:
    output, _ = call(0)
    assert not np.array_equal(output['one'], output['other'])
    assert len(np.unique(output['one'], axis=0)) == len(X)


def test_randomness_does_not_go_on_from_call_to_call(call: Any) -> None:
    output, model_state = call(0)
    assert_same(call(0, model_state)[0]['one'], output['one'])


def test_the_same_without_jit(network: Network, state: Any, call: Any) -> None:
    output, model_state = network(state[0], state[1], jnp.asarray(X), key=jax.random.key(5))
    jitted_output, jitted_model_state = call(5)
    assert_same(output['one'], jitted_output['one'])
    np.testing.assert_allclose(output['features'], jitted_output['features'], rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(model_state['norm']['var'], jitted_model_state['norm']['var'], rtol=1e-5)


def test_gradients_are_those_of_finite_differences(network: Network, state: Any) -> None:
    params, model_state = state
    target = jax.random.normal(jax.random.key(1), (8, 64))

    @jax.jit
    def loss(bias: jax.Array) -> jax.Array:
        changed = params | {'norm': params['norm'] | {'bias': bias}}
        output, _ = network(changed, model_state, X, key=jax.random.key(0))
        return jnp.square(output['features'] * output['one'] - target).mean()

    bias = params['norm']['bias']
    gradient = jax.grad(loss)(bias)
    for index in (0, 17):
        step = jnp.zeros_like(bias).at[index].set(0.05)
        expected = (loss(bias + step) - loss(bias - step)) / 0.1
        np.testing.assert_allclose(gradient[index], expected, rtol=1e-2, atol=1e-5)


def test_the_state_is_nested_dicts_of_arrays(state: Any) -> None:
    def check(tree: Any) -> None:
        if isinstance(tree, dict):
            for name, branch in tree.items():
                assert isinstance(name, str | int)
                check(branch)
        else:
            assert type(tree) is type(jnp.zeros(()))
            assert not jnp.issubdtype(tree.dtype, jax.dtypes.prng_key)

    check(state[0])
    check(state[1])
    assert set(state[0]) == {'inner', 'norm'}
    assert set(state[1]) == {'norm'}


def test_two_builds_have_states_of_one_kind(state: Any) -> None:
    """What a run saved can be restored by the next process, which builds the model anew."""
    again = Network(lambda rngs: Model(rngs=rngs)).init(jax.random.key(0))
    assert jax.tree.structure(again) == jax.tree.structure(state)
    assert_same(again, state)


def test_first_parameters_follow_the_key(network: Network, state: Any) -> None:
    params, _ = network.init(jax.random.key(1))
    assert not np.array_equal(params['inner']['kernel'], state[0]['inner']['kernel'])


def test_building_computes_nothing() -> None:
    """A model too large for the host can still be described."""
    Network(lambda rngs: nnx.Linear(10**6, 10**6, rngs=rngs))


class Autoencoder(nnx.Module):
    """A model of several inputs, with methods."""

    def __init__(self, *, rngs: nnx.Rngs):
        self.inner, self.outer = nnx.Linear(6, 4, rngs=rngs), nnx.Linear(4, 6, rngs=rngs)
        self.dropout = nnx.Dropout(0.5, rngs=rngs)

    def __call__(self, x: dict[str, jax.Array]) -> jax.Array:
        return self.outer(self.encode(x['features'] * x['weight'].astype(x['features'].dtype)[:, None]))

    def encode(self, x: jax.Array) -> jax.Array:
        """Returns the code."""
        assert x.dtype == self.inner.kernel.dtype
        return self.dropout(self.inner(x))


@pytest.mark.parametrize('remat', [False, True])
@pytest.mark.parametrize('dtype', ['float32', 'bfloat16'])
def test_several_inputs_and_several_methods(remat: bool, dtype: str) -> None:
    network = Network(lambda rngs: Autoencoder(rngs=rngs), dtype, remat)
    params, model_state = network.init(jax.random.key(0))
    inputs = {'features': jnp.asarray(X), 'weight': jnp.arange(8)}
    kernels = [np.asarray(params[name]['kernel'], np.float64) for name in ('inner', 'outer')]
    code = X * np.arange(8)[:, None] @ kernels[0]
    tolerance: Any = {'rtol': 1e-5, 'atol': 1e-4} if dtype == 'float32' else {'rtol': 0.1, 'atol': 0.5}

    @partial(jax.jit, static_argnames='method')
    def call(x: Any, key: Any = None, method: str = '__call__') -> Any:
        return network(params, model_state, x, key, method=method)[0]

    output = call(inputs)
    assert output.dtype == jnp.float32
    np.testing.assert_allclose(output, code @ kernels[1], **tolerance)
    features = inputs['features'] * inputs['weight'].astype(jnp.float32)[:, None]
    np.testing.assert_allclose(call(features, method='encode'), code, **tolerance)
    dropped = np.asarray(call(features, jax.random.key(0), method='encode'))
    np.testing.assert_allclose(dropped[dropped != 0], 2 * code[dropped != 0], **tolerance)
    assert 0.2 < (dropped == 0).mean() < 0.8
    gradient = jax.grad(lambda p: network(p, model_state, features, method='encode')[0].sum())(params)
    assert not jax.tree.reduce(jnp.logical_or, jax.tree.map(jnp.any, gradient['outer']))
    np.testing.assert_allclose(gradient['inner']['bias'], 8, rtol=1e-2)


@pytest.mark.parametrize(
    ('method', 'message'),
    [
        ('encod', r"Autoencoder has no method 'encod'. Did you mean 'encode'\?"),
        ('decode', r"Autoencoder has no method 'decode'. Did you mean 'encode'\?"),
        ('sample', r"Autoencoder has no method 'sample'. There are: dropout, encode, inner, outer."),
    ],
)
def test_an_unknown_method_is_a_mistake(method: str, message: str) -> None:
    network = Network(lambda rngs: Autoencoder(rngs=rngs), remat=True)
    with pytest.raises(UserError, match=message):
        jax.eval_shape(lambda: network(*network.init(jax.random.key(0)), jnp.asarray(X), method=method))


def test_the_variables_are_known_without_a_run(network: Network, state: Any) -> None:
    def shapes(tree: Any) -> Any:
        return jax.tree.map(lambda leaf: (leaf.shape, leaf.dtype), tree)

    assert shapes(network.variables) == shapes(state)


VALUES = jnp.array([1.0, 2.0, 4.0])


def test_an_average_is_a_total_and_a_count() -> None:
    whole, masked = average(VALUES), average(VALUES, jnp.array([True, False, True]))
    assert (whole.total, whole.count) == (7, 3)
    assert (masked.total, masked.count) == (5, 2)


def test_an_average_ignores_whatever_stands_in_the_padding() -> None:
    masked = average(jnp.array([1.0, jnp.nan, jnp.inf]), jnp.array([True, False, False]))
    assert (masked.total, masked.count) == (1, 1)
