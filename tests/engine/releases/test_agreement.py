"""An export is compared with saved predictions, as closely as its numbers allow, and with itself alone."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from engine import outputs
from engine.errors import UserError
from engine.outputs import kind_folders
from engine.outputs.pictures.sequence import Pictures
from engine.releases import agreement, difference, exported, tolerance
from engine.releases.difference import Difference
from engine.releases.tolerance import FLOAT32, Tolerance
from tests.engine import sample_outputs
from tests.engine.releases.test_exported import IMAGES, WEIGHTS, export_of

X = jnp.ones((2, 3))


def precision(function: Callable, platform: str = 'cpu', x: Any = X) -> Tolerance:
    return tolerance.of_program(jax.jit(function).trace(x), platform)


def test_the_tolerance_is_that_of_the_least_precise_numbers() -> None:
    assert precision(lambda x: x @ x.T) == FLOAT32 == Tolerance(1e-6, 1e-4, 'float32')
    half = precision(lambda x: (x.astype(jnp.bfloat16) * 2).astype(jnp.float32))
    assert half == Tolerance(2.0**-5, 0.05, 'bfloat16')
    assert precision(lambda x: x.astype(jnp.float16)) == Tolerance(2.0**-8, 0.05, 'float16')
    assert precision(lambda x: x.astype(jnp.float8_e5m2)).floats == 2.0**-4
    assert precision(lambda x: x + 1, x=jnp.ones(3, np.int32)) == FLOAT32


@pytest.mark.parametrize(
    'function',
    [
        lambda x: jax.lax.map(lambda row: row.astype(jnp.bfloat16).astype(jnp.float32), x),
        lambda x: jax.lax.cond(x.sum() > 1, lambda: x, lambda: x.astype(jnp.bfloat16).astype(jnp.float32)),
        lambda x: jax.checkpoint(lambda y: (y.astype(jnp.bfloat16) * 2).sum())(x),
        lambda x: jax.jit(lambda y: jax.nn.relu(y.astype(jnp.bfloat16)))(x),
    ],
    ids=['loop', 'branch', 'checkpoint', 'custom derivative'],
)
def test_numbers_inside_of_loops_and_branches_count(function: Callable) -> None:
    assert precision(function).precision == 'bfloat16'


def test_accelerators_round_the_inputs_of_products() -> None:
    def product(x: jax.Array) -> jax.Array:
        return x @ x.T

    def exact(x: jax.Array) -> jax.Array:
        return jnp.matmul(x, x.T, precision='highest')

    assert precision(product, 'gpu') == Tolerance(2.0**-8, 0.05, 'tensorfloat32')
    assert precision(product, 'tpu') == Tolerance(2.0**-5, 0.05, 'bfloat16')
    assert precision(exact, 'gpu') == precision(exact, 'tpu') == FLOAT32
    with jax.default_matmul_precision('float32'):
        assert precision(product, 'gpu') == FLOAT32


NAN, INF = float('nan'), float('inf')


@pytest.mark.parametrize(
    ('old', 'new', 'share', 'row'),
    [
        ([[1.0], [-20.0], [3.0]], [[1.0], [-20.0], [2.0]], 0.05, 2),
        ([[0.1], [0.2]], [[0.1], [0.25]], 0.05, 1),  # small values: a share of 1
        ([[NAN, INF], [1, -INF]], [[NAN, INF], [1, -INF]], 0.0, 0),
        ([[NAN], [1]], [[0], [1]], INF, 0),
        ([[1], [2]], [[1], [INF]], INF, 1),
        ([[1], [2]], [[1], [NAN]], INF, 1),
    ],
)
def test_differences_of_floats(old: list, new: list, share: float, row: int) -> None:
    found = difference.between(np.array(old, np.float64), np.array(new, np.float64))
    assert (found.share, found.row, found.of_floats) == (pytest.approx(share), row, True)


def test_differences_of_other_values() -> None:
    old = np.zeros((10_000, 5), np.uint8)
    new = old.copy()
    new[7_777, :3] = 9
    assert difference.between(old, new) == Difference(3 / 50_000, 7_777, of_floats=False)
    assert FLOAT32.accepts(difference.between(old, new))
    new[:10] = 1
    assert not FLOAT32.accepts(difference.between(old, new))
    assert difference.between(old[:0], new[:0]).share == 0


def test_differences_of_pictures_of_varying_size() -> None:
    old = [np.zeros((2, 3), np.uint8), np.ones((4, 1), np.uint8)]
    assert difference.between(Pictures.of(old), Pictures.of(old)).share == 0
    new = [old[0], np.zeros((4, 1), np.uint8)]
    assert difference.between(Pictures.of(old), Pictures.of(new)) == Difference(0.4, 1, of_floats=False)
    new = [old[0], np.zeros((5, 1), np.uint8)]
    assert difference.between(Pictures.of(old), Pictures.of(new)).share == INF


@pytest.mark.parametrize(
    ('name', 'change', 'message'),
    [
        ('boxes', lambda boxes: boxes + 100 * np.eye(len(boxes))[:, -1:], "'boxes' with a difference"),
        ('boxes', lambda boxes: boxes[:-1], "rows of 'boxes', and"),
        ('target_classes', lambda classes: classes + (np.arange(len(classes)) == 0), "'target_classes' with"),
    ],
)
def test_rows_that_are_not_examples_are_not_named_as_such(
    name: str, change: Callable, message: str, tmp_path: Path
) -> None:
    """The last box has a number that no example has."""
    saved = outputs.read(sample_outputs.write(tmp_path / 'detection', 'detection'))
    kind, half = kind_folders.declaration('detection'), Tolerance(2.0**-5, 0.05, 'bfloat16')
    old = saved.arrays[name]
    assert agreement.checked(name, saved, old, kind, FLOAT32) == 0
    with pytest.raises(UserError, match=rf'the exported program predicts .*{message}') as error:
        agreement.checked(name, saved, change(old).astype(old.dtype), kind, half)
    assert not any(example in str(error.value) for example in map(repr, saved.ids))


def test_labels_are_equal_whatever_the_precision(save: Callable[..., Path]) -> None:
    saved = outputs.read(save(np.eye(40, 3), np.zeros(40)))
    kind, half = kind_folders.declaration('classification'), Tolerance(2.0**-5, 0.05, 'bfloat16')
    labels = saved.arrays['labels'].copy()
    labels[7] = 1
    with pytest.raises(UserError, match=r"'labels' of 'example 7' with a difference of 0\.025"):
        agreement.checked('labels', saved, labels, kind, half)
    logits = saved.arrays['logits'] * np.float32(1.02)
    assert agreement.checked('logits', saved, logits, kind, half) == pytest.approx(0.02)
    with pytest.raises(UserError, match='more than rounding in float32 explains'):
        agreement.checked('logits', saved, logits, kind, FLOAT32)


def normalized(x: jax.Array, images: jax.Array) -> Any:
    """Batch normalization that forgot to evaluate."""
    del images
    return nnx.BatchNorm(3, rngs=nnx.Rngs(0))(x)


DEPENDENT = {
    'batch normalization in training mode': normalized,
    'a share of the batch': lambda x, images: x / images.shape[0],
    'the largest of the batch': lambda x, _: x - x.max(0, keepdims=True),
    'sorted rows': lambda x, _: jnp.sort(x, 0),
    'another row': lambda x, _: jnp.roll(x, 1, 0),
}


def alone(change: Callable) -> None:
    """Compares the prediction of an example in a batch of four with its prediction alone."""
    call, arrays = exported.loaded(bytes(export_of(change).serialize())), {'w': WEIGHTS}
    in_batch = jax.device_get(call(arrays, {'image': IMAGES[:4]}))
    first = {name: array[:1] for name, array in in_batch.items()}
    agreement.check_alone(call, arrays, {'image': IMAGES[:1]}, first, FLOAT32.of_other_batches)


@pytest.mark.parametrize('change', DEPENDENT.values(), ids=DEPENDENT)
def test_predictions_that_depend_on_other_examples_are_refused(change: Callable) -> None:
    with pytest.raises(
        UserError, match=r"'logits' of an example differs by .* depends on the other examples"
    ):
        alone(change)


def test_predictions_of_batches_of_certain_sizes_are_refused() -> None:
    def in_pairs(x: jax.Array, images: jax.Array) -> Any:
        return x.reshape(images.shape[0] // 2, 2, 3).reshape(images.shape[0], 3)

    with pytest.raises(UserError, match='cannot predict a single example'):
        alone(in_pairs)


def test_predictions_of_each_example_by_itself_are_accepted() -> None:
    alone(lambda x, _: jax.nn.log_softmax(x))
    alone(lambda x, images: x + jax.random.normal(jax.random.key(0), (images.shape[0], 3)))
