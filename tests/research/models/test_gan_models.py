"""Generators and discriminators with every normalisation: shapes, gradients, and what each promises."""

from functools import cache, partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from engine.errors import UserError
from engine.network import Network
from research.models import dcgan, normalization, resnet_gan

IMAGE, LATENT = (8, 8, 1), 5
MODELS: dict[str, dict[str, Any]] = {
    'dcgan': {'Generator': dcgan.DCGANGenerator, 'Discriminator': dcgan.DCGANDiscriminator},
    'resnet': {'Generator': resnet_gan.ResNetGenerator, 'Discriminator': resnet_gan.ResNetDiscriminator},
}
NORMALIZATIONS = {
    function.__name__: function
    for function in (normalization.none, normalization.batch, normalization.layer, normalization.spectral)
}
RANDOM = np.random.default_rng(0)
LATENTS: Any = RANDOM.normal(size=(6, LATENT)).astype(np.float32)
IMAGES: Any = RANDOM.uniform(-1, 1, (6, *IMAGE)).astype(np.float32)


@cache
def made(family: str, role: str, norm: str) -> tuple[Network, Any, Any]:
    """Returns a model as a function, its first parameters and its first model state."""
    model, settings = MODELS[family][role], {'width': 4, 'normalization': NORMALIZATIONS[norm]}
    shapes = {'latent_dim': LATENT, 'image_shape': IMAGE} if role == 'Generator' else {'input_shape': IMAGE}
    network = Network(lambda rngs: model(**shapes, **settings, rngs=rngs))
    return network, *jax.jit(network.init)(jax.random.key(0))


CASES = [
    (family, role, norm)
    for family in MODELS
    for role in ('Generator', 'Discriminator')
    for norm in NORMALIZATIONS
]


@pytest.mark.parametrize(('family', 'role', 'norm'), CASES)
def test_shapes_and_ranges(family: str, role: str, norm: str) -> None:
    network, params, model_state = made(family, role, norm)
    output = np.asarray(network(params, model_state, LATENTS if role == 'Generator' else IMAGES)[0])
    assert output.dtype == np.float32
    if role == 'Generator':
        assert output.shape == (6, *IMAGE)
        assert 0.01 < np.abs(output).max() <= 1
    else:
        assert output.shape == (6, 1)
    assert len(np.unique(output.reshape(6, -1), axis=0)) == 6


@pytest.mark.parametrize(('family', 'role', 'norm'), CASES)
def test_every_parameter_gets_a_gradient(family: str, role: str, norm: str) -> None:
    network, params, model_state = made(family, role, norm)
    x = LATENTS if role == 'Generator' else IMAGES

    @jax.jit
    @jax.grad
    def gradient(params: Any) -> jax.Array:
        output, _ = network(params, model_state, x, key=jax.random.key(0))
        return jnp.square(output - jnp.linspace(-1, 1, output.size).reshape(output.shape)).sum()

    for path, leaf in jax.tree_util.tree_leaves_with_path(gradient(params)):
        assert np.isfinite(leaf).all()
        assert np.abs(leaf).max() > 1e-6, jax.tree_util.keystr(path)


@pytest.mark.parametrize('norm', ['none', 'layer', 'spectral'])
@pytest.mark.parametrize('family', MODELS)
def test_all_but_batch_normalisation_see_one_example_at_a_time_in_training(family: str, norm: str) -> None:
    network, params, model_state = made(family, 'Discriminator', norm)
    logits = network(params, model_state, IMAGES, key=jax.random.key(0))[0]
    alone = network(params, model_state, IMAGES[2:3], key=jax.random.key(0))[0]
    np.testing.assert_allclose(logits[2:3], alone, atol=1e-5)


def after_calls(layer: Any, x: Any, calls: int) -> tuple[Network, Any, Any]:
    """Returns a layer, its parameters grown, after some calls in training."""
    network = Network(lambda rngs: normalization.spectral(layer, 0, rngs=rngs))
    params, model_state = network.init(jax.random.key(0))
    params = jax.tree.map(lambda leaf: 7 * leaf, params)
    call = jax.jit(lambda model_state: network(params, model_state, x, key=jax.random.key(0))[1])
    for _ in range(calls):
        model_state = call(model_state)
    return network, params, model_state


def test_spectral_normalisation_bounds_the_slope_of_a_layer() -> None:
    network, params, model_state = after_calls(partial(nnx.Linear, LATENT, 9), LATENTS, 30)
    function = jax.jit(lambda x: network(params, model_state, x[None])[0][0])
    jacobian = np.asarray(jax.jacobian(function)(LATENTS[0]))
    assert np.linalg.norm(jacobian, 2) == pytest.approx(1, abs=1e-3)
    kernel = np.asarray(params['layer_instance']['kernel'])
    np.testing.assert_allclose(jacobian.T, kernel / np.linalg.norm(kernel, 2), rtol=1e-2, atol=1e-3)


def test_spectral_normalisation_takes_a_convolution_as_a_matrix() -> None:
    network, params, model_state = after_calls(partial(nnx.Conv, 1, 3, (3, 3), use_bias=False), IMAGES, 30)
    kernel = np.asarray(params['layer_instance']['kernel'])
    norm = np.linalg.norm(kernel.reshape(9, 3), 2)
    plain = nnx.Conv(1, 3, (3, 3), use_bias=False, rngs=nnx.Rngs(0))
    plain.kernel[...] = jnp.asarray(kernel / norm)
    np.testing.assert_allclose(network(params, model_state, IMAGES)[0], plain(IMAGES), atol=1e-3)


def test_spectral_normalisation_is_fixed_in_evaluation() -> None:
    network, params, model_state = after_calls(partial(nnx.Linear, LATENT, 9), LATENTS, 1)
    first, left = network(params, model_state, LATENTS)
    again, _ = network(params, left, LATENTS)
    np.testing.assert_array_equal(first, again)
    jax.tree.map(np.testing.assert_array_equal, model_state, left)


@pytest.mark.parametrize('family', MODELS)
def test_images_that_cannot_be_halved_are_refused(family: str) -> None:
    for role, shape in (('Generator', {'latent_dim': 2, 'image_shape': (6, 8, 1)}), ('Discriminator', {})):
        shapes = shape or {'input_shape': (8, 6, 1)}
        with pytest.raises(UserError, match='cannot be halved 2 times'):
            MODELS[family][role](**shapes, rngs=nnx.Rngs(0))


def test_a_repeated_image() -> None:
    x = RANDOM.normal(size=(2, 2, 3, 1))
    slow = [[[x[b, i // 2, j // 2] for j in range(6)] for i in range(4)] for b in range(2)]
    np.testing.assert_array_equal(dcgan.doubled(jnp.asarray(x, jnp.float32)), np.asarray(slow, np.float32))
