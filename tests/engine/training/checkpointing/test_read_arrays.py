"""Which arrays of a state a program reads, found in the program."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import pytest
from jax.sharding import PartitionSpec

from engine.sharding import Jit
from engine.training.checkpointing import read_arrays

STATE = {
    'params': {'a': jnp.ones(2), 'b': jnp.full(2, 2.0)},
    'ema': {'a': jnp.ones(2), 'b': jnp.ones(2)},
    'opt_state': (jnp.ones(2), {'count': jnp.int32(3)}),
}


def nested(state: Any) -> Any:
    return jax.jit(lambda state: state['params']['a'] + 1)(state)


def recomputed(state: Any) -> Any:
    return jax.checkpoint(lambda state: jnp.sin(state['ema']['b']))(state)


def looped(state: Any) -> Any:
    """The count is read by the first turn alone, through the carried value."""

    def turn(carried: Any, _: Any) -> Any:
        value, other = carried
        return (value + other, other), None

    first = (state['params']['a'], state['opt_state'][1]['count'].astype(jnp.float32))
    return jax.lax.scan(turn, first, None, length=3)[0][0]


def chosen(state: Any) -> Any:
    return jax.lax.cond(
        state['opt_state'][1]['count'] > 2, lambda: state['ema']['a'], lambda: state['params']['b']
    )


def mapped(state: Any) -> Any:
    mesh, whole = Jit(data=1).mesh, PartitionSpec()
    return jax.shard_map(nested, mesh=mesh, in_specs=whole, out_specs=whole, check_vma=False)(state)


@pytest.mark.parametrize(
    ('function', 'expected'),
    [
        (lambda state: {'x': state['params'], 'y': 2.0}, {'params/a', 'params/b'}),
        (lambda state: jnp.zeros_like(state['params']['a']), set()),
        (lambda state: state['params']['a'] * 0 + state['ema']['a'].sum(), {'params/a', 'ema/a'}),
        (nested, {'params/a'}),
        (recomputed, {'ema/b'}),
        (looped, {'params/a', 'opt_state/1/count'}),
        (chosen, {'params/b', 'ema/a', 'opt_state/1/count'}),
        (mapped, {'params/a'}),
    ],
    ids=['some', 'shapes alone', 'two', 'nested', 'recomputed', 'looped', 'chosen', 'mapped'],
)
def test_what_is_read(function: Callable[[Any], Any], expected: set[str]) -> None:
    assert read_arrays.paths(jax.jit(function).trace(STATE), STATE) == expected


@pytest.mark.parametrize('function', [nested, recomputed, looped, chosen, mapped])
def test_other_arrays_do_not_matter(function: Callable[[Any], Any]) -> None:
    read = read_arrays.paths(jax.jit(function).trace(STATE), STATE)

    def spoiled(path: Any, leaf: jax.Array) -> jax.Array:
        name = jax.tree_util.keystr(path, simple=True, separator='/')
        return leaf if name in read else jnp.full_like(leaf, 99)

    other = jax.tree_util.tree_map_with_path(spoiled, STATE)
    assert (function(other) == function(STATE)).all()


def test_an_effect_counts_as_reading() -> None:
    def printing(state: Any) -> Any:
        jax.debug.print('{}', state['ema']['a'])
        return state['params']['a']

    assert read_arrays.paths(jax.jit(printing).trace(STATE), STATE) == {'params/a', 'ema/a'}
