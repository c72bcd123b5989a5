"""Decodes images of varying size to one shape. Configs bind `trainer.Trainer.decode = @crops.Crops()`.

`Crops` sees parts of images. `Whole` sees whole images, so that a task can map boxes to the input and back.
"""

import math
from dataclasses import dataclass

import numpy as np

from engine.datasets.reading import images
from engine.datasets.reading.images import Box
from engine.errors import UserError


@dataclass(frozen=True)
class Crops:
    """Random crops in training, resized to one size; central crops in evaluation. Szegedy et al. 2014.

    Source: https://arxiv.org/abs/1409.4842. A crop is first reduced by 2, 4 or 8, averaging pixels, as long
    as it stays at least as large as `size`. Then it is resized by linear interpolation.

    >>> crops = Crops(size=8, workers=0)
    >>> crops.central_box(height=100, width=200)
    Box(top=6, left=56, height=88, width=88)

    Args:
      size: height and width of the result, pixels.
      area: smallest and largest share of the image's area that a crop covers.
      aspect: smallest and largest ratio of a crop's width to its height.
      central: share of the shorter side that evaluation sees: 0.875 is 224 of 256 pixels.
      workers: threads that decode. 0 decodes in the main thread; None takes one thread for each CPU.
    """

    size: int = 224
    area: tuple[float, float] = (0.08, 1.0)
    aspect: tuple[float, float] = (3 / 4, 4 / 3)
    central: float = 0.875
    workers: int | None = None

    def __post_init__(self) -> None:
        """Checks the numbers."""
        self._check('size', self.size >= 1, 'it must be at least 1')
        self._check('area', 0 < self.area[0] <= self.area[1] <= 1, 'give (smallest, largest) share, up to 1')
        self._check('aspect', 0 < self.aspect[0] <= self.aspect[1], 'give (smallest, largest) width / height')
        self._check('central', 0 < self.central <= 1, 'give a share of the shorter side, up to 1')
        self._check('workers', self.workers is None or self.workers >= 0, 'give a number of threads, or None')

    def _check(self, name: str, is_valid: bool, rule: str) -> None:
        if not is_valid:
            raise UserError(f'Crops.{name} = {getattr(self, name)}: {rule}.')

    def train(self, data: bytes, channels: int, draws: np.ndarray) -> np.ndarray:
        """Returns a random crop.

        Args:
          data: the encoded image.
          channels: channels of the result.
          draws: random numbers, float64 [tries, 4], uniform in [0, 1).

        Returns:
          The crop, uint8 [size, size, channels].
        """
        return self._crop(data, self.random_box(*images.dimensions(data, channels), draws), channels)

    def evaluate(self, data: bytes, channels: int) -> np.ndarray:
        """Returns the central crop of an encoded image, uint8 [size, size, channels]."""
        return self._crop(data, self.central_box(*images.dimensions(data, channels)), channels)

    def random_box(self, height: int, width: int, draws: np.ndarray) -> Box:
        """Returns a random box, drawn as torchvision and TensorFlow draw it.

        Args:
          height: height of the image, pixels.
          width: width of the image, pixels.
          draws: random numbers, float64 [tries, 4], uniform in [0, 1): area, aspect, y and x of each try. The
            first box that fits into the image is taken. If none fits, it is the largest central box of an
            allowed aspect.
        """
        low, high = math.log(self.aspect[0]), math.log(self.aspect[1])
        for area, aspect, y, x in draws.tolist():
            pixels = height * width * (self.area[0] + (self.area[1] - self.area[0]) * area)
            ratio = math.exp(low + (high - low) * aspect)
            h, w = round(math.sqrt(pixels / ratio)), round(math.sqrt(pixels * ratio))
            if 0 < h <= height and 0 < w <= width:
                return Box(int(y * (height - h + 1)), int(x * (width - w + 1)), h, w)
        h = min(height, round(width / self.aspect[0]))
        w = min(width, round(height * self.aspect[1]))
        return _centred(height, width, h, w)

    @property
    def in_words(self) -> str:
        """How evaluation makes its input of an image, for model cards."""
        return (
            f'the square in the middle, {self.central:g} times as wide as the shorter side is long, averaged '
            f'over blocks of 2, 4 or 8 pixels as long as {self.size} pixels are left, then resized to '
            f'{self.size} pixels by linear interpolation'
        )

    def central_box(self, height: int, width: int) -> Box:
        """Returns the square in the middle of an image of this height and width."""
        side = max(1, round(self.central * min(height, width)))
        return _centred(height, width, side, side)

    def _crop(self, data: bytes, box: Box, channels: int) -> np.ndarray:
        reduction = next((n for n in images.REDUCTIONS if self.size * n <= min(box.height, box.width)), 1)
        return _resized(images.part(data, box, channels, reduction), self.size, self.size)


@dataclass(frozen=True)
class Whole:
    """Whole images, scaled to fit into the upper left of a square. The rest of the square is black.

    The scale is `size` over the longer side of the image. So a box in pixels of the image, times this scale,
    is the box in pixels of the input. The square shows (0, 0, longer side, longer side) of the image.
    Training and evaluation see the same. If smaller images are not enlarged, their scale is 1, and their
    pixels stay as they are.

    Args:
      size: height and width of the result, pixels.
      enlarge: whether images smaller than the square are enlarged.
      workers: threads that decode. 0 decodes in the main thread; None takes one thread for each CPU.
    """

    size: int = 512
    enlarge: bool = True
    workers: int | None = None

    def __post_init__(self) -> None:
        if self.size < 1 or (self.workers or 0) < 0:
            raise UserError(
                f'Whole.size = {self.size}, Whole.workers = {self.workers}: give a size from 1 on.'
            )

    @property
    def in_words(self) -> str:
        """How the input is made of an image, for model cards."""
        smaller = '' if self.enlarge else ', or less if the image is smaller'
        return (
            f'the whole image, its longer side resized to {self.size} pixels{smaller}, by averaging blocks '
            'of 2, 4 or 8 pixels and then by linear interpolation, in the upper left of a black square'
        )

    def train(self, data: bytes, channels: int, draws: np.ndarray) -> np.ndarray:
        """Returns the same as `evaluate`."""
        del draws
        return self.evaluate(data, channels)

    def evaluate(self, data: bytes, channels: int) -> np.ndarray:
        """Returns an encoded image, scaled and padded, uint8 [size, size, channels]."""
        height, width = images.dimensions(data, channels)
        scale = self.size / max(height, width)
        scale = scale if self.enlarge else min(1, scale)
        sides = [max(1, round(scale * side)) for side in (height, width)]
        reduction = next((n for n in images.REDUCTIONS if n * scale <= 1 and min(height, width) >= n), 1)
        scaled = _resized(images.part(data, Box(0, 0, height, width), channels, reduction), *sides)
        square = np.zeros((self.size, self.size, channels), np.uint8)
        square[: sides[0], : sides[1]] = scaled
        return square


def _centred(height: int, width: int, h: int, w: int) -> Box:
    return Box((height - h) // 2, (width - w) // 2, h, w)


def _resized(image: np.ndarray, height: int, width: int) -> np.ndarray:
    """Returns an image [H, W, C] as [height, width, C], by linear interpolation."""
    import cv2  # its import takes a quarter of a second, which other runs need not wait for

    cv2.setNumThreads(1)  # the decoding threads are the parallelism
    resized = cv2.resize(image, (width, height), interpolation=cv2.INTER_LINEAR)
    return resized.reshape(height, width, image.shape[-1])
