"""A Linen module as a model, beside the same module by `Module.apply`."""

from functools import partial
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from engine import variables
from engine.errors import UserError
from engine.interfaces import DATA_AXIS
from engine.network import Network
from engine.parts.linen import LinenModel
from tests.engine.parts.linen import modules

X: Any = np.random.default_rng(0).normal(1, 2, (8, 6)).astype(np.float32)
IMAGES: Any = np.random.default_rng(1).normal(1, 2, (8, 4, 4, 1)).astype(np.float32)
KEY = jax.random.key(3)


def network(module: nn.Module, example: Any = X[:1], *frozen: str, **settings: Any) -> Network:
    names = {name: settings.pop(name) for name in ('streams',) if name in settings}
    return Network(lambda rngs: LinenModel(module, example, rngs=rngs, **names), frozen=frozen, **settings)


def moved(network: Network) -> Any:
    """Returns parameters and model state, neither at a first value of zero."""
    params, model_state = network.init(jax.random.key(0))
    return params, jax.tree.map(lambda leaf: leaf + leaf.dtype.type(0.5), model_state)


def call(network: Network, state: Any, x: Any, key: Any = None, **more: Any) -> Any:
    params, model_state = state
    return jax.device_get(network(params, model_state, x, key, **more))


def assert_same(one: Any, other: Any) -> None:
    jax.tree.map(np.testing.assert_array_equal, one, other)


def by_collection(state: Any) -> Any:
    """Returns the variables of ConvNet as Linen has them."""
    return {'params': state[0], 'batch_stats': state[1]}


def test_a_network_equals_plain_linen() -> None:
    module: Any = modules.ConvNet()
    tested = network(module, IMAGES[:1])
    state = moved(tested)
    expected = module.apply(by_collection(state), IMAGES, train=True, mutable=['batch_stats'])
    output, model_state = call(tested, state, IMAGES, KEY)
    np.testing.assert_allclose(output, expected[0], atol=1e-6)
    jax.tree.map(partial(np.testing.assert_allclose, atol=1e-6), model_state, expected[1]['batch_stats'])
    output, same = call(tested, state, IMAGES)
    np.testing.assert_allclose(output, module.apply(by_collection(state), IMAGES, train=False), atol=1e-6)
    assert_same(same, jax.device_get(state[1]))
    assert not tested.is_random


def test_variables_have_the_names_that_linen_gives_them() -> None:
    params, model_state = (
        variables.by_path(tree) for tree in network(modules.ConvNet(), IMAGES[:1]).variables
    )
    assert set(params) == {
        *(f'Conv_{i}/kernel' for i in range(2)),
        *(f'BatchNorm_{i}/{name}' for i in range(2) for name in ('bias', 'scale')),
        'Dense_0/bias',
        'Dense_0/kernel',
    }
    assert set(model_state) == {f'BatchNorm_{i}/{name}' for i in range(2) for name in ('mean', 'var')}


def test_first_parameters_are_those_of_linen_and_follow_the_key() -> None:
    tested = network(modules.ConvNet(), IMAGES[:1])
    params, _ = tested.init(jax.random.key(0))
    key = nnx.Rngs(jax.random.key(0)).params()
    expected = modules.ConvNet().init({'params': key}, IMAGES[:1], train=False)['params']
    assert_same(params, expected)
    other, _ = tested.init(jax.random.key(1))
    assert not np.array_equal(params['Conv_0']['kernel'], other['Conv_0']['kernel'])


STYLES = [
    modules.ByKeyword(),
    modules.ByDeterministic(),
    modules.ByField(train=False),
    modules.ByField(train=True),
    modules.ByEither(),
    modules.ByEither(deterministic=True),
]


