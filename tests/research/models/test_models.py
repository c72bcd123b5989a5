"""What every model here owes: shapes, a gradient for each parameter, examples that do not see each other."""

from functools import cache, partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from engine.errors import UserError
from engine.network import Network
from research.models.convnet import ConvNet
from research.models.mlp import MLP
from research.models.unet import UNet

IMAGE, CLASSES = (8, 8, 3), 5
MODELS: dict[str, Any] = {
    'mlp': partial(MLP, width=7, dropout=0.3),
    'mlp without hidden layers': partial(MLP, depth=0),
    'convnet': partial(ConvNet, width=3, dropout=0.3),
    'convnet of one stage': partial(ConvNet, width=3, stages=1),
    'unet': partial(UNet, width=4, stages=3),
    'unet of one stage': partial(UNet, width=4, stages=1),
}
IMAGES = np.random.default_rng(0).uniform(-1, 1, (4, *IMAGE)).astype(np.float32)


class Made:
    """A model as a function, and its first parameters."""

    def __init__(self, name: str):
        self.net = Network(lambda rngs: MODELS[name](input_shape=IMAGE, outputs=CLASSES, rngs=rngs))
        self.params, self.model_state = jax.jit(self.net.init)(jax.random.key(0))
        evaluate = jax.jit(lambda x: self.net(self.params, self.model_state, x)[0])
        self.logits = lambda x: np.asarray(evaluate(x))


@cache
def made_of(name: str) -> Made:
    return Made(name)


@pytest.fixture(params=MODELS)
def made(request: pytest.FixtureRequest) -> Made:
    return made_of(request.param)


def test_one_logit_per_class(made: Made) -> None:
    """Of each image, or of each of its pixels."""
    logits = made.logits(IMAGES)
    assert logits.shape in ((4, CLASSES), (4, 8, 8, CLASSES))
    assert logits.dtype == np.float32
    assert len(np.unique(logits)) > 0.95 * logits.size


def test_an_example_does_not_depend_on_the_others(made: Made) -> None:
    together = made.logits(IMAGES)
    for index in range(4):
        others_changed = np.full_like(IMAGES, 9)
        others_changed[index] = IMAGES[index]
        logits = made.logits(others_changed)
        np.testing.assert_allclose(logits[index], together[index], atol=1e-6)
        assert not np.allclose(logits[index - 1], together[index - 1])


def test_every_parameter_gets_a_gradient(made: Made) -> None:
    def loss(params: Any) -> jax.Array:
        logits, _ = made.net(params, made.model_state, jnp.asarray(IMAGES), key=jax.random.key(0))
        return jnp.square(logits - jnp.arange(logits.size, dtype=float).reshape(logits.shape) % CLASSES).sum()

    gradients = jax.jit(jax.grad(loss))(made.params)
    for path, gradient in jax.tree_util.tree_leaves_with_path(gradients):
        assert np.abs(gradient).max() > 1e-6, jax.tree_util.keystr(path)


def size(tree: Any) -> int:
    return sum(leaf.size for leaf in jax.tree.leaves(tree))


def test_the_parameters_of_an_mlp() -> None:
    made, inputs = made_of('mlp'), 8 * 8 * 3
    assert size(made.params) == (inputs * 7 + 7) + (7 * 7 + 7) + (7 * CLASSES + CLASSES)
    assert size(made.model_state) == 0


def test_the_parameters_of_a_convnet() -> None:
    made = made_of('convnet')
    first = 9 * 3 * 3 + 9 * 3 * 3 + 2 * (3 + 3)  # two convolutions; scale and bias of two normalisations
    second = 9 * 3 * 6 + 9 * 6 * 6 + 2 * (6 + 6)
    assert size(made.params) == first + second + (6 * CLASSES + CLASSES)
    assert size(made.model_state) == 2 * (3 + 3) + 2 * (6 + 6)  # means and variances


