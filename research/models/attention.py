"""Attention by XLA or by cuDNN. Bind one of them, such as `vit.ViT.attention = @attention.cudnn`."""

from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
from flax import nnx

from engine.errors import UserError
from research.models.linear import TokenLinear

# (query, key, value [B, T, N, H], causal, mask) -> [B, T, N, H], for N heads of H features.
Attention = Callable[..., jax.Array]
LECUN = nnx.initializers.lecun_normal()


def xla(
    query: jax.Array,
    key: jax.Array,
    value: jax.Array,
    causal: bool = False,
    mask: jax.Array | None = None,
) -> jax.Array:
    """Returns softmax(query key^T / sqrt(H)) value, [B, T, N, H], on any device. The softmax is float32.

    The attention weights, [B, N, T, S], are stored for the backward pass.

    Args:
      query: [B, T, N, H], for N heads of H features.
      key: [B, S, N, H].
      value: [B, S, N, H].
      causal: whether token t attends only to tokens 0 to t.
      mask: bool, broadcast to [B, N, T, S]: which tokens each token attends to.
    """
    return jax.nn.dot_product_attention(query, key, value, mask=mask, is_causal=causal, implementation='xla')


def cudnn(
    query: jax.Array,
    key: jax.Array,
    value: jax.Array,
    causal: bool = False,
    mask: jax.Array | None = None,
) -> jax.Array:
    """Returns what `xla` returns, by one kernel of NVIDIA's cuDNN that never stores the attention weights.

    Source: Dao et al. 2022, https://arxiv.org/abs/2205.14135.

    Args:
      query: bfloat16 or float16 [B, T, N, H]; H is a multiple of 8, at most 128.
      key: [B, S, N, H].
      value: [B, S, N, H].
      causal: whether token t attends only to tokens 0 to t.
      mask: bool, broadcast to [B, N, T, S]: which tokens each token attends to.

    Raises:
      UserError: there is no NVIDIA GPU, or the kernel does not take these arrays.
    """
    if jax.default_backend() != 'gpu':
        raise UserError(
            f'attention.cudnn runs on NVIDIA GPUs, but the device here is {jax.devices()[0].device_kind!r} '
            f'({jax.default_backend()}). Bind @attention.xla instead.'
        )
    if query.dtype not in (jnp.bfloat16, jnp.float16):
        raise UserError(
            f'attention.cudnn computes in bfloat16, not in {query.dtype}. '
            "Bind the model's dtype = 'bfloat16', or bind @attention.xla instead."
        )
    call = partial(jax.nn.dot_product_attention, mask=mask, is_causal=causal, implementation='cudnn')
    try:
        return call(query, key, value)
    except (ValueError, NotImplementedError, RuntimeError) as error:
        raise UserError(f'attention.cudnn: {error} Bind @attention.xla instead.') from error


class SelfAttention(nnx.Module):
    """Attention of the tokens to each other. One matrix makes all queries, keys and values.

    Args:
      width: features of a token; a multiple of `heads`.
      heads: attention heads.
      attention: computes the attention, such as `xla`.
      causal: whether a token attends only to itself and the tokens before it.
      use_bias: whether the two linear layers have biases.
      dtype: dtype of the computation.
      kernel_init: makes the first values of queries, keys and values.
      output_init: makes the first values of the output layer.
      rngs: random streams for parameters.

    Raises:
      UserError: `heads` does not divide `width`.
    """

    def __init__(
        self,
        width: int,
        heads: int,
        attention: Attention = xla,
        causal: bool = False,
        use_bias: bool = True,
        dtype: str = 'float32',
        kernel_init: Any = LECUN,
        output_init: Any = LECUN,
        *,
        rngs: nnx.Rngs,
    ):
        if width % heads:
            raise UserError(f'heads = {heads} does not divide width = {width}.')
        self.heads, self.causal, self.attention = heads, causal, attention
        linear = partial(TokenLinear, use_bias=use_bias, dtype=jnp.dtype(dtype), rngs=rngs)
        self.qkv = linear(width, 3 * width, kernel_init=kernel_init)
        self.output = linear(width, width, kernel_init=output_init)

    def __call__(self, x: jax.Array) -> jax.Array:
        """Returns features [B, T, width] for x [B, T, width]."""
        query, key, value = self.projected(x)
        return self.joined(self.attention(query, key, value, causal=self.causal))

    def projected(self, x: jax.Array) -> tuple[jax.Array, jax.Array, jax.Array]:
        """Returns queries, keys and values of x [B, T, width], each [B, T, heads, width / heads]."""
        heads = self.qkv(x).reshape(*x.shape[:2], 3, self.heads, -1)
        return heads[:, :, 0], heads[:, :, 1], heads[:, :, 2]

    def joined(self, heads: jax.Array) -> jax.Array:
        """Returns features [B, T, width] for the attended values of all heads, [B, T, heads, H]."""
        return self.output(heads.reshape(*heads.shape[:2], -1))
