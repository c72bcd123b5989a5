"""Frozen modules run in evaluation mode while the others train, and frozen variables keep their bits."""

from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from engine import variables
from engine.errors import UserError
from engine.network import Network

X: Any = np.random.default_rng(0).normal(2, 3, (8, 6)).astype(np.float32)


class Encoder(nnx.Module):
    """All that has a mode: batch normalisation, dropout without variables, spectral normalisation, a list."""

    def __init__(self, *, rngs: nnx.Rngs):
        self.layers = nnx.List(
            [
                nnx.Linear(6, 16, rngs=rngs),
                nnx.BatchNorm(16, momentum=0.5, rngs=rngs),
                nnx.Dropout(0.5, rngs=rngs),
            ]
        )
        self.block = nnx.Sequential(
            nnx.SpectralNorm(nnx.Linear(16, 16, rngs=rngs), rngs=rngs), nnx.Dropout(0.5, rngs=rngs)
        )

    def __call__(self, x: jax.Array) -> jax.Array:
        for layer in self.layers:
            x = layer(x)
        return self.block(x)


class Counter(nnx.Module):
    """Counts its calls, in evaluation too."""

    def __init__(self) -> None:
        self.calls = nnx.Variable(jnp.zeros((), jnp.int32))

    def __call__(self, x: jax.Array) -> jax.Array:
        self.calls[...] += 1
        return x


class Model(nnx.Module):
    """An encoder and a head, each with a mode."""

    def __init__(self, dropout: float = 0.5, *, rngs: nnx.Rngs):
        self.encoder = Encoder(rngs=rngs)
        self.counter = Counter()
        self.norm = nnx.BatchNorm(16, momentum=0.5, rngs=rngs)
        self.dropout = nnx.Dropout(dropout, rngs=rngs) if dropout else None

    def __call__(self, x: jax.Array) -> dict[str, jax.Array]:
        features = self.encode(x)
        x = self.norm(self.counter(features))
        return {'features': features, 'head': self.dropout(x) if self.dropout else x}

    def encode(self, x: jax.Array) -> jax.Array:
        """Returns the features."""
        return self.encoder(x)


def network(*frozen: str, **settings: Any) -> Network:
    return Network(lambda rngs: Model(rngs=rngs, **settings), frozen=frozen)


@pytest.fixture(scope='module')
def state() -> Any:
    """Parameters and model state after a step of training, so that nothing is at its first value."""
    params, model_state = jax.jit(network().init)(jax.random.key(0))
    params = jax.tree.map(lambda leaf: leaf + 0.1, params)
    return params, jax.tree.map(jnp.asarray, trained(network(), (params, model_state))[1])


def evaluated(network: Network, state: Any) -> Any:
    params, model_state = state
    return jax.device_get(network(params, model_state, X)[0])


def trained(network: Network, state: Any) -> tuple[Any, Any]:
    params, model_state = state
    return jax.device_get(network(params, model_state, X, key=jax.random.key(2)))


def test_a_frozen_encoder_computes_what_it_computes_in_evaluation(state: Any) -> None:
    expected = evaluated(network(), state)['features']
    output, _ = trained(network('^encoder/'), state)
    np.testing.assert_array_equal(output['features'], expected)
    assert not np.array_equal(trained(network(), state)[0]['features'], expected)


def test_what_is_not_frozen_trains(state: Any) -> None:
    output, model_state = trained(network('^encoder/'), state)
    x, norm = output['features'], jax.device_get(state[0]['norm'])
    normal = (x - x.mean(0)) / np.sqrt(x.var(0) + 1e-5) * norm['scale'][None] + norm['bias'][None]
    kept = output['head'] != 0
    assert 0.3 < kept.mean() < 0.7
    np.testing.assert_allclose(output['head'][kept], 2 * normal[kept], rtol=1e-4, atol=1e-4)
    mean = 0.5 * state[1]['norm']['mean'] + 0.5 * x.mean(0)
    np.testing.assert_allclose(model_state['norm']['mean'], mean, rtol=1e-4, atol=1e-5)


PATTERNS = [
    ('^encoder/',),
    ('norm/mean', 'counter'),  # a part of a module: the module trains, and the variable stays
    ('mean$', 'sigma'),
    ('layers/1/(mean|var|scale|bias)',),
    ('.',),
]


@pytest.mark.parametrize('frozen', PATTERNS)
def test_frozen_state_comes_back_to_the_bit_and_the_other_moves(frozen: Any, state: Any) -> None:
    tested = network(*frozen)
    before, after = variables.by_path(state[1]), variables.by_path(trained(tested, state)[1])
    params, model_state = (variables.by_path(tree) for tree in tested.variables)
    stay = variables.matching(frozen, params.keys() | model_state.keys(), 'frozen') & before.keys()
    assert before.keys() == after.keys()
    for path in before:
        assert np.array_equal(before[path], after[path]) == (path in stay), path


def test_batch_norm_with_a_frozen_mean_alone_normalises_by_the_batch(state: Any) -> None:
    free, tested = trained(network(), state), trained(network('^norm/mean'), state)
    np.testing.assert_array_equal(tested[0]['head'], free[0]['head'])
    np.testing.assert_array_equal(tested[1]['norm']['var'], free[1]['norm']['var'])


