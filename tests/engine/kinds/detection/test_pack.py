"""Boxes of a task, k for every example, against a loop that lists those that count."""

from typing import Any

import numpy as np
import pytest

from engine.errors import UserError
from engine.kinds.detection import KIND, pack
from engine.outputs.check_arrays import packed as packed_for_ids


def batch(seed: int, n: int = 5, k: int = 4) -> dict[str, np.ndarray]:
    """Returns k boxes for each example, of which `counts` count; some examples have none."""
    random = np.random.default_rng(seed)
    corners = np.sort(random.random((n, k, 2, 2), np.float32), axis=2)
    return {
        'boxes': corners.reshape(n, k, 4),
        'scores': random.random((n, k), np.float32),
        'classes': random.integers(0, 3, (n, k), np.int32),
        'counts': np.array([k, 0, 1, 2, 0]),
    }


def listed(arrays: dict[str, np.ndarray], name: str) -> list[np.ndarray]:
    counts = enumerate(arrays['counts'])
    return [arrays[name][row, place] for row, count in counts for place in range(count)]


def test_boxes_are_listed_one_after_another() -> None:
    arrays = batch(0)
    packed = pack(arrays)
    assert packed.keys() == {'boxes', 'scores', 'classes', 'example'}
    for name in ('boxes', 'scores', 'classes'):
        np.testing.assert_array_equal(packed[name], listed(arrays, name))
        assert packed[name].dtype == KIND.arrays[name].dtype
    assert packed['example'].tolist() == [0, 0, 0, 0, 2, 3, 3]
    assert packed['example'].dtype == KIND.arrays['example'].dtype


def test_targets_are_listed_by_their_own_counts() -> None:
    predictions, targets = batch(1), batch(2)
    targets['counts'] = np.array([0, 3, 0, 0, 1])
    labels = {f'target_{name}': targets[name] for name in ('boxes', 'classes', 'counts')}
    packed = pack(predictions | labels)
    assert packed['example'].tolist() == [0, 0, 0, 0, 2, 3, 3]
    assert packed['target_example'].tolist() == [1, 1, 1, 4]
    np.testing.assert_array_equal(packed['target_boxes'], listed(targets, 'boxes'))
    assert packed.keys() <= KIND.arrays.keys()


def test_no_box_at_all() -> None:
    arrays = batch(3)
    packed = pack(arrays | {'counts': np.zeros(5, int)})
    assert {name: array.shape for name, array in packed.items()} == {
        'boxes': (0, 4),
        'scores': (0,),
        'classes': (0,),
        'example': (0,),
    }


def test_arrays_without_counts_stay_as_they_are() -> None:
    arrays = pack(batch(4))
    again = pack(arrays)
    assert all(again[name] is array for name, array in arrays.items())
    assert again.keys() == arrays.keys()


def test_the_class_of_padding_counts_too() -> None:
    arrays = batch(5)
    exists = np.arange(4) < arrays['counts'][:, None]
    without = {name: array for name, array in arrays.items() if name != 'counts'}
    without['classes'] = np.where(exists, arrays['classes'], -1)
    expected = pack(arrays)
    packed = pack(without)
    assert packed.keys() == expected.keys()
    for name, array in expected.items():
        np.testing.assert_array_equal(packed[name], array)


def test_boxes_may_exist_anywhere_if_padding_has_no_class() -> None:
    arrays = batch(6)
    del arrays['counts']
    arrays['classes'] = np.array([[-1, 2, -1, 0], [-1] * 4, [1, -1, -1, -1], [-1, -1, -1, 2], [0, 1, 2, 0]])
    packed = pack(arrays)
    assert packed['example'].tolist() == [0, 0, 2, 3, 4, 4, 4, 4]
    assert packed['classes'].tolist() == [2, 0, 1, 2, 0, 1, 2, 0]
    np.testing.assert_array_equal(packed['boxes'][1], arrays['boxes'][0, 3])


def test_padding_may_hold_anything() -> None:
    arrays = batch(7)
    beyond = np.arange(4) >= arrays['counts'][:, None]
    arrays['boxes'][beyond], arrays['scores'][beyond], arrays['classes'][beyond] = np.nan, 7, -1
    assert np.isfinite(pack(arrays)['boxes']).all()


NAN = float('nan')


@pytest.mark.parametrize(
    ('name', 'place', 'value', 'message'),
    [
        ('counts', 1, 5, r"'id 1': counts is 5, but there is room for k = 4 boxes"),
        ('counts', 4, -1, "'id 4': counts is -1, but there is room"),
        ('boxes', (0, 3), [0, 0, NAN, 1], r"'id 0': boxes holds \[0.0, 0.0, nan, 1.0\], but a box is"),
        ('boxes', (2, 0), [0, 0, np.inf, 1], "'id 2': boxes holds"),
        ('boxes', (2, 0), [3, 0, 1, 1], "'id 2': boxes holds .*x0 <= x1"),
        ('boxes', (3, 1), [0, 3, 1, 1], "'id 3': boxes holds .*y0 <= y1"),
        ('classes', (0, 0), -1, "'id 0': classes holds -1, but the class of a box that exists"),
        ('scores', (0, 0), 1.5, "'id 0': scores holds 1.5, but a score is a number from 0 to 1"),
        ('scores', (0, 0), -0.5, "'id 0': scores holds -0.5"),
        ('scores', (0, 0), NAN, "'id 0': scores holds nan"),
        ('sides', (2, 0), [-1, 2], "'id 2': sides holds .*width and height"),
        ('areas', (2, 0), NAN, "'id 2': areas holds nan, but an area"),
    ],
)
@pytest.mark.parametrize('prefix', ['', 'target_'])
def test_a_value_that_is_not_valid_is_one_message_with_the_id(
    prefix: str, name: str, place: Any, value: Any, message: str
) -> None:
    arrays = {**batch(8), 'sides': np.ones((5, 4, 2)), 'areas': np.ones((5, 4))}
    arrays[name][place] = value
    named = {f'{prefix}{key}': array for key, array in arrays.items()}
    with pytest.raises(UserError, match=message.replace(f': {name} ', f': {prefix}{name} ')):
        packed_for_ids(KIND, named, [f'id {row}' for row in range(5)])


@pytest.mark.parametrize(
    ('changed', 'message'),
    [
        ({'boxes': np.zeros((5, 4, 3))}, r'boxes has the shape \[5, 4, 3\], but \[n, k, 4\] is needed'),
        ({'scores': np.zeros((5, 3))}, r'scores has the shape \[5, 3\], but \[n, k\]'),
        ({'classes': np.zeros((5, 4, 2), int)}, r'classes has the shape \[5, 4, 2\], but \[n, k\]'),
        ({'counts': np.zeros(6, int)}, 'counts has 6 rows, but boxes has 5'),
        ({'counts': np.zeros(5)}, r'counts is float64 \[5\], but whole numbers'),
        ({'sides': np.zeros((5, 4))}, r'sides has the shape \[5, 4\], but \[n, k, 2\]'),
    ],
)
def test_shapes_that_do_not_fit(changed: dict[str, np.ndarray], message: str) -> None:
    with pytest.raises(UserError, match=message):
        pack(batch(9) | changed)
