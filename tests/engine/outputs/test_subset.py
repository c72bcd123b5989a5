"""Taking examples, against a loop over them."""

from pathlib import Path

import numpy as np
import pytest

from engine import outputs
from engine.outputs import subset

BOXES = np.arange(28, dtype=np.float32).reshape(7, 4)
OWNERS = np.array([2, 0, 2, 1, 0, 2, 3], np.int32)


def write(folder: Path) -> outputs.Outputs:
    arrays = {
        'boxes': BOXES,
        'scores': BOXES[:, 0],
        'classes': np.zeros(7, np.int32),
        'example': OWNERS,
        'target_boxes': BOXES[:1],
        'target_classes': np.zeros(1, np.int32),
        'target_example': np.array([3], np.int32),
    }
    meanings = dict.fromkeys(arrays, 'of the test')
    outputs.write(folder, outputs.Manifest('detection'), arrays, list('abcde'), meanings)
    return outputs.read(folder)


@pytest.mark.parametrize('taken', [[0, 1, 2, 3, 4], [2, 2, 0], [4], [3, 4, 3], []])
def test_boxes_go_with_their_examples_however_often(taken: list[int], tmp_path: Path):
    made = subset.take(write(tmp_path / 'it'), np.array(taken, int))
    owned = [(new, box) for new, old in enumerate(taken) for box in BOXES[old == OWNERS].tolist()]
    assert made.ids == tuple('abcde'[row] for row in taken)
    assert list(zip(made.arrays['example'], made.arrays['boxes'].tolist(), strict=True)) == owned
    assert made.arrays['scores'].tolist() == [box[0] for _, box in owned]
    assert made.arrays['target_example'].tolist() == [new for new, old in enumerate(taken) if old == 3]
    assert (made.arrays['example'].dtype, made.arrays['boxes'].dtype) == (np.int32, np.float32)
