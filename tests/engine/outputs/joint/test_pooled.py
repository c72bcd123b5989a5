"""Outputs of different examples as one: boxes and pictures stay with their examples."""

from pathlib import Path

import numpy as np

from engine import outputs
from engine.outputs.joint.pooled import pooled
from tests.engine import sample_outputs


def test_boxes_follow_their_examples(tmp_path: Path) -> None:
    parts = [
        outputs.read(
            sample_outputs.write(
                tmp_path / str(seed),
                'detection',
                seed,
                ids=[f'{seed}/{row}' for row in range(sample_outputs.EXAMPLES)],
            )
        )
        for seed in range(3)
    ]
    together = pooled(parts)
    assert together.ids == tuple(identity for part in parts for identity in part.ids)
    for name in ('', 'target_'):
        owners = [together.ids[row] for row in together.arrays[f'{name}example']]
        expected = [part.ids[row] for part in parts for row in part.arrays[f'{name}example']]
        assert owners == expected
        np.testing.assert_array_equal(
            together.arrays[f'{name}boxes'], np.concatenate([part.arrays[f'{name}boxes'] for part in parts])
        )


def test_masks_of_any_sizes(tmp_path: Path) -> None:
    sizes, masks = [[(3, 4)] * 2, [(5, 2), (4, 4)], [(2, 2)]], []
    parts = []
    for part, shapes in enumerate(sizes):
        masks.append([np.full(shape, part, np.uint8) for shape in shapes])
        same = len(set(shapes)) == 1
        arrays = {'masks': np.stack(masks[-1]) if same else masks[-1]}
        ids = [f'{part}/{row}' for row in range(len(shapes))]
        folder = tmp_path / str(part)
        outputs.write(folder, outputs.Manifest('segmentation'), arrays, ids, {'masks': 'of the test'})
        parts.append(outputs.read(folder))
    together = pooled(parts).arrays['masks']
    assert len(together) == 5
    for mask, expected in zip(together, [mask for part in masks for mask in part], strict=True):
        np.testing.assert_array_equal(mask, expected)