@pytest.mark.parametrize('module', STYLES, ids=lambda module: f'{module.__class__.__name__}')
def test_a_module_learns_its_mode_in_each_style(module: nn.Module) -> None:
    tested = network(module)
    assert tested.is_random
    ones: Any = np.ones((64, 6), np.float32)
    assert_same(call(tested, ({}, {}), ones)[0], ones)
    dropped = call(tested, ({}, {}), ones, KEY)[0]
    assert set(np.unique(dropped)) == {0, 2}
    assert_same(call(tested, ({}, {}), ones, KEY)[0], dropped)
    assert not np.array_equal(call(tested, ({}, {}), ones, jax.random.key(4))[0], dropped)


def test_a_module_that_trains_where_its_statistics_may_change() -> None:
    tested = network(modules.ByStream())
    state = moved(tested)
    output, after = call(tested, state, X, KEY)
    assert tested.is_random
    assert (output == 0).any()
    np.testing.assert_allclose(
        after['BatchNorm_0']['mean'], 0.5 * 0.5 + 0.5 * X.mean(0), rtol=1e-5, atol=1e-6
    )
    output, same = call(tested, state, X)
    assert_same(same, jax.device_get(state[1]))
    np.testing.assert_allclose(output, (X - 0.5) / np.sqrt(1.5 + 1e-5), rtol=1e-5, atol=1e-5)


def frozen_classifier(dropout: float = 0.5) -> tuple[Network, Any, Any]:
    """Returns a classifier whose encoder is frozen, its variables, and its features in evaluation."""
    module = modules.Classifier(dropout)
    tested = network(module, X[:1], '^encoder/')
    state = moved(tested)
    return tested, state, call(network(module), state, X)[0]['features']


def test_a_frozen_encoder_evaluates_and_the_head_trains() -> None:
    tested, state, features = frozen_classifier()
    output, after = call(tested, state, X, KEY)
    assert_same(output['features'], features)
    assert_same(after['encoder'], jax.device_get(state[1]['encoder']))
    scale, bias = (np.asarray(state[0]['norm'][name])[None] for name in ('scale', 'bias'))
    expected = (features - features.mean(0)) / np.sqrt(features.var(0) + 1e-5) * scale + bias
    np.testing.assert_allclose(output['normal'], expected, rtol=1e-3, atol=1e-4)
    mean = 0.5 * np.asarray(state[1]['norm']['mean']) + 0.5 * features.mean(0)
    np.testing.assert_allclose(after['norm']['mean'], mean, rtol=1e-4, atol=1e-5)
    kept = output['dropped'] != 0
    assert 0.2 < kept.mean() < 0.8
    np.testing.assert_allclose(output['dropped'][kept], 2 * output['normal'][kept], rtol=1e-5)


def test_random_streams_of_frozen_modules_do_not_count() -> None:
    assert network(modules.Classifier()).is_random
    assert network(modules.Classifier(0.0)).is_random
    assert frozen_classifier()[0].is_random
    tested, state, features = frozen_classifier(0.0)
    assert not tested.is_random
    assert_same(call(tested, state, X, KEY)[0]['features'], features)
    assert not network(modules.Classifier(), X[:1], '.').is_random


@pytest.mark.parametrize(('frozen', 'free'), [('^again/', 'blocks'), ('^blocks/', 'again')])
def test_frozen_blocks_under_remat_and_scan(frozen: str, free: str) -> None:
    tested = network(modules.Repeated(), X[:1], frozen)
    state = moved(tested)
    assert tested.variables[0]['blocks']['Dense_0']['kernel'].shape == (3, 6, 6)
    _, after = call(tested, state, X, KEY)
    before = jax.device_get(state[1])
    assert_same(after[frozen.strip('^/')], before[frozen.strip('^/')])
    assert not np.array_equal(after[free]['BatchNorm_0']['mean'], before[free]['BatchNorm_0']['mean'])
    everything = network(modules.Repeated(), X[:1], '.')
    assert_same(call(everything, state, X, KEY)[0], call(everything, state, X)[0])
    assert tested.is_random
    assert not everything.is_random


