"""The table of predictions against a slow loop, with ties, many classes, few classes and infinities."""

import numpy as np
import pytest

from engine.kinds.classification import RANKS, likely_classes, predicted_classes, predictions_table


def slow(scores: np.ndarray, are_logits: bool) -> list[list[tuple[int, float]]]:
    """Returns the classes of each row with their probabilities, the most probable first."""
    table = []
    for row in scores.astype(np.float64):
        powers = np.exp(row - row.max()) if are_logits else row
        shares = powers / powers.sum() if are_logits else powers
        table.append(sorted(enumerate(shares.tolist()), key=lambda pair: (-row[pair[0]], pair[0])))
    return table


@pytest.mark.parametrize('classes', [1, 2, 4, 5, 6, 40])
@pytest.mark.parametrize('dtype', ['float16', 'float32'])
def test_the_most_probable_classes(classes: int, dtype: str) -> None:
    random = np.random.default_rng(classes)
    logits = random.integers(-3, 4, (50, classes)).astype(dtype)  # with many ties
    chosen, probabilities = likely_classes({'logits': logits}, 5)
    assert chosen.shape == (50, min(5, classes))
    assert chosen[:, 0].tolist() == predicted_classes({'logits': logits}).tolist()
    for row, expected in enumerate(slow(logits, are_logits=True)):
        np.testing.assert_allclose(probabilities[row], [share for _, share in expected[:5]], atol=1e-12)
        own = dict(expected)
        assert [own[index] for index in chosen[row].tolist()] == pytest.approx(probabilities[row].tolist())
        assert len({*chosen[row].tolist()}) == min(5, classes)


def test_columns() -> None:
    arrays = {'logits': np.log(np.array([[0.1, 0.6, 0.3]], np.float32)), 'labels': np.array([2], np.int32)}
    assert {name: [*cells] for name, cells in predictions_table(arrays, ['x'], ['a', 'b', 'c']).items()} == {
        'id': ['x'],
        'prediction': ['b'],
        'probability': ['0.600000'],
        'label': ['c'],
        'second': ['c'],
        'second_probability': ['0.300000'],
        'third': ['a'],
        'third_probability': ['0.100000'],
    }
    assert len(RANKS) == 4
    columns = predictions_table({'predicted': np.array([1], np.int32)}, ['x'], ())
    assert columns == {'id': ['x'], 'prediction': ['1']}


def test_infinities_become_nan() -> None:
    _, probabilities = likely_classes({'logits': np.array([[np.inf, 0.0], [1.0, -np.inf]], np.float32)}, 2)
    assert np.isnan(probabilities[0, 0])
    assert probabilities[1].tolist() == [1, 0]
