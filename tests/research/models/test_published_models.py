"""ResNet, ViT and GPT-2: their published sizes, `remat`, bfloat16, no example sees another."""

from collections.abc import Callable
from functools import cache, partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from engine.errors import UserError
from engine.network import Network
from research.models import resnet
from research.models.gpt2 import GPT2
from research.models.resnet import ResNet
from research.models.transformer import Transformer
from research.models.vit import ViT, sincos2d

IMAGENET = {'input_shape': (224, 224, 3), 'outputs': 1000}
PARAMETERS: dict[str, tuple[Any, int]] = {
    'resnet18': (partial(ResNet, depth=18, **IMAGENET), 11_689_512),  # those of torchvision
    'resnet34': (partial(ResNet, depth=34, **IMAGENET), 21_797_672),
    'resnet50': (partial(ResNet, depth=50, **IMAGENET), 25_557_032),
    'resnet101': (partial(ResNet, depth=101, **IMAGENET), 44_549_160),
    'vit_tiny': (partial(ViT, size='Ti', **IMAGENET), 5_717_416),  # those of timm
    'vit_small': (partial(ViT, size='S', **IMAGENET), 22_050_664),
    'vit_base': (partial(ViT, size='B', **IMAGENET), 86_567_656),
    'gpt2': (GPT2, 124_439_808),  # that of transformers
}
SMALL: dict[str, Any] = {
    'resnet18': partial(ResNet, (16, 16, 3), 5, 18, width=4, small_images=True),
    'resnet50': partial(ResNet, (16, 16, 3), 5, 50, width=4),
    'vit': partial(ViT, (16, 16, 3), 5, 'mu', patch=8, dropout=0.2),
    'vit of means': partial(ViT, (16, 16, 3), 5, 'mu', 8, 'mean', 'sincos2d', mlp_head=True),
    'gpt2': partial(GPT2, 11, 16, width=32, depth=2, heads=4, dropout=0.2),
    'gpt2 without biases': partial(GPT2, 11, 16, width=32, depth=1, heads=4, use_bias=False),
    'transformer': partial(Transformer, 11, 16, width=32, dropout=0.2),
}
RANDOM = np.random.default_rng(0)


def size(tree: Any) -> int:
    return sum(leaf.size for leaf in jax.tree.leaves(tree))


@pytest.mark.parametrize('name', PARAMETERS)
def test_the_published_number_of_parameters(name: str) -> None:
    build, parameters = PARAMETERS[name]
    params, _ = Network(lambda rngs: build(rngs=rngs)).variables
    assert size(params) == parameters
    assert {leaf.dtype for leaf in jax.tree.leaves(params)} == {jnp.dtype('float32')}


def compiled(function: Callable[..., Any]) -> Callable[..., Any]:
    """Compiles for few calls: compiling takes most of the time of these tests."""
    return jax.jit(function, compiler_options={'xla_backend_optimization_level': 0})