def test_an_mlp_is_matrices_with_relu_between() -> None:
    made = made_of('mlp')
    params, x = jax.device_get(made.params), IMAGES.reshape(4, -1)
    for layer in (params['hidden'][0], params['hidden'][1]):
        x = np.maximum(x @ layer['kernel'] + layer['bias'], 0)
    expected = x @ params['output']['kernel'] + params['output']['bias']
    np.testing.assert_allclose(made.logits(IMAGES), expected, rtol=1e-4, atol=1e-5)


def convolved(x: np.ndarray, kernel: np.ndarray) -> np.ndarray:
    """The slow way: a 3x3 convolution of x [B, H, W, C], place by place, zeros around."""
    padded = np.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)))
    result = np.zeros((*x.shape[:3], kernel.shape[-1]))
    for y, x in np.ndindex(result.shape[1:3]):
        result[:, y, x] = np.tensordot(padded[:, y : y + 3, x : x + 3], kernel, 3)
    return result


def stage(x: np.ndarray, params: Any) -> np.ndarray:
    """Two convolutions; as made, a normalisation divides by sqrt(1 + epsilon) alone."""
    for name in ('first', 'second'):
        x = np.maximum(convolved(x, params[name]['kernel']) / np.sqrt(1 + 1e-5), 0)
    return x


def test_a_convnet_is_convolutions_normalised_with_relu_and_a_mean() -> None:
    made = made_of('convnet')
    params, x = jax.device_get(made.params), IMAGES
    for number in (0, 1):
        if number:
            x = x.reshape(4, 4, 2, 4, 2, -1).max((2, 4))
        x = stage(x, params['stages'][number])
    expected = x.mean((1, 2)) @ params['output']['kernel'] + params['output']['bias']
    np.testing.assert_allclose(made.logits(IMAGES), expected, rtol=1e-4, atol=1e-5)


def test_the_parameters_of_a_unet() -> None:
    def stages(channels: int, width: int) -> int:
        return 9 * channels * width + 9 * width * width + 2 * (width + width)

    down = stages(3, 4) + stages(4, 8) + stages(8, 16)
    up = (16 * 8 + 8) + stages(8 + 8, 8) + (8 * 4 + 4) + stages(4 + 4, 4)
    assert size(made_of('unet').params) == down + up + (4 * CLASSES + CLASSES)
    assert size(made_of('unet').model_state) == 2 * 2 * (4 + 8 + 16 + 8 + 4)  # means and variances


def linear(x: np.ndarray, params: Any) -> np.ndarray:
    return x @ params['kernel'] + params['bias']


def test_a_unet_goes_down_and_up_again() -> None:
    params = jax.device_get(made_of('unet').params)
    fine = stage(IMAGES, params['down'][0])
    middle = stage(fine.reshape(4, 4, 2, 4, 2, -1).max((2, 4)), params['down'][1])
    coarse = stage(middle.reshape(4, 2, 2, 2, 2, -1).max((2, 4)), params['down'][2])
    x = linear(coarse, params['narrow'][0]).repeat(2, 1).repeat(2, 2)
    x = stage(np.concatenate([middle, x], -1), params['up'][0])
    x = linear(x, params['narrow'][1]).repeat(2, 1).repeat(2, 2)
    x = stage(np.concatenate([fine, x], -1), params['up'][1])
    expected = linear(x, {'kernel': params['output']['kernel'][0, 0], 'bias': params['output']['bias']})
    np.testing.assert_allclose(made_of('unet').logits(IMAGES), expected, rtol=1e-3, atol=1e-4)


def test_images_that_a_unet_cannot_halve_are_refused() -> None:
    with pytest.raises(
        UserError, match=r'stages = 4 halves images 3 times, but 8 does not divide 8x12 pixels'
    ):
        Network(lambda rngs: UNet((8, 12, 3), CLASSES, stages=4, rngs=rngs))
