"""Images of varying size, kept as in their files, become arrays of one shape: which part, and how large.

A config binds it: `trainer.Trainer.decode = @decoding.Crops()`.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Protocol

import jax
import numpy as np

from engine.datasets.reading import images
from engine.datasets.reading.dataset import Dataset, Examples
from engine.datasets.reading.images import Box
from engine.errors import UserError
from engine.interfaces import Spec
from engine.training.batches import workers

STREAM = 1  # of randomness, apart from that of the order of examples
TRIES = 10  # boxes drawn for an image until one lies inside it


class Decode(Protocol):
    """How encoded images become arrays of one shape. A config may bind yours."""

    @property
    def size(self) -> int:
        """H and W of what it makes, pixels."""
        ...

    @property
    def workers(self) -> int | None:
        """Threads that decode: 0 leaves it to the caller, None takes one for each CPU."""
        ...

    def train(self, data: bytes, channels: int, draws: np.ndarray) -> np.ndarray:
        """Returns uint8 [size, size, channels], as training sees an image.

        Args:
          data: the image as in its file.
          channels: of the result.
          draws: float64 [TRIES, 4], uniform in [0, 1): all the randomness there is.
        """
        ...

    def evaluate(self, data: bytes, channels: int) -> np.ndarray:
        """Returns uint8 [size, size, channels], as evaluation and prediction see an image."""
        ...


@dataclass(frozen=True)
class Crops:
    """Training sees random parts of images, resized; evaluation the middle. Szegedy et al. 2014.

    Source: https://arxiv.org/abs/1409.4842. A part is first made smaller by 2, 4 or 8, as a mean, while
    it stays at least as large as `size`; then it is resized by linear interpolation.

    Args:
      size: H and W of the result, pixels.
      area: least and largest share of the image that a part covers.
      aspect: least and largest width over height of a part.
      central: share of the shorter side that evaluation sees: 0.875 is 224 of 256 pixels.
      workers: threads that decode; 0 has the main thread do it, None takes one for each CPU.
    """

    size: int = 224
    area: tuple[float, float] = (0.08, 1.0)
    aspect: tuple[float, float] = (3 / 4, 4 / 3)
    central: float = 0.875
    workers: int | None = None

    def __post_init__(self) -> None:
        """Checks the numbers."""
        if self.size < 1:
            raise UserError(f'Crops.size = {self.size}: it must be at least 1.')
        if not 0 < self.area[0] <= self.area[1] <= 1:
            raise UserError(f'Crops.area = {self.area}: give shares of the image, (least, largest), up to 1.')
        if not 0 < self.aspect[0] <= self.aspect[1]:
            raise UserError(f'Crops.aspect = {self.aspect}: give (least, largest) width over height.')
        if not 0 < self.central <= 1:
            raise UserError(f'Crops.central = {self.central}: give a share of the shorter side, up to 1.')
        if self.workers is not None and self.workers < 0:
            raise UserError(f'Crops.workers = {self.workers}: give a number of threads, 0 or None.')

    def train(self, data: bytes, channels: int, draws: np.ndarray) -> np.ndarray:
        """Returns a random part, uint8 [size, size, channels]."""
        return self._part(data, self.random_box(*images.dimensions(data), draws), channels)

    def evaluate(self, data: bytes, channels: int) -> np.ndarray:
        """Returns the middle, uint8 [size, size, channels]."""
        return self._part(data, self.central_box(*images.dimensions(data)), channels)

    def random_box(self, height: int, width: int, draws: np.ndarray) -> Box:
        """Returns a part of an image, drawn as torchvision and TensorFlow do.

        Args:
          height: of the image.
          width: of the image.
          draws: float64 [tries, 4], uniform in [0, 1). The first part that lies inside the image is
            taken; if none does, the largest in the middle with an allowed aspect.
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
        return _middle(height, width, h, w)

    def central_box(self, height: int, width: int) -> Box:
        """Returns the middle of an image, a square."""
        side = max(1, round(self.central * min(height, width)))
        return _middle(height, width, side, side)

    def _part(self, data: bytes, box: Box, channels: int) -> np.ndarray:
        reduced = next((each for each in images.REDUCED if self.size * each <= min(box.height, box.width)), 1)
        snapped = Box(*(each // reduced * reduced for each in box))
        return _resized(images.part(data, snapped, channels, reduced), self.size)


def _middle(height: int, width: int, h: int, w: int) -> Box:
    return Box((height - h) // 2, (width - w) // 2, h, w)


def _resized(image: np.ndarray, size: int) -> np.ndarray:
    """Returns an image [H, W, C] as [size, size, C], by linear interpolation."""
    import cv2  # a quarter of a second, which only runs that decode should wait

    cv2.setNumThreads(1)  # there are workers already
    resized = cv2.resize(image, (size, size), interpolation=cv2.INTER_LINEAR)
    return resized.reshape(size, size, image.shape[-1])


def bound(data: Dataset, decode: Decode | None) -> Dataset:
    """Returns a dataset that promises, and gives, what decoding makes of its encoded images.

    Raises:
      UserError: if images vary in size and nothing is bound, or if all are arrays and something is.
    """
    if data.encoded and decode is None:
        raise UserError(
            f'The images {_fields(data.encoded)} of {data.name} vary in size, and batches need one: bind '
            'what they become, such as `trainer.Trainer.decode = @decoding.Crops()`, after '
            '`from engine.training.batches import decoding`.'
        )
    if decode is None:
        return data
    if not data.encoded:
        raise UserError(
            f'Trainer.decode is bound, but all fields of {data.name} have fixed shapes: nothing is left to '
            'decode. Remove that binding; what changes images of one size is the `augment` of the task.'
        )
    shapes = {
        name: jax.ShapeDtypeStruct((decode.size, decode.size, channels), np.uint8)
        for name, channels in data.encoded.items()
    }
    return replace(data, spec=Spec({**data.spec.example, **shapes}, data.spec.class_names), decode=decode)


def _fields(names: Mapping[str, int]) -> str:
    return ' and '.join(repr(name) for name in names)


class Decoder:
    """Decodes rows of batches, by workers.

    Args:
      examples: of a split; if none of its fields is encoded, there is nothing to do.
    """

    def __init__(self, examples: Examples):
        self._examples = examples
        self._decode: Any = examples.decode  # a Decode, where anything is encoded

    @property
    def shapes(self) -> dict[str, tuple[int, int, int]]:
        """The shape of each encoded field of an example, decoded."""
        return {
            name: (self._decode.size, self._decode.size, each.channels)
            for name, each in self._examples.encoded.items()
        }

    def training(self, indices: np.ndarray, seed: int, step: int, rows: np.ndarray) -> workers.DecodingBatch:
        """Begins to decode rows of a training batch, as a function of (seed, step, row) alone.

        Args:
          indices: the examples of the batch, int [B].
          seed: of the training.
          step: of the batch.
          rows: which rows are wanted, int [R].

        Returns:
          What will be the arrays of the encoded fields, each uint8 [R, size, size, C].
        """
        if not self._examples.encoded:
            return workers.DecodingBatch({}, [], 0)
        generator = np.random.Generator(
            np.random.Philox(np.random.SeedSequence((seed, step), spawn_key=(STREAM,)))
        )
        draws = generator.random((len(indices), TRIES, 4))
        return self._start(indices[rows], [partial(self._decode.train, draws=draws[row]) for row in rows])

    def evaluation(self, indices: np.ndarray) -> workers.DecodingBatch:
        """Begins to decode examples, int [R], as evaluation sees them."""
        if not self._examples.encoded:
            return workers.DecodingBatch({}, [], 0)
        return self._start(indices, [self._decode.evaluate] * len(indices))

    def _start(self, indices: np.ndarray, decode: list[Any]) -> workers.DecodingBatch:
        fields = self._examples.encoded
        arrays = {name: np.empty((len(indices), *shape), np.uint8) for name, shape in self.shapes.items()}

        def work(row: int) -> None:
            for name, each in fields.items():
                arrays[name][row] = decode[row](each[indices[row]], channels=each.channels)

        jobs = [
            workers.DecodingJob(partial(work, row), partial(self._examples.origin, int(index)))
            for row, index in enumerate(indices)
        ]
        return workers.decode(arrays, jobs, self._decode.workers)
