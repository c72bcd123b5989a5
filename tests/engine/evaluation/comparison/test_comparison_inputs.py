from pathlib import Path
from typing import Any

import numpy as np
import pytest

from engine import outputs
from engine.errors import UserError
from engine.evaluation.comparison.comparison_inputs import ComparisonInput, common, find

# The owner of each box is named by the id of its example.
BOXES = [('a', 1.0), ('c', 2.0), ('b', 3.0), ('a', 4.0), ('c', 5.0)]


def write(folder: Path, ids: str, boxes: Any = BOXES) -> Path:
    there = [(ids.index(each), number) for each, number in boxes if each in ids]
    example = np.array([index for index, _ in there], np.int32)
    numbers = np.array([number for _, number in there], np.float32)
    arrays = {
        'boxes': np.repeat(numbers[:, np.newaxis], 4, axis=1),
        'scores': numbers,
        'classes': np.zeros(len(there), np.int32),
        'example': example,
        'target_boxes': np.ones((len(ids), 4), np.float32),
        'target_classes': np.zeros(len(ids), np.int32),
        'target_example': np.arange(len(ids), dtype=np.int32),
    }
    outputs.write(
        folder,
        outputs.Manifest('detection', class_names=['cat']),
        arrays,
        list(ids),
        dict.fromkeys(arrays, 'of the test'),
    )
    return folder


def owned(source: ComparisonInput) -> list[tuple[str, float]]:
    arrays = source.outputs.arrays
    names = [source.outputs.ids[index] for index in arrays['example']]
    assert arrays['boxes'][:, 0].tolist() == arrays['scores'].tolist()
    return list(zip(names, arrays['scores'].tolist(), strict=True))


def test_boxes_go_with_their_examples(tmp_path: Path):
    write(tmp_path / 'it/1', 'abc')
    write(tmp_path / 'it/2', 'cab')
    for compared in common(find([tmp_path], 'test')[0], intersect=False):
        assert compared.outputs.ids == ('a', 'b', 'c')
        assert owned(compared) == [('a', 1), ('a', 4), ('b', 3), ('c', 2), ('c', 5)]


def test_boxes_of_examples_that_are_cut_go_too(tmp_path: Path):
    write(tmp_path / 'it/1', 'dabc')
    write(tmp_path / 'it/2', 'ca')
    for compared in common(find([tmp_path], 'test')[0], intersect=True):
        assert compared.outputs.ids == ('a', 'c')
        assert owned(compared) == [('a', 1), ('a', 4), ('c', 2), ('c', 5)]
        assert compared.outputs.arrays['target_example'].tolist() == [0, 1]


def test_other_splits_below_a_folder_are_left_out_unless_given(tmp_path: Path):
    for split in ('test', 'val', ''):
        outputs.write(
            tmp_path / 'it' / (split or 'none'),
            outputs.Manifest('language', split=split),
            {'log_probs': np.zeros(1, np.float32), 'lengths': np.ones(1, np.int32)},
            ['a'],
            {'log_probs': 'x', 'lengths': 'x'},
        )
    assert [each.folder.name for each in find([tmp_path], 'test')[0]] == ['none', 'test']
    assert [each.folder.name for each in find([tmp_path], 'val')[0]] == ['none', 'val']
    result, _ = find([tmp_path / 'it/val', tmp_path, tmp_path / 'it/val'], 'test')
    assert [each.folder.name for each in result] == ['val', 'none', 'test']


def test_damaged_outputs_are_refused(tmp_path: Path):
    write(tmp_path / 'it', 'abc')
    (tmp_path / 'it/scores.npy').write_bytes(b'x')
    with pytest.raises(UserError, match=r'scores\.npy is damaged'):
        find([tmp_path], 'test')[0]
