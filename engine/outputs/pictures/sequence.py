"""A sequence of pictures of varying size, in place of an array [n, h, w] or [n, h, w, c]."""

from collections.abc import Callable, Iterator, Sequence
from functools import cached_property
from typing import Any

import numpy as np

from engine.errors import UserError
from engine.outputs.pictures import png


class Pictures:
    """Images [h, w, c] or masks [h, w] of varying size, each made when it is asked for.

    It has those properties of an array that evaluations use: `shape`, `dtype`, `size`, rows, selections of
    rows. Lengths that vary are None in `shape`.

    >>> masks = Pictures.of([np.zeros((2, 3), np.uint8), np.ones((4, 1), np.uint8)])
    >>> masks.shape, masks[1].shape, len(masks[np.array([1, 1, 0])])
    ((2, None, None), (4, 1), 3)

    Args:
      load: returns the picture of a row.
      sizes: height and width of each, int [n, 2].
      dtype: of the pixels.
      channels: of images; None for masks.
      encoded: returns the PNG file of a row, if there is one.
    """

    def __init__(
        self,
        load: Callable[[int], np.ndarray],
        sizes: np.ndarray,
        dtype: Any,
        channels: int | None = None,
        encoded: Callable[[int], bytes] | None = None,
    ):
        self._load, self._encoded = load, encoded
        self.sizes, self.dtype, self.channels = np.asarray(sizes).reshape(-1, 2), np.dtype(dtype), channels

    @classmethod
    def of(cls, pictures: Sequence[np.ndarray]) -> 'Pictures':
        """Returns the pictures of a list. Each is [h, w] or [h, w, c], with the same number of channels."""
        dtype = np.result_type(*{picture.dtype for picture in pictures})
        channels = {picture.shape[2] if picture.ndim == 3 else None for picture in pictures}
        if len(channels) > 1:
            raise ValueError(f'their numbers of channels differ: {sorted(map(str, channels))}')
        sizes = np.array([picture.shape[:2] for picture in pictures])
        return cls(lambda row: pictures[row].astype(dtype, copy=False), sizes, dtype, channels.pop())

    @property
    def is_mask(self) -> bool:
        """Whether pixels are classes."""
        return self.channels is None

    @property
    def shape(self) -> tuple[int | None, ...]:
        """The shape, in which None stands for a length that varies."""
        return (len(self), None, None, *([] if self.is_mask else [self.channels]))

    @property
    def ndim(self) -> int:
        """The number of axes, that of the examples among them."""
        return len(self.shape)

    @property
    def size(self) -> int:
        """The number of all values."""
        return int(self.sizes.prod(1).sum()) * (1 if self.channels is None else self.channels)

    def __len__(self) -> int:
        return len(self.sizes)

    def __iter__(self) -> Iterator[np.ndarray]:
        return (self[row] for row in range(len(self)))

    def __getitem__(self, index: Any) -> Any:
        """Returns the picture of a row, or the pictures of several rows."""
        rows = np.arange(len(self))[index]
        if isinstance(rows, np.integer):
            return self._load(int(rows))
        encoded = self._encoded and (lambda row: self.encoded(int(rows[row])))
        load = self._load
        return Pictures(
            lambda row: load(int(rows[row])), self.sizes[rows], self.dtype, self.channels, encoded
        )

    def encoded(self, row: int) -> bytes:
        """Returns the PNG file of a row."""
        return self._encoded(row) if self._encoded else png.encode(self._load(row))

    def mapped(self, change: Callable[[np.ndarray], np.ndarray], dtype: Any) -> 'Pictures':
        """Returns changed pictures. The change keeps heights, widths and channels."""
        return Pictures(lambda row: change(self._load(row)), self.sizes, dtype, self.channels)

    def astype(self, dtype: Any) -> 'Pictures':
        """Returns the pictures in another dtype."""
        return self.mapped(lambda picture: picture.astype(dtype), dtype)

    @cached_property
    def values(self) -> np.ndarray:
        """The different values in all pictures, ascending. All pictures are decoded once, one at a time."""
        if self.dtype not in (np.uint8, np.uint16):
            return np.unique(np.concatenate([np.unique(picture) for picture in self]))
        is_held = np.zeros(np.iinfo(self.dtype).max + 1, bool)  # far faster than sorting
        for picture in self:
            is_held[picture] = True
        return np.flatnonzero(is_held).astype(self.dtype)

    def equals(self, other: Any) -> bool:
        """Whether others, `Pictures` or an array, hold the same pictures in the same order."""
        return len(self) == len(other) and all(
            np.array_equal(one, two) for one, two in zip(self, other, strict=True)
        )

    def padded(self) -> np.ndarray:
        """Returns all pictures in one array [n, largest h, largest w(, c)], filled up with 0."""
        shape = (len(self), *self.sizes.max(0), *([] if self.channels is None else [self.channels]))
        array = np.zeros(shape, self.dtype)
        for row, picture in enumerate(self):
            array[row, : picture.shape[0], : picture.shape[1]] = picture
        return array


def equal(one: Any, other: Any) -> bool:
    """Whether two arrays, or pictures of varying size, are equal. NaN equals NaN."""
    if isinstance(one, Pictures):
        return one.equals(other)
    if isinstance(other, Pictures):
        return other.equals(one)
    return np.array_equal(one, other, equal_nan=one.dtype.kind == 'f')


def sizes(array: Any) -> np.ndarray:
    """Returns height and width of each picture, int [n, 2], of `Pictures` or an array [n, h, w, ...]."""
    if isinstance(array, Pictures):
        return array.sizes
    return np.broadcast_to(array.shape[1:3], (len(array), 2))


def joined_rows(join: Callable[[Sequence[np.ndarray]], np.ndarray], arrays: Sequence[Any]) -> Any:
    """Returns what a function makes of several arrays of one shape, or of `Pictures`, row by row.

    Raises:
      UserError: pictures of one example differ in size.
    """
    first = arrays[0]
    if not any(isinstance(array, Pictures) for array in arrays):
        return join(arrays)
    for array in arrays[1:]:
        for row in np.flatnonzero((sizes(first) != sizes(array)).any(1))[:1]:
            one, two = sizes(first)[row].tolist(), sizes(array)[row].tolist()
            raise UserError(
                f'The pictures of row {row} have the sizes {one} and {two}, and cannot be joined.'
            )
    channels = (
        first.channels if isinstance(first, Pictures) else (first.shape[3] if first.ndim == 4 else None)
    )
    return Pictures(
        lambda row: join([array[row][None] for array in arrays])[0], sizes(first), first.dtype, channels
    )
