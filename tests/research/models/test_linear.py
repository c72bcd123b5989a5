import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from research.models.linear import TokenLinear


@pytest.mark.parametrize('shape', [(3,), (5, 3), (2, 5, 3), (2, 4, 5, 3)])
@pytest.mark.parametrize('dtype', [jnp.float32, jnp.bfloat16])
def test_it_computes_what_linear_computes(shape: tuple[int, ...], dtype: jnp.dtype) -> None:
    linear, layer = (cls(3, 7, dtype=dtype, rngs=nnx.Rngs(0)) for cls in (nnx.Linear, TokenLinear))
    x = jax.random.normal(jax.random.key(1), shape)
    output = layer(x)
    assert output.shape == (*shape[:-1], 7)
    assert output.dtype == dtype
    np.testing.assert_allclose(output.astype(float), linear(x).astype(float), rtol=1e-6, atol=1e-6)


def test_its_gradients_are_those_of_linear() -> None:
    def grads(cls: type[nnx.Linear]) -> tuple[nnx.State, jax.Array]:
        layer, x = cls(3, 7, rngs=nnx.Rngs(0)), jax.random.normal(jax.random.key(1), (2, 5, 3))
        return nnx.grad(lambda layer, x: jnp.sum(layer(x) ** 2), argnums=(0, 1))(layer, x)

    for one, other in zip(*map(jax.tree.leaves, map(grads, (nnx.Linear, TokenLinear))), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5)
