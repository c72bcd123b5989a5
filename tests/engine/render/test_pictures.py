"""Pictures of any proportions are shown in frames of similar ones, undistorted."""

import re

import numpy as np
import pytest

from engine.render.pictures import MAX_PROPORTION, Picture


@pytest.mark.parametrize(
    ('height', 'width', 'frame'),
    [
        (10, 10, (0, 0, 10, 10)),
        (10, 20, (0, 0, 20, 10)),
        (40, 4, (-8, 0, 20, 40)),
        (1, 100, (0, -24.5, 100, 50)),
    ],
)
def test_long_pictures_have_a_margin(height: int, width: int, frame: tuple) -> None:
    picture = Picture('it', np.zeros((height, width), np.uint8))
    assert picture.frame == frame
    assert max(frame[2:]) <= MAX_PROPORTION * min(frame[2:])
    assert f'viewBox="{" ".join(f"{number:.4g}" for number in frame)}"' in picture.markup
    placed = re.search(r'<image [^>]*width="(\d+)" height="(\d+)"', picture.markup)
    assert placed
    assert placed.groups() == (str(width), str(height))
    moved = Picture('it', picture.image, origin=(5, 7))
    assert moved.frame == (frame[0] + 5, frame[1] + 7, *frame[2:])
