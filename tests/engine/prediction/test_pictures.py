"""PNG files for people never lie where an array of pictures of varying size lies."""

import numpy as np

from engine.outputs.pictures.sequence import Pictures
from engine.prediction.pictures import pictures


def test_pictures_of_varying_size_are_files_already() -> None:
    masks, plain = Pictures.of([np.zeros((2, 3), np.uint8)]), np.zeros((1, 4, 4), np.uint8)
    assert list(pictures({'masks': masks}, ['a'])) == []
    assert [name for name, _ in pictures({'masks': masks, 'more': plain}, ['a'])] == ['images/a.png']
    assert list(pictures({'images': masks, 'more': plain}, ['a'])) == []
    assert [name for name, _ in pictures({'images': plain, 'more': plain}, ['a'])] == [
        'images/images/a.png',
        'images/more/a.png',
    ]
