"""Packed metrics come back to the bit, of any dtype, of single steps and of groups."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from clu.metrics import Average

from engine.training.logs.packed import pack, unpack

DTYPES = ['float32', 'bfloat16', 'float16', 'int32', 'uint8', 'bool']


def metric(dtype: str, *shape: int) -> Any:
    random = np.random.default_rng(0)
    total, count = (jnp.asarray(random.integers(0, 200, shape), dtype) for _ in range(2))
    return Average(total=total, count=count)  # type: ignore[call-arg]


@pytest.mark.parametrize('dtype', DTYPES)
def test_totals_and_counts_come_back(dtype: str) -> None:
    groups = [{'loss': metric('float32', steps), 'classes': metric(dtype, steps, 5)} for steps in (3, 1, 4)]
    packed = [jax.jit(pack)(metrics) for metrics in groups]
    assert set(packed[0].names) == {'loss', 'classes'}
    assert {each.array.dtype for each in packed} == {jnp.dtype('uint8')}
    for name, sums in unpack(packed).items():
        for part, found in zip(('total', 'count'), sums, strict=True):
            expected = np.concatenate([np.asarray(getattr(metrics[name], part)) for metrics in groups])
            assert (found.dtype, found.shape) == (expected.dtype, expected.shape)
            assert found.tobytes() == expected.tobytes()


def test_odd_values_keep_their_bits() -> None:
    values = jnp.array([jnp.nan, jnp.inf, -0.0, 1e-45, 2.0**31], jnp.float32)
    packed = jax.jit(pack)({'loss': Average(total=values, count=values)})  # type: ignore[call-arg]
    total, _ = unpack([packed])['loss']
    assert total.tobytes() == np.asarray(values).tobytes()


def test_a_call_returns_one_array() -> None:
    metrics = {name: metric('float32', 1) for name in ('loss', 'accuracy', 'gradient_norm')}
    assert len(jax.tree.leaves(jax.jit(pack)(metrics))) == 1