def test_blocks_under_remat_and_scan_equal_plain_linen() -> None:
    module: Any = modules.Repeated()
    tested = network(module)
    state = moved(tested)
    np.testing.assert_allclose(
        call(tested, state, X)[0], module.apply(by_collection(state), X, train=False), rtol=1e-5, atol=1e-5
    )


def test_several_collections_go_on_from_call_to_call() -> None:
    tested = network(modules.Counting())
    params, model_state = tested.init(jax.random.key(0))
    assert set(variables.by_path(params)) == {'scale'}
    paths = {'calls', 'limits/scale/max', 'limits/scale/pair/0', 'limits/scale/pair/1'}
    assert set(variables.by_path(model_state)) == paths
    for calls in (1, 2, 3):
        _, model_state = tested(params, model_state, X * calls, KEY)
        assert model_state['calls'] == calls
    np.testing.assert_array_equal(model_state['limits']['scale']['max'], 3 * np.abs(X).max(0))
    _, after = tested(params, model_state, X)
    assert_same(after, model_state)
    _, after = network(modules.Counting(), X[:1], 'calls')(params, model_state, 9 * X, KEY)
    assert after['calls'] == 3
    np.testing.assert_array_equal(after['limits']['scale']['max'], 9 * np.abs(X).max(0))


INPUTS: Any = {'features': X, 'weight': np.arange(8, dtype=np.int32)[:, None]}


@pytest.mark.parametrize(('dtype', 'remat'), [('float32', False), ('bfloat16', True)])
def test_several_inputs_streams_and_methods(dtype: Any, remat: bool) -> None:
    example = jax.tree.map(lambda array: array[:1], INPUTS)
    tested = network(modules.Autoencoder(), example, dtype=dtype, remat=remat, streams=('dropout', 'noise'))
    params, model_state = tested.init(jax.random.key(0))
    mean, _ = call(tested, (params, model_state), INPUTS, method='encode')[0]
    inner = X * INPUTS['weight'] @ np.asarray(params['inner']['kernel'])
    tolerance: Any = {'rtol': 1e-5, 'atol': 1e-5} if dtype == 'float32' else {'rtol': 0.1, 'atol': 0.2}
    np.testing.assert_allclose(mean, inner[:, :4], **tolerance)
    decoded = call(tested, (params, model_state), jnp.asarray(mean), method='decode')[0]
    np.testing.assert_allclose(decoded, mean @ np.asarray(params['outer']['kernel']), **tolerance)
    assert decoded.dtype == mean.dtype == np.float32
    assert tested.is_random
    outputs = [call(tested, (params, model_state), INPUTS, key)[0] for key in (None, None, KEY)]
    assert_same(outputs[0], outputs[1])
    assert not np.array_equal(outputs[0], outputs[2])


def per_device(module: nn.Module, state: Any) -> Any:
    """Returns output and model state of a step in which each device has its own rows."""
    tested = network(module, IMAGES[:1])
    parts = IMAGES.reshape(2, 4, *IMAGES.shape[1:])
    params, model_state = state
    step = jax.pmap(lambda x: tested(params, model_state, x, KEY), axis_name=DATA_AXIS)
    return jax.device_get(step(parts))


class Foreign(modules.ConvNet):
    """A module that was written for `jax.pmap`, and names the axis itself."""

    axis: str = 'batch'

    @nn.compact
    def __call__(self, x: jax.Array, train: bool) -> jax.Array:
        x = nn.BatchNorm(use_running_average=not train, momentum=0.5, axis_name=self.axis)(x)
        return nn.Dense(3)(x.mean((1, 2)))


