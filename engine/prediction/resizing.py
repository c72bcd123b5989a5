"""Resizes images of varying size for a model that was trained on images of one size, without a `Decode`."""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from engine.datasets.reading import images
from engine.datasets.reading.images import Box

MARGIN = 4  # a reduction cuts off what is left of its squares at an edge: this makes it less than 1/4 pixel
How = Literal['crop', 'stretch', 'no']
IN_WORDS: dict[str, str] = {
    'crop': 'the largest central part in the proportions of the input',
    'stretch': 'the whole image, stretched to the proportions of the input',
}


@dataclass(frozen=True)
class Resizing:
    """A `training.batches.decoding.Decode` for prediction alone.

    A large part is first reduced by 2, 4 or 8, averaging pixels, as long as it stays `MARGIN` times as large
    as `size`. Then it is resized by averaging areas, or by linear interpolation where it must grow.

    >>> Resizing((8, 8), 'crop').box(height=100, width=200)
    Box(top=0, left=50, height=100, width=100)

    Attributes:
      size: height and width of the result, pixels.
      how: 'crop' takes the largest central part in the proportions of the result, 'stretch' takes all.
      workers: threads that decode; None takes one for each CPU.
    """

    size: tuple[int, int]
    how: How = 'crop'
    workers: int | None = None

    def train(self, data: bytes, channels: int, draws: np.ndarray) -> np.ndarray:
        """Returns what prediction sees: nothing is drawn."""
        return self.evaluate(data, channels)

    def evaluate(self, data: bytes, channels: int) -> np.ndarray:
        """Returns an encoded image, uint8 [*size, channels]."""
        box = self.box(*images.dimensions(data, channels))
        height, width = (MARGIN * side for side in self.size)
        fitting = (n for n in images.REDUCTIONS if height * n <= box.height and width * n <= box.width)
        return _resized(images.part(data, box, channels, next(fitting, 1)), self.size)

    def box(self, height: int, width: int) -> Box:
        """Returns the part of an image of this height and width."""
        if self.how == 'stretch':
            return Box(0, 0, height, width)
        scale = min(height / self.size[0], width / self.size[1])
        h, w = max(1, round(scale * self.size[0])), max(1, round(scale * self.size[1]))
        return Box((height - h) // 2, (width - w) // 2, h, w)


def _resized(image: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Returns an image [H, W, C] as [*size, C]."""
    import cv2  # its import takes a quarter of a second, which other runs need not wait for

    cv2.setNumThreads(1)  # the decoding threads are the parallelism
    height, width = size
    shrinks = height <= image.shape[0] and width <= image.shape[1]
    method = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
    resized = cv2.resize(image, (width, height), interpolation=method)
    return resized.reshape(height, width, image.shape[-1])
