"""Attention equals the formula, written out, whatever computes it."""

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from engine.errors import UserError
from engine.network import Network
from research.models import attention
from research.models.vit import ViT

RANDOM = np.random.default_rng(0)
BATCH, TOKENS, HEADS, FEATURES = 2, 6, 3, 8
QUERY, KEY, VALUE = RANDOM.normal(size=(3, BATCH, TOKENS, HEADS, FEATURES)).astype(np.float32)
MASKS: dict[str, Any] = {
    'none': None,
    'one for all': RANDOM.random((1, 1, TOKENS, TOKENS)) < 0.6,
    'one for each head': RANDOM.random((BATCH, HEADS, TOKENS, TOKENS)) < 0.6,
}
for mask in MASKS.values():
    if mask is not None:
        mask[..., 0] = True  # each token attends to at least one
GPU = pytest.mark.skipif(jax.default_backend() != 'gpu', reason='needs an NVIDIA GPU')


def slowly(query: Any, key: Any, value: Any, causal: bool, mask: Any) -> np.ndarray:
    """The formula in float64: one example, head and token after the other."""
    query, key, value = (np.asarray(array, np.float64) for array in (query, key, value))
    output = np.zeros_like(query)
    mask = np.broadcast_to(True if mask is None else mask, (BATCH, HEADS, TOKENS, TOKENS))
    for b, t, n in np.ndindex(BATCH, TOKENS, HEADS):
        seen = [s for s in range(TOKENS) if mask[b, n, t, s] and not (causal and s > t)]
        weights = np.exp([query[b, t, n] @ key[b, s, n] / np.sqrt(FEATURES) for s in seen])
        output[b, t, n] = weights / weights.sum() @ value[b, seen, n]
    return output


def check(function: attention.Attention, dtype: str, causal: bool, mask: str) -> None:
    query, key, value = (jnp.asarray(array, dtype) for array in (QUERY, KEY, VALUE))
    output = function(query, key, value, causal=causal, mask=MASKS[mask])
    assert output.dtype == dtype
    tolerance = 1e-5 if dtype == 'float32' else 0.02
    np.testing.assert_allclose(
        np.asarray(output, np.float64), slowly(query, key, value, causal, MASKS[mask]), atol=tolerance
    )


@pytest.mark.parametrize('dtype', ['float32', 'bfloat16'])
@pytest.mark.parametrize('causal', [False, True])
@pytest.mark.parametrize('mask', MASKS)
def test_xla_is_the_formula(dtype: str, causal: bool, mask: str) -> None:
    check(attention.xla, dtype, causal, mask)


@GPU
@pytest.mark.parametrize('causal', [False, True])
@pytest.mark.parametrize('mask', MASKS)
def test_cudnn_is_the_formula(causal: bool, mask: str) -> None:
    check(attention.cudnn, 'bfloat16', causal, mask)


@GPU
def test_cudnn_and_xla_have_equal_gradients() -> None:
    arrays = [jnp.asarray(array, jnp.bfloat16) for array in (QUERY, KEY, VALUE)]

    def gradients(function: attention.Attention) -> Any:
        def loss(*arrays: jax.Array) -> jax.Array:
            return jnp.square(function(*arrays, causal=True).astype(jnp.float32)).sum()

        return jax.grad(loss, (0, 1, 2))(*arrays)

    for found, expected in zip(gradients(attention.cudnn), gradients(attention.xla), strict=True):
        np.testing.assert_allclose(np.asarray(found, float), np.asarray(expected, float), atol=0.1)


@GPU
def test_cudnn_asks_for_bfloat16() -> None:
    with pytest.raises(UserError, match=r"not in float32\. Bind the model's dtype = 'bfloat16'"):
        attention.cudnn(jnp.asarray(QUERY), jnp.asarray(KEY), jnp.asarray(VALUE))


@pytest.mark.skipif(jax.default_backend() == 'gpu', reason='needs a machine without a GPU')
def test_cudnn_without_a_gpu_is_one_message() -> None:
    build = partial(ViT, (16, 16, 3), 5, 'mu', dtype='bfloat16', attention=attention.cudnn)
    net = Network(lambda rngs: build(rngs=rngs))
    with pytest.raises(UserError, match=r'runs on NVIDIA GPUs, but .*\(cpu\)\. Bind @attention\.xla instead'):
        jax.eval_shape(net, *net.variables, jnp.zeros((1, 16, 16, 3)))
