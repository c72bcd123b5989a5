"""Trees of arrays in a single file, to the bit; which trees a file can hold."""

from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from engine.errors import UserError
from engine.sharding import Jit, batch_sharding
from engine.stored_trees import single_file, tree
from engine.variables import by_path


def arrays() -> dict[str, np.ndarray]:
    """Returns arrays of all dtypes that a file can hold, with odd values and shapes."""
    random = np.random.default_rng(0)
    values: dict[str, Any] = {
        dtype: random.integers(0, 2, (3, 2)).astype(jnp.dtype(dtype)) for dtype in single_file.DTYPES.values()
    }
    return values | {
        'opt_state/0/mu/a.b': np.array([np.nan, np.inf, -0.0, 1e-45], np.float32),
        'scalar': np.array(7, np.int32),
        'empty': np.zeros((0, 3), np.float32),
        'transposed': np.arange(6, dtype=np.float32).reshape(2, 3).T,
    }


def like(stored: dict[str, np.ndarray]) -> dict[str, jax.ShapeDtypeStruct]:
    return {path: jax.ShapeDtypeStruct(array.shape, array.dtype) for path, array in stored.items()}


def test_arrays_come_back_to_the_bit(tmp_path: Path) -> None:
    stored = arrays()
    assert single_file.can_hold(stored)
    single_file.write(tmp_path / 'tree', stored)
    assert tree.is_tree(tmp_path / 'tree')
    shapes = tree.stored_shapes(tmp_path / 'tree')
    assert shapes == like(stored)
    assert [*shapes] == sorted(stored)  # the same order each time, for tables of variables
    restored = tree.restored(tmp_path / 'tree', like(stored))
    for path, array in stored.items():
        assert (restored[path].dtype, restored[path].shape) == (array.dtype, array.shape)
        assert restored[path].tobytes() == array.tobytes()


def test_an_array_goes_straight_to_its_devices(tmp_path: Path) -> None:
    single_file.write(tmp_path / 'tree', {'a': np.arange(8.0, dtype=np.float32), 'b': np.zeros(2)})
    sharding = batch_sharding(Jit(data=2).mesh)
    targets = {'a': jax.ShapeDtypeStruct((8,), np.float32, sharding=sharding)}
    restored = tree.restored(tmp_path / 'tree', targets)
    assert restored.keys() == {'a'}
    assert restored['a'].sharding == sharding
    np.testing.assert_array_equal(restored['a'], np.arange(8))


@pytest.mark.parametrize(
    'array', [jax.random.key(0), np.zeros(2, np.complex64), jnp.zeros(2, jnp.float8_e5m2)]
)
def test_a_file_cannot_hold_every_dtype(array: Any) -> None:
    assert not single_file.can_hold({'a': array})


@pytest.mark.parametrize(
    'damage', [lambda content: content[:-1], lambda content: b'', lambda content: b'x' * 99]
)
def test_a_damaged_file_is_named(damage: Any, tmp_path: Path) -> None:
    single_file.write(tmp_path / 'tree', {'a': np.arange(8.0)})
    file = tmp_path / 'tree' / single_file.FILE
    file.write_bytes(damage(file.read_bytes()))
    with pytest.raises(UserError, match=r'state\.safetensors is damaged'):
        tree.restored(tmp_path / 'tree', {'a': jax.ShapeDtypeStruct((8,), np.float64)})


def test_restored_arrays_can_be_donated(tmp_path: Path) -> None:
    """A program that takes over their memory must not change the file's content in memory."""
    single_file.write(tmp_path / 'tree', {name: np.arange(64.0, dtype=np.float32) for name in 'abcd'})
    sharding = batch_sharding(Jit(data=1).mesh)
    targets = {name: jax.ShapeDtypeStruct((64,), np.float32, sharding=sharding) for name in 'abcd'}
    double = jax.jit(lambda arrays: jax.tree.map(lambda x: x * 2, arrays), donate_argnums=0)
    for _ in range(2):
        doubled = by_path(double(tree.restored(tmp_path / 'tree', targets)))
        for array in doubled.values():
            np.testing.assert_array_equal(array, np.arange(64) * 2)
