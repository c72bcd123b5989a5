"""Counts of operations against XLA's own and against formulas."""

from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import pytest
from jax.sharding import AxisType, NamedSharding, PartitionSpec

from engine.training.cost.flops import Flops, flops_per_step


def ones(*shape: int, dtype: Any = jnp.float32) -> jax.Array:
    return jnp.ones(shape, dtype)


def count(function: Callable, *arguments: Any, steps: int = 1) -> Flops:
    return flops_per_step(jax.jit(function).lower(*arguments), steps)


CONVOLUTIONS = {
    'same': ((1, 1), 'SAME', (1, 1), (1, 1), 1),
    'strided': ((2, 2), 'SAME', (1, 1), (1, 1), 1),
    'uneven': ((3, 2), [(2, 1), (0, 3)], (1, 1), (1, 1), 1),
    'kernel with holes': ((1, 1), 'VALID', (1, 1), (2, 2), 1),
    'transposed': ((1, 1), [(2, 2), (2, 2)], (2, 2), (1, 1), 1),
    'by groups': ((1, 1), 'SAME', (1, 1), (1, 1), 2),
}


@pytest.mark.parametrize('name', CONVOLUTIONS)
@pytest.mark.parametrize('part', [0, 1, 2])
def test_products_of_convolutions_are_those_that_xla_counts(name: str, part: int) -> None:
    """Forward, and the gradients by the input and by the kernel: they hold nothing but a convolution."""
    strides, padding, left, right, groups = CONVOLUTIONS[name]

    def convolve(x: jax.Array, kernel: jax.Array) -> jax.Array:
        return jax.lax.conv_general_dilated(
            x, kernel, strides, padding, left, right, ('NHWC', 'HWIO', 'NHWC'), feature_group_count=groups
        )

    x, kernel = ones(4, 9, 8, 6), ones(3, 2, 6 // groups, 10)
    out, pullback = jax.vjp(convolve, x, kernel)
    function = convolve if part == 0 else lambda x, kernel: jax.vjp(convolve, x, kernel)[1](out)[part - 1]
    del pullback
    flops = count(function, x, kernel)
    assert flops.products == {'tensorfloat32': flops.by_xla}
    assert flops.total > 0


@pytest.mark.parametrize('batched', [False, True])
def test_products_of_matrices(batched: bool) -> None:
    left, right = (ones(7, 2, 3), ones(7, 3, 5)) if batched else (ones(2, 3), ones(3, 5))
    flops = count(jnp.matmul, left, right)
    assert flops.total == flops.by_xla == 2 * 2 * 3 * 5 * (7 if batched else 1)


@pytest.mark.parametrize(
    ('dtype', 'precision', 'expected'),
    [
        ('bfloat16', None, 'bfloat16'),
        ('float16', None, 'float16'),
        ('float32', None, 'tensorfloat32'),
        ('float32', 'high', 'tensorfloat32'),
        ('float32', 'highest', 'float32'),
        ('float32', 'BF16_BF16_F32', 'bfloat16'),
        ('float32', 'F32_F32_F32', 'float32'),
        ('int8', None, 'int8'),
    ],
)
def test_the_type_that_products_compute_in(dtype: str, precision: Any, expected: str) -> None:
    product = partial(
        jnp.dot, precision=precision, preferred_element_type=jnp.float32 if dtype == 'float32' else None
    )
    assert [*count(product, ones(4, 4, dtype=dtype), ones(4, 4, dtype=dtype)).by_type] == [expected]


def test_what_is_no_product_counts_with_most_products() -> None:
    def mixed(x: jax.Array) -> jax.Array:
        half = x.astype(jnp.bfloat16)
        return jnp.tanh(half @ half).astype(jnp.float32) @ x[:, :2]

    flops = count(mixed, ones(16, 16))
    assert flops.products == {'bfloat16': 2 * 16**3, 'tensorfloat32': 2 * 16**2 * 2}
    assert flops.by_type['tensorfloat32'] == 2 * 16**2 * 2
    assert sum(flops.by_type.values()) == flops.total > sum(flops.products.values())
    assert count(lambda x: x + 1, ones(16)).by_type == {'float32': 16}


LOOPS: dict[str, Callable[[jax.Array], Any]] = {
    'scan': lambda x: jax.lax.scan(lambda c, _: (c @ c, None), x, None, 6)[0],
    'reversed': lambda x: jax.lax.scan(lambda c, _: (c @ c, None), x, None, 6, reverse=True)[0],
    'fori_loop': lambda x: jax.lax.fori_loop(4, 10, lambda _, c: c @ c, x),
    'nested': lambda x: jax.lax.fori_loop(
        0, 2, lambda _, c: jax.lax.scan(lambda c, _: (c @ c, None), c, None, 3)[0], x
    ),
    'map': lambda x: jax.lax.map(lambda row: x @ x + row, jnp.arange(6.0)),
    'unrolled': lambda x: jax.lax.scan(lambda c, _: (c @ c, None), x, None, 6, unroll=6)[0],
    'halves unrolled': lambda x: jax.lax.scan(lambda c, _: (c @ c, None), x, None, 6, unroll=3)[0],
    'called': lambda x: [jax.jit(lambda c: jax.lax.fori_loop(0, 3, lambda _, d: d @ d, c))(x) for _ in '12'],
    'a branch': lambda x: jax.lax.fori_loop(
        0, 6, lambda i, c: jax.lax.cond(i > 2, lambda c: c @ c, lambda c: c + c, c), x
    ),
}


@pytest.mark.parametrize('name', LOOPS)
def test_all_turns_of_loops_count(name: str) -> None:
    flops = count(LOOPS[name], ones(8, 8))
    assert flops.products == {'tensorfloat32': 6 * 2 * 8**3}
    assert flops.total >= 6 * 2 * 8**3
    assert flops.total < 7 * 2 * 8**3
    assert flops.endless == 0


def test_a_loop_of_unknown_length_is_said() -> None:
    def until(x: jax.Array) -> jax.Array:
        return jax.lax.while_loop(lambda c: c[0, 0] < 100, lambda c: c @ c, x)

    flops = count(until, ones(8, 8))
    assert flops.products == {'tensorfloat32': 2 * 8**3}
    assert flops.notes() == ['Loops counted once, because their length is known only when they run: 1.']
    started = count(lambda x, n: jax.lax.fori_loop(0, n, lambda _, c: c @ c, x), ones(8, 8), 5)
    assert started.endless == 1


@pytest.mark.parametrize('unroll', [1, 10])
def test_programs_of_several_steps(unroll: int) -> None:
    def steps(weights: jax.Array, x: jax.Array) -> jax.Array:
        return jax.lax.scan(lambda w, row: (w - row @ w, None), weights, x, unroll=unroll)[0]

    one = count(lambda w, x: w - x[0] @ w, ones(16, 16), ones(1, 16, 16))
    ten = count(steps, ones(16, 16), ones(10, 16, 16), steps=10)
    assert ten.products == one.products
    assert ten.total == pytest.approx(one.total, rel=0.05)


def test_devices_share_the_work() -> None:
    mesh = jax.make_mesh((2,), ('data',), axis_types=(AxisType.Auto,))
    rows, whole = NamedSharding(mesh, PartitionSpec('data')), NamedSharding(mesh, PartitionSpec())
    x, w = jax.device_put(ones(64, 32), rows), jax.device_put(ones(32, 16), whole)
    mapped = jax.shard_map(jnp.dot, mesh=mesh, in_specs=(rows.spec, whole.spec), out_specs=rows.spec)
    for function in (jnp.dot, mapped):
        assert count(function, x, w).total == 32 * 32 * 16 * 2


@pytest.fixture
def cudnn(monkeypatch: pytest.MonkeyPatch) -> None:
    """Lowers as on a GPU with cuDNN; nothing is compiled."""
    from jax._src.cudnn import fused_attention_stablehlo as fused

    monkeypatch.setattr(fused, 'check_cudnn_version', lambda: 91000)
    monkeypatch.setattr(fused, 'check_compute_capability', lambda *_: True)


@pytest.mark.parametrize('dtype', ['bfloat16', 'float16'])
@pytest.mark.usefixtures('cudnn')
def test_attention_by_cudnn_counts_as_attention_written_out(dtype: str) -> None:
    """B = 2, T = 128, S = 256, N = 4, H = 64; the gradients by q, k and v take four products more."""
    q, k = (jax.ShapeDtypeStruct((2, length, 4, 64), dtype) for length in (128, 256))

    def written_out(q: jax.Array, k: jax.Array, v: jax.Array) -> jax.Array:
        weights = jax.nn.softmax(jnp.einsum('btnh,bsnh->bnts', q, k))
        return jnp.einsum('bnts,bsnh->btnh', weights, v)

    def lowered(attention: Callable, gradient: bool) -> Flops:
        function = lambda q, k, v: attention(q, k, v).astype('float32').sum()  # noqa: E731
        function = jax.value_and_grad(function, (0, 1, 2)) if gradient else function
        return flops_per_step(jax.jit(function).trace(q, k, k).lower(lowering_platforms=('cuda',)))

    by_cudnn = partial(jax.nn.dot_product_attention, implementation='cudnn')
    product = 2 * 2 * 4 * 128 * 256 * 64
    for gradient, products in ((False, 2), (True, 6)):
        fused = lowered(by_cudnn, gradient)
        assert fused.by_formula == products * product
        assert fused.products == lowered(written_out, gradient).products == {dtype: products * product}
        assert fused.uncounted == {}
        assert 0 <= fused.by_xla < 0.05 * fused.by_formula


def test_calls_that_nobody_counts_are_named() -> None:
    flops = count(jnp.linalg.eigvalsh, ones(8, 8))
    (name,) = flops.uncounted
    assert flops.notes() == [f'Library calls that are not counted: {name} (1).']
