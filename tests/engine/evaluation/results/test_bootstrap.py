import tracemalloc

import numpy as np
import pytest
from scipy import sparse

from engine.evaluation.results import bootstrap
from engine.evaluation.results.bootstrap import Bootstrap

FEATURES = {
    'one': sparse.csr_array(np.arange(5.0)[:, np.newaxis]),
    'two': sparse.csr_array([[1, 0], [0, 0], [0, 2], [3, 0], [0, 1]], dtype=float),
}


def test_sums_against_a_loop():
    boot = Bootstrap(resamples=200, confidence=0.9, seed=3)
    resamples = np.concatenate(list(boot.blocks(5)))
    assert resamples.shape == (200, 5)
    assert (resamples.sum(axis=1) == 5).all()
    sums = boot.sums(FEATURES, 5)
    for name, matrix in FEATURES.items():
        for counts, got in zip(resamples, sums[name], strict=True):
            expected = sum(count * row for count, row in zip(counts, matrix.toarray(), strict=True))
            np.testing.assert_allclose(got, expected)


@pytest.mark.parametrize('kept', [0, 2**20])
def test_blocks_change_nothing_but_memory(monkeypatch: pytest.MonkeyPatch, kept: int):
    boot = Bootstrap(resamples=101, confidence=0.9, seed=0)
    whole, counts = boot.sums(FEATURES, 5), boot.counts(5)
    assert {name: array.shape for name, array in whole.items()} == {'one': (101, 1), 'two': (101, 2)}
    assert np.unique(whole['one']).size > 10
    monkeypatch.setattr(bootstrap, '_KEPT', kept)
    monkeypatch.setattr(bootstrap, '_TILE', (3, 2))
    bootstrap._kept.cache_clear()
    sums = boot.sums(FEATURES, 5)
    for name in FEATURES:
        np.testing.assert_array_equal(sums[name], whole[name])
    np.testing.assert_array_equal(boot.counts(5), counts)


def test_many_resamples_are_not_kept(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(bootstrap, '_KEPT', 0)
    tracemalloc.start()
    Bootstrap(2000, 0.9, 0).sums({'x': sparse.csr_array(np.ones((10_000, 1)))}, 10_000)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 2000 * 10_000 / 2


def test_resamples_of_the_same_examples_are_drawn_once():
    one, two = (Bootstrap(100, confidence, seed=1).blocks(5) for confidence in (0.9, 0.95))
    assert one is two


def test_every_example_is_drawn_as_often_as_any_other():
    counts = Bootstrap(resamples=10_000, confidence=0.9, seed=0).counts(20)
    np.testing.assert_allclose(counts.mean(axis=0), 1, atol=4 * np.sqrt(0.95 / 10_000))
    np.testing.assert_allclose(counts.var(axis=0), 0.95, rtol=0.1)


def test_the_same_seed_gives_the_same_draws():
    def draw(seed: int) -> np.ndarray:
        return Bootstrap(100, 0.95, seed).sums(FEATURES, 5)['one']

    np.testing.assert_array_equal(draw(1), draw(1))
    assert (draw(1) != draw(2)).any()


def test_interval_is_made_of_percentiles():
    values = np.stack([np.arange(101.0), np.full(101, np.nan)], axis=1)
    values[0, 1] = 7
    np.testing.assert_allclose(Bootstrap(101, 0.9, 0).interval(values), [[5, 7], [95, 7]])


def test_interval_covers_the_truth_about_as_often_as_it_says():
    """Accuracy 0.8 on 200 examples, 300 times over: 95 % intervals hold it in 95 % of them, +- 4 %."""
    random = np.random.default_rng(0)
    boot = Bootstrap(resamples=400, confidence=0.95, seed=0)
    samples = sparse.csr_array((random.random(size=(200, 300)) < 0.8).astype(float))
    low, high = boot.interval(boot.sums({'right': samples}, 200)['right'] / 200)
    assert 0.91 <= ((low <= 0.8) & (high >= 0.8)).mean() <= 0.99


def test_interval_of_a_mean_agrees_with_theory():
    values = np.random.default_rng(0).normal(size=2000)
    boot = Bootstrap(resamples=4000, confidence=0.95, seed=0)
    low, high = boot.interval(
        boot.sums({'x': sparse.csr_array(values[:, np.newaxis])}, 2000)['x'][:, 0] / 2000
    )
    expected = 1.96 * values.std() / np.sqrt(2000)
    assert [low - values.mean(), high - values.mean()] == pytest.approx([-expected, expected], rel=0.08)
