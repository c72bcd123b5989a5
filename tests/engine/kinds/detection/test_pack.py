"""Boxes of a task, k for every example, against a loop that lists those that count."""

import numpy as np

from engine.kinds.detection import KIND, pack


def batch(seed: int, n: int = 5, k: int = 4) -> dict[str, np.ndarray]:
    """Returns k boxes for each example, of which `counts` count; some examples have none."""
    random = np.random.default_rng(seed)
    return {
        'boxes': random.random((n, k, 4), np.float32),
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
