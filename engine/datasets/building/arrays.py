"""Decodes the records of a dataset into arrays, one example at a time, because all may exceed memory.

TFDS takes 0.3 ms to decode an example, so it is done once, and training maps the arrays into memory.
Images of varying size stay encoded, one after another. Decoded, they would take ten times the space.
"""

import hashlib
from pathlib import Path
from typing import Any

import numpy as np
from numpy.lib.format import open_memmap

from engine.datasets import progress_bar
from engine.datasets.building import features
from engine.datasets.building.ids import IdCheck
from engine.datasets.reading import images
from engine.datasets.reading.lists import describe_example
from engine.errors import UserError
from engine.interfaces import Spec

# TensorFlow Datasets takes a second to import, so only the functions that need it import it.


def write(builder: Any, lists: Path, folder: Path) -> None:
    """Writes `<split>/{ids.txt,<field>.npy,<field>.bin}` and `fingerprint.txt` into the empty `folder`.

    Raises:
      UserError: an id is not valid, or an encoded image is damaged. `lists`, the folder of the lists, gives
        its file.
    """
    spec, encoded = features.spec(builder), features.encoded_channels(builder)
    ids = IdCheck()
    for split in builder.info.splits:
        _write_split(folder / split, records(builder, split), spec, ids)
        for name in encoded:
            _write_encoded(folder / split, name, builder, lists / f'{split}.csv')
    (folder / 'fingerprint.txt').write_text(fingerprint(folder) + '\n')


def records(builder: Any, split: str) -> Any:
    """Returns the examples of a split as TFDS reads them from the records. Encoded images stay encoded."""
    return builder.as_data_source(split, decoders=decoders(builder))


def decoders(builder: Any) -> dict[str, Any] | None:
    """Returns the TFDS decoders that leave images of varying size encoded."""
    import tensorflow_datasets as tfds

    return {name: tfds.decode.SkipDecoding() for name in features.encoded_channels(builder)} or None


def fingerprint(folder: Path) -> str:
    """Returns the sha256 over name and content of each file in the split folders of `folder`.

    Arrays identify the data. Records do not: protobuf orders its maps at random, so each build differs.
    """
    sha256 = hashlib.sha256()
    for path in sorted(folder.glob('*/*')):
        with path.open('rb') as file:
            content = hashlib.file_digest(file, 'sha256').hexdigest()
        sha256.update(f'{path.relative_to(folder).as_posix()} {content}\n'.encode())
    return sha256.hexdigest()


def _write_split(folder: Path, examples: Any, spec: Spec, known: IdCheck) -> None:
    """Writes the ids and the fields of fixed shape of a split."""
    folder.mkdir(parents=True)
    count = len(examples)
    arrays = {
        name: open_memmap(folder / f'{name}.npy', 'w+', field.dtype, (count, *field.shape))
        for name, field in spec.example.items()
    }
    with (folder / 'ids.txt').open('w', encoding='utf-8') as ids:
        for index, example in enumerate(progress_bar.bar(examples, count, f'arrays of {folder.name}')):
            identity = example['id'].decode()
            known.add(identity, f'record {index} of {folder.name}')
            ids.write(identity + '\n')
            for name, array in arrays.items():
                array[index] = np.reshape(example[name], array.shape[1:])


def _write_encoded(folder: Path, name: str, builder: Any, originals: Path) -> None:
    """Writes the encoded images of a field one after another, and the offset of each."""
    examples = records(builder, folder.name)
    offsets = np.zeros(len(examples) + 1, np.int64)
    with (folder / f'{name}.bin').open('wb') as file:
        for index, example in enumerate(examples):
            _check_image(name, example, originals, Path(builder.data_dir))
            offsets[index + 1] = offsets[index] + file.write(example[name])
    np.save(folder / f'{name}.offsets.npy', offsets)


def _check_image(name: str, example: Any, originals: Path, records: Path) -> None:
    """Raises `UserError` if an image of an example is damaged."""
    try:
        images.check(example[name])
    except (ValueError, OSError) as error:
        raise UserError(
            f'{describe_example(example["id"].decode(), originals)}: {name} is damaged: {error}. Repair or '
            f'replace that file, and delete {records}, which holds a copy of it.'
        ) from None