@pytest.fixture(autouse=True)
def two_blocks(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """ResNets of two blocks, which compile in a fraction of the time."""
    if request.node.originalname != 'test_the_published_number_of_parameters':
        monkeypatch.setattr(resnet, 'STAGES', {18: (1, 1), 50: (1, 1)})


def network(name: str, **settings: Any) -> Network:
    return Network(lambda rngs: SMALL[name](rngs=rngs, **settings))


@cache
def inputs(name: str) -> Any:
    if name.startswith(('gpt2', 'transformer')):
        return RANDOM.integers(0, 11, (3, 16)).astype(np.int32)
    return RANDOM.uniform(-1, 1, (3, 16, 16, 3)).astype(np.float32)


@cache
def variables(name: str) -> Any:
    """Parameters and model state, none of them zero, as after a training."""
    shapes = network(name).variables
    tree = jax.tree.map(lambda leaf: jnp.asarray(RANDOM.normal(0.1, 0.2, leaf.shape), 'float32'), shapes)
    return jax.tree_util.tree_map_with_path(
        lambda path, leaf: jnp.abs(leaf) + 0.5 if path[-1].key in ('scale', 'var') else leaf, tree
    )


@cache
def forward(name: str, **settings: Any) -> Callable[[Any], np.ndarray]:
    net, (params, model_state) = network(name, **settings), variables(name)
    call = compiled(lambda x: net(params, model_state, x)[0])
    return lambda x: np.asarray(call(x))


def gradients(name: str, **settings: Any) -> tuple[Any, Any]:
    """Returns the gradients of a step of training, and the new model state."""
    net, (params, model_state), x = network(name, **settings), variables(name), inputs(name)

    def loss(params: Any) -> tuple[jax.Array, Any]:
        output, new_state = net(params, model_state, x, key=jax.random.key(0))
        return jnp.square(output - 1).mean(), new_state

    return compiled(jax.grad(loss, has_aux=True))(params)


def difference(tree: Any, other: Any) -> float:
    """Returns the largest difference of two trees, relative to the largest value of each array."""
    differences = jax.tree.map(lambda a, b: np.abs(a - b).max() / (np.abs(a).max() + 1e-6), tree, other)
    return float(max(jax.tree.leaves(differences)))


@pytest.mark.parametrize('name', ['resnet50', 'vit', 'gpt2', 'transformer'])
def test_remat_changes_neither_gradients_nor_statistics(name: str) -> None:
    grads, model_state = gradients(name)
    for path, gradient in jax.tree_util.tree_leaves_with_path(grads):
        assert np.abs(gradient).max() > 0, jax.tree_util.keystr(path)
    recomputed, recomputed_state = gradients(name, remat=True)
    assert difference(grads, recomputed) < 1e-4
    assert size(model_state) == size(variables(name)[1])
    if model_state:
        assert difference(model_state, variables(name)[1]) > 0.01
        assert difference(model_state, recomputed_state) < 1e-6


@pytest.mark.parametrize('name', [name for name in SMALL if name != 'transformer'])
def test_bfloat16_is_close_to_float32(name: str) -> None:
    exact, rounded = forward(name)(inputs(name)), forward(name, dtype='bfloat16')(inputs(name))
    assert exact.dtype == rounded.dtype == np.float32
    assert 1e-5 < np.abs(exact - rounded).max() < 0.05 * np.abs(exact).max()


@pytest.mark.parametrize('name', SMALL)
def test_an_example_does_not_depend_on_the_others(name: str) -> None:
    x = inputs(name)
    together = forward(name)(x)
    assert together.shape[0] == 3
    assert len(np.unique(together.reshape(3, -1), axis=0)) == 3
    others_changed = x[::-1].copy()
    others_changed[0] = x[0]
    np.testing.assert_allclose(forward(name)(others_changed)[0], together[0], atol=1e-5)


def test_zero_init_makes_blocks_identities_and_first_outputs_equal() -> None:
    params, _ = compiled(network('resnet18', zero_init=True).init)(jax.random.key(0))
    for block in (params['stages'][0][0], params['stages'][1][0]):
        assert not block['layer2']['norm']['scale'].any()
        assert block['layer1']['norm']['scale'].all()
    net = network('vit', zero_init=True)
    params, model_state = compiled(net.init)(jax.random.key(0))
    assert not net(params, model_state, inputs('vit'))[0].any()


def test_a_token_of_gpt2_depends_on_none_that_follow() -> None:
    x = inputs('gpt2')
    changed = x.copy()
    changed[:, 9:] = (x[:, 9:] + 1) % 11
    logits, others = forward('gpt2')(x), forward('gpt2')(changed)
    np.testing.assert_allclose(others[:, :9], logits[:, :9], atol=1e-5)
    assert np.abs(others[:, 9:] - logits[:, 9:]).max(-1).all()


@pytest.mark.parametrize('dtype', ['float32', 'bfloat16'])
def test_gpt2_decodes_token_by_token(dtype: str) -> None:
    net, x, (params, model_state) = network('gpt2', dtype=dtype), inputs('gpt2'), variables('gpt2')
    decode = compiled(lambda x: net(params, model_state, x, method='decode')[0])
    expected, cache = forward('gpt2', dtype=dtype)(x), {}
    for position in range(4):
        output = decode({'token': x[:, position], 'position': jnp.int32(position), **cache})
        cache = {'cache': output['cache']}
        tolerance = 1e-4 if dtype == 'float32' else 0.1
        np.testing.assert_allclose(output['logits'], expected[:, position], atol=tolerance)


def test_sines_and_cosines_of_a_grid() -> None:
    embeddings = sincos2d(2, 3, 8)
    assert embeddings.shape == (1, 6, 8)
    row, column = 1, 2  # the frequencies are 1 and 1 / 10,000
    angles = [column, column / 10_000, row, row / 10_000]
    expected = [*np.sin(angles[:2]), *np.cos(angles[:2]), *np.sin(angles[2:]), *np.cos(angles[2:])]
    np.testing.assert_allclose(embeddings[0, 5], expected, rtol=1e-6)


def test_sizes_that_do_not_fit_are_refused() -> None:
    with pytest.raises(UserError, match=r'ViT.patch = 16 does not divide 30x32 pixels'):
        Network(lambda rngs: ViT((30, 32, 3), 5, rngs=rngs))
    with pytest.raises(UserError, match=r'GPT2.heads = 5 does not divide GPT2.width = 32'):
        Network(lambda rngs: GPT2(width=32, heads=5, rngs=rngs))
