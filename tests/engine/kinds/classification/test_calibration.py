import numpy as np
import pytest

from engine.kinds.classification import calibration
from engine.kinds.classification.class_scores import indicator


def slow_error(confidences: np.ndarray, correct: np.ndarray, bins: int) -> float:
    """Guo et al. 2017, equation 3, as it stands there."""
    error, edges = 0.0, np.linspace(0, 1, bins + 1)
    for m in range(bins):
        inside = [i for i, p in enumerate(confidences) if edges[m] < p <= edges[m + 1] or (m == 0 and p == 0)]
        if inside:
            accuracy = sum(bool(correct[i]) for i in inside) / len(inside)
            confidence = sum(confidences[i] for i in inside) / len(inside)
            error += len(inside) / len(confidences) * abs(accuracy - confidence)
    return error


def fast_error(confidences: np.ndarray, correct: np.ndarray, bins: int) -> float:
    gaps = indicator(calibration.bin_of(confidences, bins), bins, correct - confidences).sum(axis=0)
    return float(calibration.expected_calibration_error(gaps, len(confidences)))


@pytest.mark.parametrize('bins', [1, 2, 10, 15])
@pytest.mark.parametrize('examples', [1, 7, 200])
def test_error_against_a_loop(bins: int, examples: int):
    random = np.random.default_rng(examples)
    confidences = random.random(examples)
    correct = random.random(examples) < confidences**2
    assert fast_error(confidences, correct, bins) == pytest.approx(slow_error(confidences, correct, bins))


@pytest.mark.parametrize('bins', [4, 10, 15])
def test_confidences_on_the_edges(bins: int):
    confidences = np.linspace(0, 1, bins + 1)
    correct = np.arange(bins + 1) % 2 == 0
    assert calibration.bin_of(confidences, bins).tolist() == [0, *range(bins)]
    assert fast_error(confidences, correct, bins) == pytest.approx(slow_error(confidences, correct, bins))


def test_extremes():
    certain = np.ones(4)
    assert fast_error(certain, np.array([True] * 4), 15) == 0
    assert fast_error(certain, np.array([False] * 4), 15) == 1
    assert fast_error(certain * 0.75, np.array([True, True, True, False]), 15) == 0


def test_reliability_against_a_loop():
    random = np.random.default_rng(1)
    confidences, correct = random.random(50) ** 0.3, random.random(50) < 0.8
    table = calibration.reliability(confidences, correct, 10)
    assert len(table) == 10
    assert sum(table['examples'].tolist()) == 50
    for low, high, examples, confidence, accuracy in table.to_numpy():
        inside = (confidences > low) & (confidences <= high)
        assert examples == inside.sum()
        if examples:
            assert confidence == pytest.approx(confidences[inside].mean())
            assert accuracy == pytest.approx(correct[inside].mean())
        else:
            assert np.isnan([confidence, accuracy]).all()
    assert 0 in table['examples'].tolist()
