"""Boxes lie on a thumbnail where they lie in the original image."""

import numpy as np
import pytest

from engine.kinds.detection import box_pictures
from engine.outputs.manifest import Manifest
from engine.outputs.outputs import Outputs
from tests.engine import sample_outputs


@pytest.mark.parametrize(
    ('views', 'details', 'size', 'origin'),
    [
        (None, {}, (10, 8), (0, 0)),
        (None, {'inputs_shrunk': '4'}, (40, 32), (0, 0)),
        ([0, 0, 300, 300], {'inputs_shrunk': '4'}, (300, 300), (0, 0)),
        ([20, 30, 120, 90], {}, (100, 60), (20, 30)),
        ([-50, 0, 250, 300], {}, (300, 300), (-50, 0)),
    ],
)
def test_a_picture_covers_the_view(views: list, details: dict, size: tuple, origin: tuple, tmp_path) -> None:
    arrays = sample_outputs.arrays('detection') | {'inputs': np.full((8, 8, 10, 3), 9, np.uint8)}
    if views:
        arrays['views'] = np.array([views] * 8, np.float32)
    ids = tuple(f'example {index}' for index in range(8))
    shown = box_pictures.picture(Outputs(tmp_path, Manifest('detection', details=details), ids, arrays), 0)
    assert (shown.extent, shown.origin) == (size, origin)
    x, y = origin
    assert f'viewBox="{x:.4g} {y:.4g} {size[0]:.4g} {size[1]:.4g}"' in shown.markup
    place = f' x="{x}"' * bool(x) + f' y="{y}"' * bool(y)
    assert f'{place} width="{size[0]}" height="{size[1]}" preserveAspectRatio="none"' in shown.markup
