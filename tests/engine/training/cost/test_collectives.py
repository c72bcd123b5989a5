"""What devices exchange, read from compiled programs."""

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.sharding import AxisType, Mesh, NamedSharding, PartitionSpec

from engine.training.cost import collectives
from engine.training.cost.collectives import Collective

MESH = Mesh(np.array(jax.devices()[:2]), ('data',), axis_types=(AxisType.Auto,))
SPLIT, WHOLE = PartitionSpec('data'), PartitionSpec()
N = 1024


def of_function(function: Any, *shapes: tuple[int, ...], out: Any = WHOLE) -> list[Collective]:
    """Returns the collectives of a function that each of two devices runs on its part of arrays."""
    mapped = jax.shard_map(function, mesh=MESH, in_specs=SPLIT, out_specs=out, check_vma=False)
    arrays = [
        jax.ShapeDtypeStruct(shape, jnp.float32, sharding=NamedSharding(MESH, SPLIT)) for shape in shapes
    ]
    return collectives.of_program(jax.jit(mapped).lower(*arrays).compile().as_text() or '')


def test_a_program_without_exchange_has_none() -> None:
    assert of_function(jnp.sin, (2 * N,), out=SPLIT) == []
    assert collectives.table([]) == 'Collectives of a training step: none.'


def test_a_sum_over_devices_is_one_reduction() -> None:
    assert of_function(partial(jax.lax.psum, axis_name='data'), (2 * N,)) == [
        Collective('all-reduce', 1, 4 * N, False)
    ]


def test_the_whole_counts_of_what_is_gathered_or_scattered() -> None:
    gather = partial(jax.lax.all_gather, axis_name='data')
    assert of_function(gather, (2 * N,)) == [Collective('all-gather', 1, 8 * N, False)]
    scatter = partial(jax.lax.psum_scatter, axis_name='data')
    (found,) = of_function(scatter, (4, N), out=SPLIT)
    assert (found.kind, found.count, found.size) == ('reduce-scatter', 1, 8 * N)


def test_rows_that_move_are_found() -> None:
    permute = partial(jax.lax.ppermute, axis_name='data', perm=[(0, 1), (1, 0)])
    assert of_function(permute, (2 * N,), out=SPLIT) == [Collective('collective-permute', 1, 4 * N, False)]
    transpose = partial(jax.lax.all_to_all, axis_name='data', split_axis=1, concat_axis=0, tiled=True)
    (found,) = of_function(transpose, (2, 2 * N), out=SPLIT)
    assert (found.kind, found.count, found.size) == ('all-to-all', 1, 8 * N)


def test_what_a_loop_exchanges_counts_for_each_turn() -> None:
    def loop(x: jax.Array) -> jax.Array:
        def inner(x: jax.Array, _: Any) -> tuple[jax.Array, None]:
            return jnp.sin(jax.lax.psum(x, 'data')), None

        def outer(x: jax.Array, _: Any) -> tuple[jax.Array, None]:
            return jax.lax.scan(inner, x, None, length=3)[0], None

        return jax.lax.psum(jax.lax.scan(outer, x, None, length=5)[0], 'data')

    assert of_function(loop, (2 * N,)) == [Collective('all-reduce', 16, 16 * 4 * N, False)]


def test_a_loop_of_unknown_length_counts_once_and_is_said() -> None:
    def loop(x: jax.Array) -> jax.Array:
        return jax.lax.while_loop(lambda x: x.sum() < x.max(), lambda x: jax.lax.psum(x, 'data'), x)

    found = of_function(loop, (2 * N,))
    assert found == [Collective('all-reduce', 1, 4 * N, True)]
    assert collectives.table(found).endswith(
        'all-reduce                  1     4.0 KiB, and more in a loop of unknown length'
    )


# As XLA writes programs for TPUs: what begins and ends has one channel, and so has what runs meanwhile.
ASYNCHRONOUS = """
HloModule jit_step, num_partitions=8

%fused_computation.1 (param_0.1: bf16[16,32]) -> (bf16[16,32], bf16[128,32]) {
  %param_0.1 = bf16[16,32]{1,0:T(8,128)(2,1)} parameter(0)
  ROOT %all-gather.1 = bf16[128,32]{1,0:T(8,128)S(1)} all-gather(%param_0.1), channel_id=11
}

%fused_computation.2 (param_0.2: bf16[16,32]) -> bf16[128,32] {
  %param_0.2 = bf16[16,32]{1,0} parameter(0)
  ROOT %all-gather.2 = bf16[128,32]{1,0:T(8,128)S(1)} all-gather(%param_0.2), channel_id=11
}

ENTRY %main.9_spmd (param: bf16[16,32], param.1: f32[10], param.2: f32[]) -> (f32[10], f32[]) {
  %param = bf16[16,32]{1,0} parameter(0)
  %param.1 = f32[10]{0} parameter(1)
  %param.2 = f32[]{:T(128)} parameter(2)
  %start = (bf16[16,32]{1,0}, bf16[128,32]{1,0}) fusion(%param), kind=kCustom, calls=%fused_computation.1
  %done = bf16[128,32]{1,0} fusion(%param), kind=kCustom, calls=%fused_computation.2
  %all-reduce.28 = (f32[10]{0:T(128)}, /*index=1*/f32[]) all-reduce(%param.1, %param.2), channel_id=3
  %gather-start = (f32[10]{0}, f32[80]{0}) all-gather-start(%param.1), channel_id=4, dimensions={0}
  %gather-done = f32[80]{0} all-gather-done(%gather-start)
  ROOT %get = f32[10]{0} get-tuple-element(%all-reduce.28), index=0
}
"""


def test_a_collective_that_runs_beside_others_counts_once() -> None:
    assert collectives.of_program(ASYNCHRONOUS) == [
        Collective('all-reduce', 1, 44, False),
        Collective('all-gather', 2, 128 * 32 * 2 + 80 * 4, False),
    ]


@pytest.mark.parametrize(
    ('shape', 'size'),
    [
        ('f32[2,3]{1,0}', 24),
        ('bf16[8]', 16),
        ('pred[5]', 5),
        ('s4[10]{0:E(4)}', 5),
        ('f8e4m3fn[7]', 7),
        ('c64[2]', 16),
        ('f32[]', 4),
        ('u32[0]', 0),
        ('(f32[2]{0}, (s32[3]{0}, token[]))', 20 + 1),
    ],
)
def test_the_bytes_of_a_shape(shape: str, size: int) -> None:
    assert collectives._bytes(shape) == size