def test_frozen_statistics_of_one_layer_of_a_list(state: Any) -> None:
    """The frozen layer uses its running statistics; the Dropout beside it in the list still drops."""
    output, _ = trained(network('^encoder/layers/1/', '^encoder/block/'), state)
    assert not np.array_equal(output['features'], evaluated(network(), state)['features'])
    assert network('^encoder/layers/1/', '^encoder/block/', dropout=0.0).is_random
    assert not network('^encoder/layers/', '^encoder/block/', dropout=0.0).is_random


def test_random_streams_of_frozen_modules_do_not_count() -> None:
    assert network().is_random
    assert network('^encoder/').is_random
    assert network(dropout=0.0).is_random
    assert not network('^encoder/', dropout=0.0).is_random
    assert not network('.').is_random


class Sharing(nnx.Module):
    """Two modules that hold the same random streams."""

    class Noise(nnx.Module):
        def __init__(self, *, rngs: nnx.Rngs):
            self.scale, self.rngs = nnx.Param(jnp.ones(6)), rngs

        def __call__(self, x: jax.Array) -> jax.Array:
            return x + self.scale[...] * self.rngs.normal(x.shape)

    def __init__(self, *, rngs: nnx.Rngs):
        self.a, self.b = Sharing.Noise(rngs=rngs), Sharing.Noise(rngs=rngs)

    def __call__(self, x: jax.Array) -> jax.Array:
        return self.b(self.a(x))


@pytest.mark.parametrize(('frozen', 'is_random'), [('^a/', True), ('^b/', True), ('.', False)])
def test_a_stream_counts_where_one_of_its_modules_trains(frozen: str, is_random: bool) -> None:
    assert Network(lambda rngs: Sharing(rngs=rngs), frozen=(frozen,)).is_random == is_random


def test_a_frozen_network_under_remat(state: Any) -> None:
    plain, remat = (
        Network(lambda rngs: Model(rngs=rngs), remat=remat, frozen=('^encoder/',)) for remat in (False, True)
    )
    jax.tree.map(np.testing.assert_array_equal, trained(plain, state), trained(remat, state))


def test_frozen_statistics_in_bfloat16() -> None:
    def build(rngs: nnx.Rngs) -> nnx.Module:
        return nnx.Sequential(nnx.Linear(6, 4, rngs=rngs), nnx.BatchNorm(4, rngs=rngs))

    network = Network(build, 'bfloat16', frozen=('layers/1',))
    params, model_state = network.init(jax.random.key(0))
    model_state = jax.tree.map(lambda leaf: leaf + 0.123456, model_state)
    with jax.numpy_dtype_promotion('standard'):  # Flax's running statistics are float32, its inputs bfloat16
        after = network(params, model_state, X, key=jax.random.key(0))[1]
    jax.tree.map(np.testing.assert_array_equal, after, model_state)
    assert jax.tree.map(lambda leaf: leaf.dtype, after) == jax.tree.map(lambda leaf: leaf.dtype, model_state)


def test_a_pattern_without_a_variable_is_a_mistake() -> None:
    with pytest.raises(UserError, match=r"frozen: '\^encodr/' matches no variable. Did you mean"):
        network('^encodr/')


class LinenDense(nn.Module):
    """Without a mode."""

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        return nn.Dense(3)(x)


class LinenDropout(nn.Module):
    """With a mode that the bridge does not tell it."""

    @nn.compact
    def __call__(self, x: jax.Array, train: bool = False) -> jax.Array:
        return nn.Dropout(0.5, deterministic=not train)(nn.Dense(3)(x))


class LinenNorm(nn.Module):
    """With statistics that the bridge does not update."""

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        return nn.BatchNorm(use_running_average=False)(x)


def bridged(module: nn.Module) -> Network:
    def build(rngs: nnx.Rngs) -> Any:
        return nnx.bridge.ToNNX(module, rngs=rngs).lazy_init(jnp.ones((1, 6)))

    return Network(build)


@pytest.mark.parametrize('module', [LinenDropout(), LinenNorm()])
def test_a_linen_module_wrapped_by_hand_cannot_know_its_mode(module: nn.Module) -> None:
    with pytest.raises(UserError, match=f'does not tell {type(module).__name__} whether to train'):
        bridged(module)


def test_a_linen_module_without_modes_may_be_wrapped_by_hand() -> None:
    network = bridged(LinenDense())
    params, model_state = network.init(jax.random.key(0))
    output, _ = network(params, model_state, X, key=jax.random.key(0))
    np.testing.assert_allclose(output, X @ np.asarray(params['Dense_0']['kernel']), rtol=1e-5, atol=1e-5)


def test_a_model_that_is_not_of_nnx_is_a_mistake() -> None:
    with pytest.raises(UserError, match=r'the model is of type LinenDense.*@linen.Linen\(\)'):
        Network(lambda rngs: LinenDense())  # type: ignore[arg-type,return-value]