@pytest.mark.parametrize('module', [modules.ConvNet(), Foreign(), Foreign(axis=DATA_AXIS)])
def test_statistics_are_those_of_the_whole_batch_on_several_devices(module: nn.Module) -> None:
    tested = network(module, IMAGES[:1])
    state = moved(tested)
    expected, model_state = call(tested, state, IMAGES, KEY)
    output, after = per_device(module, state)
    np.testing.assert_allclose(output.reshape(8, -1), expected, rtol=1e-5, atol=1e-5)
    for device in range(2):
        one = jax.tree.map(lambda leaf: leaf[device], after)  # noqa: B023
        jax.tree.map(partial(np.testing.assert_allclose, rtol=1e-5, atol=1e-6), one, model_state)


class Wrapping(nnx.Module):
    """An NNX model of one's own around a Linen module."""

    def __init__(self, *, rngs: nnx.Rngs):
        self.encoder = LinenModel(modules.Encoder(), X[:1], rngs=rngs)
        self.head = nnx.Linear(4, 3, rngs=rngs)

    def __call__(self, x: jax.Array) -> jax.Array:
        return self.head(self.encoder(x))


def test_a_linen_module_inside_an_nnx_model() -> None:
    tested = Network(lambda rngs: Wrapping(rngs=rngs))
    frozen = Network(lambda rngs: Wrapping(rngs=rngs), frozen=('^encoder/',))
    state = moved(tested)
    assert set(state[0]) == {'encoder', 'head'}
    assert not np.array_equal(call(tested, state, X, KEY)[0], call(tested, state, X)[0])
    assert_same(call(frozen, state, X, KEY)[0], call(tested, state, X)[0])
    assert tested.is_random
    assert not frozen.is_random


MISTAKES = [
    (
        modules.Forgetful(),
        'Dropout_0 has deterministic=False in evaluation, too. Give Forgetful.__call__ an argument '
        '`train: bool`, and pass it on, as deterministic=not train.',
    ),
    (
        modules.HalfForgetful(),
        'BatchNorm_0 has use_running_average=False in evaluation, too. HalfForgetful.__call__ knows the mode '
        'by train: pass it on, as use_running_average=not train.',
    ),
    (modules.Demanding(), "Demanding.__call__ needs the argument 'temperature', but models get one input."),
]


@pytest.mark.parametrize(('module', 'message'), MISTAKES)
def test_a_module_that_cannot_know_its_mode(module: nn.Module, message: str) -> None:
    with pytest.raises(UserError) as caught:
        tested = network(module)
        call(tested, moved(tested), X)
    assert str(caught.value).startswith(message)


def test_dropout_of_nothing_may_stay_on() -> None:
    tested = network(modules.Forgetful(rate=0.0))
    assert_same(call(tested, moved(tested), X, KEY)[0], call(tested, moved(tested), X)[0])


def test_an_unknown_method_is_a_mistake() -> None:
    tested = network(modules.Classifier())
    with pytest.raises(UserError, match=r"has no method 'encod'\. Did you mean 'encode'"):
        call(tested, moved(tested), X, method='encod')


class Lazy(nn.Module):
    """Has a layer and a random number that `__call__` does not use."""

    def setup(self) -> None:
        self.used, self.other = nn.Dense(6), nn.Dense(6)

    def __call__(self, x: jax.Array) -> jax.Array:
        return self.used(x)

    def unused(self, x: jax.Array) -> jax.Array:
        return self.other(x)

    def noisy(self, x: jax.Array) -> jax.Array:
        return x + jax.random.normal(self.make_rng('dropout'), x.shape)


@pytest.mark.parametrize(
    ('method', 'message'),
    [
        ('unused', 'Lazy.unused: Could not find parameter named "kernel" in scope "/other". Linen makes'),
        ('noisy', 'Lazy.noisy: .* needs PRNG for "dropout". Name each random stream in Linen.streams'),
    ],
)
def test_a_method_that_uses_more_than_the_call(method: str, message: str) -> None:
    tested = network(Lazy())
    with pytest.raises(UserError, match=message):
        call(tested, moved(tested), X, KEY, method=method)
