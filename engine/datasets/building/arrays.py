"""Decodes the records of a dataset into arrays, one example at a time, because all may exceed memory.

TFDS takes 0.3 ms to decode an example, so it is done once, and training maps the arrays into memory.
Images of varying size stay encoded as in their files, one after another. Decoded, they would take ten times
the space. Every image is decoded once all the same, so that a damaged one is found here and not in training.
"""

import contextlib
from array import array
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

import jax
import numpy as np
from numpy.lib.format import open_memmap

from engine import files
from engine.datasets import progress_bar
from engine.datasets.building.ids import IdCheck
from engine.datasets.reading import integrity
from engine.datasets.reading.image_report import ImageReport, UnusableImage
from engine.datasets.reading.modes import ImageError


def write(
    folder: Path,
    example: Mapping[str, jax.ShapeDtypeStruct],
    images: Mapping[str, Any],
    splits: Mapping[str, Collection[dict[str, Any]]],
) -> ImageReport:
    """Writes `<split>/{ids.txt,<field>.npy,<field>.bin}` and the checksums of all into the empty `folder`.

    Examples whose images cannot be used are left out.

    Args:
      folder: of the arrays.
      example: shape and dtype of each field of fixed shape.
      images: the fields of images, each an `image_fields.ImageField`.
      splits: the examples of each split, with encoded images.

    Returns:
      What was found in the images, and which examples were left out.

    Raises:
      UserError: an id is not valid.
    """
    report, ids = ImageReport(), IdCheck()
    for split, examples in splits.items():
        _SplitWriter(folder / split, example, images, examples, report).write(ids)
    integrity.write(folder)
    return report


class _SplitWriter:
    """Writes ids, arrays and encoded images of a split.

    Args:
      folder: of the split.
      example: shape and dtype of each field of fixed shape.
      images: the fields of images.
      examples: of the split.
      report: counts the images, and names those that cannot be used.
    """

    def __init__(
        self,
        folder: Path,
        example: Mapping[str, jax.ShapeDtypeStruct],
        images: Mapping[str, Any],
        examples: Collection[dict[str, Any]],
        report: ImageReport,
    ):
        self._folder, self._images, self._examples, self._report = folder, images, examples, report
        self._folder.mkdir(parents=True)
        self._arrays = {
            name: open_memmap(folder / f'{name}.npy', 'w+', field.dtype, (len(examples), *field.shape))
            for name, field in example.items()
        }
        self._offsets = {name: array('q', [0]) for name, field in images.items() if field.is_encoded}

    def write(self, known: IdCheck) -> None:
        """Writes all examples whose images can be used, after their ids are checked."""
        count = 0
        known.begin(lambda record: f'record {record} of {self._folder.name}')
        with contextlib.ExitStack() as stack:
            ids = stack.enter_context((self._folder / 'ids.txt').open('w', encoding='utf-8'))
            encoded = {
                name: stack.enter_context((self._folder / f'{name}.bin').open('wb')) for name in self._offsets
            }
            bar = progress_bar.bar(self._examples, len(self._examples), f'arrays of {self._folder.name}')
            for record, example in enumerate(bar):
                identity = example['id'].decode()
                known.add(identity)
                if (usable := self._usable(record, example)) is None:
                    continue
                ids.write(identity + '\n')
                for name, values in self._arrays.items():
                    values[count] = np.reshape(usable[name], values.shape[1:])
                for name, file in encoded.items():
                    self._offsets[name].append(self._offsets[name][-1] + file.write(example[name]))
                count += 1
        self._finish(count)

    def _usable(self, record: int, example: dict[str, Any]) -> dict[str, Any] | None:
        """Returns an example with its images of fixed size as pixels, None if an image cannot be used."""
        identity = example['id'].decode()
        pixels, problems = {}, []
        for name, field in self._images.items():
            try:
                self._report.count(name, identity, field.examine(example[name]))
                pixels |= field.fixed(example[name])
            except ImageError as error:
                problems.append(f'{name} {error}')
        if problems:
            reason = '; '.join(problems)
            self._report.left_out.append(UnusableImage(self._folder.name, record, identity, '', reason))
            return None
        return example | pixels

    def _finish(self, count: int) -> None:
        """Writes the offsets of encoded images, and shortens the arrays if examples were left out."""
        for name, offsets in self._offsets.items():
            np.save(self._folder / f'{name}.offsets.npy', np.array(offsets, np.int64))
        for name, values in self._arrays.items():
            if count < len(values):
                with files.atomic_file(self._folder / f'{name}.npy') as temporary:
                    shorter = open_memmap(temporary, 'w+', values.dtype, (count, *values.shape[1:]))
                    shorter[:] = values[:count]
