"""What can be exported for any batch size is; what cannot is refused with its line or its cause."""

from collections.abc import Callable, Mapping
from types import SimpleNamespace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import export
from jax.sharding import AxisType, NamedSharding, PartitionSpec

from engine.errors import UserError
from engine.releases import exported, variables
from tests.engine.tiny import IMAGE, SPEC

WEIGHTS = np.linspace(-1, 1, 48, dtype=np.float32).reshape(16, 3)
STATE: dict[str, Any] = {'params': {'w': WEIGHTS}}
IMAGES = np.random.default_rng(0).integers(0, 256, (5, *IMAGE), np.uint8)

Logits = Callable[[jax.Array, jax.Array], Any]  # (logits [B, 3], images [B, ...]) -> what the test predicts


def logits(state: Any, images: Any) -> jax.Array:
    flat = images.reshape(images.shape[0], -1).astype(np.float32) / np.float32(255)
    return flat @ state['params']['w']


def export_of(change: Logits, state: Any = None) -> export.Exported:
    def predict(state: Any, batch: Mapping[str, Any]) -> dict[str, Any]:
        return {'logits': change(logits(state, batch['image']), batch['image'])}

    bound: Any = SimpleNamespace(predict=predict)
    whole = state or STATE
    shapes = jax.eval_shape(lambda: whole)
    return exported.exported(bound, shapes, SPEC, variables.of_state(whole, ['params/w'], {}))


def refusal(change: Logits) -> str:
    with pytest.raises(UserError) as error:
        export_of(change)
    return str(error.value)


def of_length(x: jax.Array, images: jax.Array) -> Any:
    return x / len(images)


def of_whole_number(x: jax.Array, images: jax.Array) -> Any:
    return x / int(images.shape[0])


def of_branch(x: jax.Array, images: jax.Array) -> Any:
    return x if images.shape[0] > 4 else -x


def of_range(x: jax.Array, images: jax.Array) -> Any:
    return jnp.stack([x[row] for row in range(images.shape[0])])


def of_loop(x: jax.Array, images: jax.Array) -> Any:
    return jnp.stack([row + np.float32(len(images.shape)) for row in x])


def of_numpy(x: jax.Array, images: jax.Array) -> Any:
    return x * np.ones((images.shape[0], 1), np.float32)


def of_permutation(x: jax.Array, images: jax.Array) -> Any:
    return jax.random.permutation(jax.random.key(images.ndim), x)


@pytest.mark.parametrize(
    'change', [of_length, of_whole_number, of_branch, of_range, of_loop, of_numpy, of_permutation]
)
def test_code_that_needs_the_batch_size_as_a_number_is_named(change: Logits) -> None:
    message = refusal(change)
    line = change.__code__.co_firstlineno + 1  # type: ignore[attr-defined]
    assert f'tests/engine/releases/test_exported.py:{line}, in {change.__name__}: ' in message
    assert 'and nothing was released' in message
    assert 'take sizes from `x.shape`' in message
    assert 'docs.jax.dev' not in message


def test_code_that_needs_a_certain_batch_is_named() -> None:
    def of_fours(x: jax.Array, images: jax.Array) -> Any:
        return x.reshape(-1, 4, 3).reshape(images.shape[0], 3)

    assert 'in test_code_that_needs_a_certain_batch_is_named.<locals>.of_fours' in refusal(of_fours)


def printed(x: jax.Array, images: jax.Array) -> Any:
    jax.debug.print('{}', images.sum())
    return x


def called_back(x: jax.Array, images: jax.Array) -> Any:
    del images
    return jax.pure_callback(np.asarray, jax.ShapeDtypeStruct(x.shape, x.dtype), x)


def called_back_in_a_loop(x: jax.Array, images: jax.Array) -> Any:
    return jax.lax.map(lambda row: called_back(row, images), x)


@pytest.mark.parametrize('change', [printed, called_back, called_back_in_a_loop])
def test_calls_of_python_are_refused(change: Logits) -> None:
    assert 'calls Python while it runs' in refusal(change)


def test_a_program_for_several_devices_is_refused() -> None:
    mesh = jax.make_mesh((2,), ('data',), axis_types=(AxisType.Auto,))
    rows = NamedSharding(mesh, PartitionSpec('data'))
    message = refusal(lambda x, _: jax.lax.with_sharding_constraint(x, rows))
    assert 'names 2 devices' in message


def test_a_prediction_that_reads_no_field_is_refused() -> None:
    bound: Any = SimpleNamespace(predict=lambda state, batch: {'x': state['params']['w'][:1]})
    with pytest.raises(UserError, match='reads no field of a batch'):
        exported.read_fields(bound, jax.eval_shape(lambda: STATE), SPEC)


@pytest.mark.parametrize(
    ('leaf', 'dtype'), [(jax.random.key(0), 'key<fry>'), (np.ones(3, np.complex64), 'complex64')]
)
def test_a_state_that_no_file_holds_is_refused(leaf: Any, dtype: str) -> None:
    state = {**STATE, 'model_state': {'noise': leaf}}
    with pytest.raises(UserError, match=rf'reads model_state/noise .* dtype {dtype} a release cannot store'):
        variables.of_state(state, ['params/w', 'model_state/noise'], {})


def any_size(x: jax.Array, images: jax.Array) -> Any:
    rows = images.shape[0]
    mapped = jax.lax.map(jnp.cumsum, x)
    noise = jax.random.uniform(jax.random.key(0), (rows, 1))
    return mapped + jnp.arange(rows, dtype=np.float32)[:, None] + jax.lax.top_k(x, 1)[0] + noise * 0


@pytest.mark.parametrize('dtype', [jnp.bfloat16, np.int8])
def test_one_program_predicts_batches_of_any_size(dtype: Any) -> None:
    state = {'params': {'w': (WEIGHTS * 100).astype(dtype)}}
    whole = {'params': {'w': state['params']['w'].astype(np.float32)}}

    def predict(state: Any, batch: Mapping[str, Any]) -> dict[str, Any]:
        wide = {'params': {'w': state['params']['w'].astype(np.float32)}}
        return {'logits': any_size(logits(wide, batch['image']), batch['image'])}

    released = variables.of_state(state, ['params/w'], {})
    bound: Any = SimpleNamespace(predict=predict)
    program = exported.exported(bound, jax.eval_shape(lambda: state), SPEC, released)
    assert program.platforms == exported.PLATFORMS
    call = exported.loaded(bytes(program.serialize()))
    for count in (1, 2, 5):
        predicted = call(released.arrays, {'image': IMAGES[:count]})['logits']
        wanted = any_size(logits(whole, jnp.asarray(IMAGES[:count])), jnp.asarray(IMAGES[:count]))
        np.testing.assert_allclose(predicted, wanted, rtol=1e-6, atol=1e-5)


def test_a_program_for_some_platforms_is_exported_for_those() -> None:
    def eigenvalues(x: jax.Array, images: jax.Array) -> Any:
        return jnp.linalg.eigvals(images[..., 0].astype(np.float32)).real + x[:, :1]

    assert export_of(eigenvalues).platforms == ('cpu',)
