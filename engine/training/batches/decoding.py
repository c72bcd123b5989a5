"""Decodes images of varying size, encoded as in their files, to arrays of one shape.

`Trainer.decode` says how: it is a `Decode`, such as `engine.parts.crops.Crops`.
"""

from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from typing import Any, Protocol

import jax
import numpy as np

from engine.datasets.orders.streams import Key
from engine.datasets.reading.dataset import Dataset, Examples
from engine.errors import UserError
from engine.training.batches import workers

STREAM = 1  # of randomness, apart from that of the order of examples
TRIES = 10  # boxes drawn for an image until one fits into it


class Decode(Protocol):
    """How encoded images become arrays of one shape. A config may bind yours.

    It may also have `in_words`, which tells readers of a model card how an image becomes an input.
    """

    @property
    def size(self) -> int | tuple[int, int]:
        """H and W of what it makes, pixels; one number where they are equal."""
        ...

    @property
    def workers(self) -> int | None:
        """Threads that decode: 0 leaves it to the caller, None takes one for each CPU."""
        ...

    def train(self, data: bytes, channels: int, draws: np.ndarray) -> np.ndarray:
        """Returns uint8 [H, W, channels], as training sees an image.

        Args:
          data: the image as in its file. `datasets.reading.images` decodes it upright, whatever its format.
          channels: of the result.
          draws: float64 [TRIES, 4], uniform in [0, 1): all the randomness there is.
        """
        ...

    def evaluate(self, data: bytes, channels: int) -> np.ndarray:
        """Returns uint8 [H, W, channels], as evaluation and prediction see an image."""
        ...


def size_of(decode: Decode) -> tuple[int, int]:
    """Returns H and W of what a `Decode` makes."""
    return (decode.size, decode.size) if isinstance(decode.size, int) else decode.size


def bound(data: Dataset, decode: Decode | None) -> Dataset:
    """Returns a dataset that promises, and gives, what decoding makes of its encoded images.

    Raises:
      UserError: if images vary in size and nothing is bound, or if all are arrays and something is.
    """
    encoded = [each for each in (data, *data.parts.values()) if each.encoded]
    if encoded and decode is None:
        raise UserError(
            f'The images {_fields(encoded[0].encoded)} of {encoded[0].name} vary in size, and batches need '
            'one: bind what they become, such as `trainer.Trainer.decode = @crops.Crops()`, after '
            '`from engine.parts import crops`.'
        )
    if decode is None:
        return data
    if not encoded:
        raise UserError(
            f'Trainer.decode is bound, but all fields of {data.name} have fixed shapes: nothing is left to '
            'decode. Remove that binding; what changes images of one size is the `augment` of the task.'
        )
    parts = {name: _decoded(part, decode) for name, part in data.parts.items()}
    specs = {name: replace(spec, example=parts[name].spec.example) for name, spec in data.spec.parts.items()}
    main = _decoded(data, decode)
    return replace(main, parts=parts, spec=replace(main.spec, parts=specs))


def _decoded(data: Dataset, decode: Decode) -> Dataset:
    """Returns a dataset that promises, and gives, decoded images."""
    shapes = {
        name: jax.ShapeDtypeStruct((*size_of(decode), channels), np.uint8)
        for name, channels in data.encoded.items()
    }
    return replace(data, spec=replace(data.spec, example={**data.spec.example, **shapes}), decode=decode)


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
            name: (*size_of(self._decode), each.channels) for name, each in self._examples.encoded.items()
        }

    def training(
        self, indices: np.ndarray, seed: int, step: int, rows: np.ndarray, key: Key = ()
    ) -> workers.DecodingBatch:
        """Begins to decode rows of a training batch, as a function of (seed, step, row) alone.

        Args:
          indices: the examples of the batch, int [B].
          seed: of the training.
          step: of the batch.
          rows: which rows are wanted, int [R].
          key: tells the random numbers of a part from those of the others.

        Returns:
          What will be the arrays of the encoded fields, each uint8 [R, H, W, C].
        """
        if not self._examples.encoded:
            return workers.DecodingBatch({}, [], 0)
        generator = np.random.Generator(
            np.random.Philox(np.random.SeedSequence((seed, step), spawn_key=(STREAM, *key)))
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
