"""The records of a dataset, and how the bytes of their images become pixels."""

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any

import numpy as np

from engine.datasets.building import features
from engine.datasets.reading import images
from engine.datasets.reading.images import FileTraits, ImageError

# TensorFlow Datasets takes a second to import, so only the functions that need it import it.

READ_TOGETHER = (
    64  # records. Reading one at a time takes four times as long, because each waits for a thread.
)


@dataclass(frozen=True)
class ImageField:
    """A field of images.

    Attributes:
      name: of the field.
      shape: (H, W, C), None for a height or width that varies.
      dtype: uint8 or uint16. Masks may have any integers.
      is_mask: whether pixels are classes.
      is_encoded: whether images vary in size, so that they stay encoded.
    """

    name: str
    shape: tuple[int | None, int | None, int]
    dtype: np.dtype
    is_mask: bool
    is_encoded: bool

    def decode(self, data: bytes) -> np.ndarray:
        """Decodes an image of fixed size.

        Returns:
          [H, W, C] of the field's dtype, [H, W, 1] for a mask.

        Raises:
          ImageError: the image is damaged, has another size, or is not a mask.
        """
        pixels = self._decode(data)
        self._check_size(*pixels.shape[:2])
        return pixels

    def fixed(self, data: bytes) -> dict[str, np.ndarray]:
        """Returns {name: pixels} for an image of fixed size, {} for one that stays encoded."""
        return {} if self.is_encoded else {self.name: self.decode(data)}

    def examine(self, data: bytes) -> FileTraits:
        """Decodes an image and reports what it holds. Raises `ImageError` as `decode` does."""
        if self.is_mask or self.dtype != np.uint8:
            return FileTraits('mask' if self.is_mask else str(self.dtype), (), *self.decode(data).shape[:2])
        traits = images.examine(data, self.shape[-1])
        self._check_size(traits.height, traits.width)
        return traits

    def _decode(self, data: bytes) -> np.ndarray:
        if not self.is_mask:
            decode = images.whole if self.dtype == np.uint8 else images.whole_deep
            return decode(data, self.shape[-1])
        labels = images.labels(data)[..., np.newaxis]
        low, high, limits = labels.min(), labels.max(), np.iinfo(self.dtype)
        if low < limits.min or high > limits.max:
            raise ImageError(f'holds labels from {low} to {high}, but the builder states {self.dtype}')
        return labels.astype(self.dtype)

    def _check_size(self, height: int, width: int) -> None:
        stated = self.shape[:2]
        if any(side not in (None, actual) for side, actual in zip(stated, (height, width), strict=True)):
            raise ImageError(
                f'is {height} pixels high and {width} wide, but the builder states {stated[0]} by {stated[1]}'
            )


def image_fields(builder: Any) -> dict[str, ImageField]:
    """Returns the fields of a builder that hold encoded images. TFDS itself decodes floats.

    Args:
      builder: a builder of TFDS.
    """
    import tensorflow_datasets as tfds

    kinds, encoded = (tfds.features.Image, tfds.features.LabeledImage), features.encoded_channels(builder)
    return {
        name: ImageField(
            name,
            (*feature.shape[:2], feature.shape[2] or 3),
            np.dtype(feature.np_dtype),
            type(feature) is tfds.features.LabeledImage,
            name in encoded,
        )
        for name, feature in builder.info.features.items()
        if type(feature) in kinds and len(feature.shape) == 3 and np.dtype(feature.np_dtype).kind in 'iu'
    }


class Records(Collection[dict[str, Any]]):
    """The examples of a split as TFDS reads them from the records. Images stay encoded.

    Args:
      source: a data source of TFDS.
    """

    def __init__(self, source: Any):
        self._source = source

    def __len__(self) -> int:
        return len(self._source)

    def __contains__(self, record: object) -> bool:
        return any(record == each for each in self)

    def __getitem__(self, number: int) -> dict[str, Any]:
        return self._source[number]

    def __iter__(self) -> Iterator[dict[str, Any]]:
        for result in self.results(range(len(self))):
            if isinstance(result, Exception):
                raise result
            yield result

    def results(self, numbers: Iterable[int]) -> Iterator[dict[str, Any] | Exception]:
        """Yields the records of these numbers, or what reading one of them raises."""
        numbers = iter(numbers)
        while block := [*islice(numbers, READ_TOGETHER)]:
            try:
                yield from self._source.__getitems__(block)
            except Exception:  # the reader of a damaged file may raise anything
                yield from map(self._result, block)

    def _result(self, number: int) -> dict[str, Any] | Exception:
        try:
            return self[number]
        except Exception as error:  # as above
            return error


def records(builder: Any, split: str) -> Records:
    """Returns the examples of a split, to be read from the records."""
    return Records(builder.as_data_source(split, decoders=_decoders(builder)))


def _decoders(builder: Any) -> dict[str, Any] | None:
    """Returns the TFDS decoders that leave images encoded."""
    import tensorflow_datasets as tfds

    return {name: tfds.decode.SkipDecoding() for name in image_fields(builder)} or None


def decoded(builder: Any, example: dict[str, Any]) -> dict[str, Any]:
    """Returns an example of `records` with its images of fixed size as pixels.

    Raises:
      ImageError: an image is damaged, or has another size than the builder states.
    """
    pixels = {}
    for field in image_fields(builder).values():
        try:
            pixels |= field.fixed(example[field.name])
        except ImageError as error:
            raise ImageError(f'{field.name} {error}') from None
    return example | pixels


def encoded_and_decoded(builder: Any, example: dict[str, Any]) -> dict[str, Any]:
    """Returns what `decoded` would return for an example that the builder generates, without its records."""
    features = builder.info.features
    record = features.decode_example_np(features.encode_example(example), decoders=_decoders(builder))
    return decoded(builder, record)
