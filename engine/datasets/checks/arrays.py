"""Checks that records and arrays hold the same as the original files."""

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from engine.datasets import progress_bar
from engine.datasets.building import image_fields
from engine.datasets.checks.dataset_under_test import DatasetUnderTest, label, one_line
from engine.datasets.reading import integrity
from engine.datasets.reading.dataset import Examples
from engine.datasets.reading.images import ImageError

LOSSY = ('.jpg', '.jpeg')
MAX_JPEG_DIFFERENCE = 3.0  # gray levels, on average, by which two decoders of JPEG may differ

DecodeExample = Callable[[dict[str, Any]], dict[str, Any]]


def originals(dataset: DatasetUnderTest) -> Iterator[str]:
    """Each original, decoded again by the builder, equals its arrays."""
    decode = partial(image_fields.encoded_and_decoded, dataset.builder)
    indices = {split: iter(dataset.positions(split)) for split in dataset.splits}
    total = sum(len(dataset.chosen_rows(split)) for split in dataset.raw)
    for split, row, example in progress_bar.bar(dataset.raw_results(), total, 'originals'):
        if dataset.is_left_out(split, row[0]):
            continue
        index = next(indices[split], len(dataset.splits[split]))
        if problem := _original_problem(dataset.splits[split], index, row[1], example, decode):
            yield f'{label(split, row[0])}: {problem}'


def _original_problem(examples: Examples, index: int, path: Any, example: Any, decode: DecodeExample) -> str:
    """Returns how an original differs from the arrays, '' if it does not."""
    try:
        if isinstance(example, Exception):
            raise example
        decoded = decode(example)
    except ImageError as error:
        return f'{path}: {error}'
    except Exception as error:  # decoders may raise anything
        return f'{path} cannot be read: {one_line(error)}'
    field = _different_field(examples, index, decoded, Path(path).suffix.lower() in LOSSY)
    return f'{field} of {path} differs from the arrays' if field else ''


def _different_field(examples: Examples, index: int, decoded: dict[str, Any], lossy: bool) -> str:
    """Returns the first field of `decoded` that differs from the arrays, '' if none does."""
    if index >= len(examples):
        return 'everything'
    for field, encoded in examples.encoded.items():
        if decoded[field] != encoded[index]:
            return f'the field {field}'
    for field, array in examples.example(index).items():
        other = np.asarray(decoded[field])
        if other.size != array.size:
            return f'the field {field}, of the shape {other.shape},'
        if not _is_equal(other.reshape(array.shape), array, lossy):
            return f'the field {field}'
    return ''


def _is_equal(one: np.ndarray, other: np.ndarray, lossy: bool) -> bool:
    """Whether two arrays are equal. Lossy images may differ by a little."""
    if np.array_equal(one, other, equal_nan=other.dtype.kind == 'f'):
        return True
    return lossy and bool(np.abs(one.astype(float) - other).mean() < MAX_JPEG_DIFFERENCE)


def records(dataset: DatasetUnderTest) -> Iterator[str]:
    """Each record can be read and equals its arrays."""
    for split, examples in dataset.splits.items():
        file = _record_file(dataset, split)
        try:
            source = image_fields.records(dataset.builder, split)
            count = len(source)
        except Exception as error:  # the reader of a truncated file may raise anything
            yield f'{file} cannot be read: {one_line(error)}. {_advice(dataset)}'
            continue
        left_out = {image.record for image in dataset.dataset.images.left_out if image.split == split}
        kept = [record for record in range(count) if record not in left_out]
        if len(kept) != len(examples):
            yield f'{file} holds {len(kept):,} records, but the arrays {len(examples):,}. {_advice(dataset)}'
        chosen = [index for index in dataset.positions(split) if index < len(kept)]
        numbers = [kept[index] for index in chosen]
        read = zip(chosen, numbers, source.results(numbers), strict=True)
        for index, number, record in progress_bar.bar(read, len(chosen), f'records of {split}'):
            if problem := _record_problem(dataset, examples, index, record, f'record {number} in {file}'):
                yield f'{_with_file(dataset, split, index)}: {problem}'


def _record_file(dataset: DatasetUnderTest, split: str) -> Path:
    names = dataset.builder.info.splits[split].filenames
    return Path(dataset.builder.data_dir) / ', '.join(sorted(names))


def _with_file(dataset: DatasetUnderTest, split: str, index: int) -> str:
    """Returns the name of an example, with its original file if the builder lists it."""
    rows = dataset.rows(split)
    file = f' ({rows[index][1]})' if index < len(rows) else ''
    return f'{label(split, dataset.splits[split].ids[index])}{file}'


def _record_problem(
    dataset: DatasetUnderTest, examples: Examples, index: int, result: Any, record_name: str
) -> str:
    """Returns how a record, or the exception of reading it, differs from the arrays, '' if it does not."""
    try:
        if isinstance(result, Exception):
            raise result
        record = image_fields.decoded(dataset.builder, result)
    except Exception as error:  # as above
        return f'{record_name} is damaged: {one_line(error)}. {_advice(dataset)}'
    if record['id'].decode() != examples.ids[index]:
        return f'{record_name} has another id: {record["id"].decode()!r}'
    field = _different_field(examples, index, record, lossy=True)
    return f'{field} of {record_name} differs from the arrays' if field else ''


def arrays(dataset: DatasetUnderTest) -> Iterator[str]:
    """The arrays have the stated shapes and match their fingerprint."""
    dataset.splits  # noqa: B018 (it raises if a shape differs)
    if dataset.is_sample:
        integrity.check(dataset.dataset.folder)  # which believes large files that nobody has touched
        return
    stated, measured = dataset.dataset.fingerprint, integrity.fingerprint(dataset.dataset.folder)
    if measured != stated:
        yield (
            f'the arrays in {dataset.dataset.folder} have been changed: their fingerprint is {measured}, but '
            f'fingerprint.txt states {stated}. {_advice(dataset)}'
        )


def _advice(dataset: DatasetUnderTest) -> str:
    return f'Delete {dataset.builder.data_dir} and build again'
