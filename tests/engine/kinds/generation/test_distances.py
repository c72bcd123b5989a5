"""Distances between sets of features, against other ways to compute them and where they are known."""

from typing import Any

import numpy as np
import pytest
from scipy import linalg

from engine.kinds.generation import distances
from engine.kinds.generation.distances import Moments, cubic, discrepancy, frechet, moments

RANDOM = np.random.default_rng(0)
MIX = RANDOM.normal(size=(5, 5))
ONE, OTHER = RANDOM.normal(size=(40, 5)), RANDOM.normal(size=(30, 5)) @ MIX + 0.5
EVERY: Any = [(ONE, OTHER), (OTHER, ONE), (ONE[:3], OTHER), (ONE @ np.diag([1, 1, 0, 0, 0.0]), OTHER)]


def test_frechet_against_the_root_of_the_product() -> None:
    a, b = np.cov(ONE.T), np.cov(OTHER.T)
    root = np.real(linalg.sqrtm(a @ b))
    expected = np.square(ONE.mean(0) - OTHER.mean(0)).sum() + np.trace(a + b - 2 * root)
    assert frechet(moments(ONE), moments(OTHER)) == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize(('one', 'other'), EVERY)
def test_frechet_against_the_eigenvalues_of_the_product(one: np.ndarray, other: np.ndarray) -> None:
    """With fewer features than numbers in each, and with numbers that never change."""
    a, b = np.cov(one.T), np.cov(other.T)
    roots = np.sqrt(np.maximum(np.real(linalg.eigvals(a @ b)), 0))
    expected = np.square(one.mean(0) - other.mean(0)).sum() + np.trace(a + b) - 2 * roots.sum()
    assert frechet(moments(one), moments(other)) == pytest.approx(expected, rel=1e-6)


def test_frechet_of_known_normal_distributions() -> None:
    first = Moments(np.array([0.0, 0, 0]), np.diag([1.0, 4, 9]))
    second = Moments(np.array([1.0, 2, 0]), np.diag([4.0, 4, 1]))
    assert frechet(first, second) == pytest.approx(1 + 4 + (1 - 2) ** 2 + 0 + (3 - 1) ** 2)
    assert frechet(first, first) == pytest.approx(0, abs=1e-9)


def test_frechet_of_one_number() -> None:
    one, other = RANDOM.normal(3, 2, (200, 1)), RANDOM.normal(1, 5, (100, 1))
    deviations = one.std(ddof=1) - other.std(ddof=1)
    expected = (one.mean() - other.mean()) ** 2 + deviations**2
    assert frechet(moments(one), moments(other)) == pytest.approx(expected, rel=1e-9)


def test_moments_of_repeated_features() -> None:
    counts = RANDOM.integers(0, 3, len(ONE))
    repeated = np.repeat(ONE, counts, axis=0)
    result = moments(ONE, counts.astype(float))
    np.testing.assert_allclose(result.mean, repeated.mean(0), atol=1e-12)
    np.testing.assert_allclose(result.covariance, np.cov(repeated.T), atol=1e-12)


def slow_discrepancy(one: np.ndarray, other: np.ndarray) -> float:
    """The mean kernel within each set, of a feature and another one, less twice that between them."""

    def kernel(x: np.ndarray, y: np.ndarray) -> float:
        return (sum(a * b for a, b in zip(x, y, strict=True)) / len(x) + 1) ** 3

    def within(features: np.ndarray) -> float:
        pairs = [kernel(x, y) for i, x in enumerate(features) for j, y in enumerate(features) if i != j]
        return float(np.mean(pairs))

    return within(one) + within(other) - 2 * float(np.mean([kernel(x, y) for x in one for y in other]))


def once(features: np.ndarray) -> np.ndarray:
    return np.ones((1, len(features)))


@pytest.mark.parametrize(('one', 'other'), EVERY)
def test_kernel_distance_pair_by_pair(one: np.ndarray, other: np.ndarray) -> None:
    [result] = discrepancy(one, other, once(one), once(other))
    assert result == pytest.approx(slow_discrepancy(one, other), rel=1e-6)


def test_kernel_distance_of_resamples() -> None:
    counts = RANDOM.multinomial(len(ONE), np.full(len(ONE), 1 / len(ONE)), 3)
    others = RANDOM.multinomial(len(OTHER), np.full(len(OTHER), 1 / len(OTHER)), 3)
    result = discrepancy(ONE, OTHER, counts.astype(float), others.astype(float))
    for value, count, other in zip(result, counts, others, strict=True):
        expected = slow_discrepancy(np.repeat(ONE, count, axis=0), np.repeat(OTHER, other, axis=0))
        assert value == pytest.approx(expected, rel=1e-6)


def test_kernel_distance_is_unbiased() -> None:
    """Of pairs of sets that are drawn alike it is 0 on average, however small they are."""
    result = []
    for _ in range(4000):
        one, other = RANDOM.normal(size=(2, 4, 3))
        result.append(discrepancy(one, other, once(one), once(other))[0])
    assert abs(np.mean(result)) < 4 * np.std(result) / np.sqrt(len(result))
    assert min(result) < 0 < max(result)


def test_the_kernel() -> None:
    assert cubic(np.array([[1.0, 2]]), np.array([[3.0, 4]])) == pytest.approx(np.array([[(11 / 2 + 1) ** 3]]))


def test_blocks_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    counts = RANDOM.multinomial(len(ONE), np.full(len(ONE), 1 / len(ONE)), 3).astype(float)
    others = np.ones((3, len(OTHER)))
    whole = discrepancy(ONE, OTHER, counts, others)
    monkeypatch.setattr(distances, '_BLOCK_KERNELS', 123)
    np.testing.assert_allclose(discrepancy(ONE, OTHER, counts, others), whole, rtol=1e-9)
