"""Mixing against loops over pixels, and what it does to a classification."""

from functools import partial
from typing import Any

import jax
import numpy as np
import optax
import pytest

from engine.interfaces import keys_by_row
from engine.parts.mixing import CutMix, Mixup, partners
from engine.training.steps import first_state
from tests.engine import tiny

N = 400
IMAGES: Any = np.random.default_rng(0).integers(0, 256, (N, 6, 8, 3), np.uint8)
KEYS = jax.random.split(jax.random.key(0), N)
BATCH = tiny.batch(8)


def test_partners_are_other_rows() -> None:
    assert np.asarray(partners(np.arange(4))).tolist() == [3, 0, 1, 2]  # type: ignore[arg-type]


def test_mixup_is_a_weighted_mean() -> None:
    mixed, shares = (np.asarray(each) for each in Mixup(0.5)(KEYS, IMAGES))
    assert (mixed.dtype, mixed.shape) == (np.uint8, IMAGES.shape)
    for row in range(N):
        expected = shares[row] * IMAGES[row].astype(float) + (1 - shares[row]) * IMAGES[row - 1]
        np.testing.assert_allclose(mixed[row], expected, atol=0.51)


@pytest.mark.parametrize(('alpha', 'variance'), [(0.2, 0.25 / 1.4), (1.0, 0.25 / 3), (8.0, 0.25 / 17)])
def test_shares_are_those_of_a_beta_distribution(alpha: float, variance: float) -> None:
    _, shares = Mixup(alpha)(KEYS, IMAGES)
    assert 0 <= np.min(shares) <= np.max(shares) <= 1
    assert np.mean(shares) == pytest.approx(0.5, abs=0.06)
    assert np.var(shares) == pytest.approx(variance, rel=0.25)


def test_cutmix_puts_one_rectangle_of_the_partner_into_each() -> None:
    mixed, shares = (np.asarray(each) for each in CutMix()(KEYS, IMAGES))
    seen = set()
    for row in range(N):
        own = (mixed[row] == IMAGES[row]).all(-1)
        other = (mixed[row] == IMAGES[row - 1]).all(-1)
        assert np.all(own | other)
        rows, columns = np.nonzero(~own)
        if len(rows):
            inside = ~own[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1]
            assert inside.all()
            seen.add((rows.min(), columns.min()))
        assert shares[row] == pytest.approx(own.mean(), abs=1e-6)
    assert len(seen) > 20
    assert 0.5 < shares.mean() < 0.8  # more than 1/2, for a part of the rectangle may lie beyond the border


@pytest.mark.parametrize('mix', [Mixup(), CutMix()])
def test_the_key_decides(mix: Any) -> None:
    one, again, other = (np.asarray(mix(jax.random.split(key, N), IMAGES)[0]) for key in (K0, K0, K1))
    np.testing.assert_array_equal(one, again)
    assert not np.array_equal(one, other)


K0, K1 = jax.random.key(0), jax.random.key(1)


@pytest.mark.parametrize('mix', [Mixup(1.0), CutMix()])
@pytest.mark.parametrize('smoothing', [0.0, 0.1])
def test_the_loss_is_that_of_both_labels_by_their_shares(mix: Any, smoothing: float) -> None:
    task, plain = (tiny.classification(mix=each, label_smoothing=smoothing) for each in (mix, None))
    batch = task.augment_batch(BATCH, K0)
    logits: Any = np.random.default_rng(1).normal(size=(8, 3)).astype(np.float32)
    measured = task.per_example(logits, batch)
    other = {**BATCH, 'label': np.roll(BATCH['label'], 1)}
    one, two = (plain.per_example(logits, each) for each in (BATCH, other))
    _, share = mix(keys_by_row(jax.random.fold_in(K0, 1), BATCH), BATCH['image'])
    np.testing.assert_allclose(measured['loss'], share * one['loss'] + (1 - share) * two['loss'], rtol=1e-5)
    expected = np.where(np.asarray(share) < 0.5, two['accuracy'], one['accuracy'])
    np.testing.assert_array_equal(measured['accuracy'], expected)


def test_training_mixes_and_evaluation_does_not() -> None:
    bound = tiny.classification(mix=Mixup(1.0)).bind(tiny.SPEC)
    plain = tiny.classification().bind(tiny.SPEC)
    state = jax.jit(partial(first_state, bound))(K0)
    jax.tree.map(
        partial(np.testing.assert_allclose, rtol=1e-6),
        bound.evaluate(state, BATCH),
        plain.evaluate(state, BATCH),
    )
    (one, _), (two, _) = (jax.jit(each.update)(state, BATCH, K0) for each in (bound, plain))
    assert not np.allclose(one['params']['output']['kernel'], two['params']['output']['kernel'])


def test_what_depends_on_the_devices_is_said() -> None:
    mixed = tiny.classification(mix=CutMix())
    assert tiny.classification().describe().random_per_device == ''
    assert mixed.describe().random_per_device == 'pairs that are mixed'
    both = mixed.bind(tiny.SPEC).describe().random_per_device  # its model has dropout, if of rate 0
    assert both == 'pairs that are mixed and masks of Dropout'


def test_mixed_images_are_learned() -> None:
    bound = tiny.classification(mix=Mixup(0.2), optimizer=optax.adam, learning_rate=0.03).bind(tiny.SPEC)
    state, update = first_state(bound, K0), jax.jit(bound.update)
    before = bound.evaluate(state, BATCH)['loss'].total
    for step in range(80):
        state, _ = update(state, BATCH, jax.random.key(step))
    assert bound.evaluate(state, BATCH)['loss'].total < before / 2
