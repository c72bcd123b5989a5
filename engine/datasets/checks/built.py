"""What is built: records and arrays hold what the originals do."""

from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from engine.datasets import progress_bar
from engine.datasets.checks.subject import Subject, examples, said, which

LOSSY = ('.jpg', '.jpeg')
ROUNDING = 3.0  # gray levels, on average, by which two decoders of JPEG may differ


def originals(subject: Subject) -> Iterator[str]:
    """Each original, decoded anew by the builder, equals its arrays."""
    decode = _decoder(subject)
    places = Counter[str]()
    total = sum(map(len, subject.raw.values()))
    for split, (identity, path, _), example in progress_bar.bar(examples(subject), total, 'originals'):
        place = places[split]
        places[split] += 1
        try:
            if isinstance(example, Exception):
                raise example
            decoded = decode(example)
        except Exception as error:  # whatever decoders may raise
            yield f'{which(split, identity)}: {path} cannot be read: {said(error)}'
            continue
        wrong = _difference(subject, split, place, decoded, Path(path).suffix.lower() in LOSSY)
        if wrong:
            yield f'{which(split, identity)}: {wrong} of {path} is not what the arrays hold'


def _decoder(subject: Subject) -> Callable[[dict[str, Any]], dict[str, Any]]:
    """Returns what decodes an example of the builder's, images of varying size apart."""
    features, decoders = subject.builder.info.features, arrays.decoders(subject.builder)
    return lambda example: features.decode_example_np(features.encode_example(example), decoders=decoders)


def _difference(subject: Subject, split: str, place: int, decoded: dict[str, Any], lossy: bool) -> str:
    """Returns the first field that differs from the arrays, '' if none does."""
    examples = subject.splits[split]
    if place >= len(examples):
        return 'all'
    for field, each in examples.encoded.items():
        if decoded[field] != each[place]:
            return f'the field {field}'
    for field, array in examples.example(place).items():
        other = np.asarray(decoded[field])
        if other.size != array.size:
            return f'the field {field}, of the shape {other.shape},'
        other = other.reshape(array.shape)
        equal = np.array_equal(other, array, equal_nan=array.dtype.kind == 'f')
        if not equal and not (lossy and np.abs(other.astype(float) - array).mean() < ROUNDING):
            return f'the field {field}'
    return ''


def records(subject: Subject) -> Iterator[str]:
    """Each record can be read and equals its arrays."""
    files = {split: info.filenames for split, info in subject.builder.info.splits.items()}
    for split, kept in subject.splits.items():
        where = Path(subject.builder.data_dir) / ', '.join(sorted(files[split]))
        rows = subject.rows(split)
        try:
            source = arrays.records(subject.builder, split)
            count = len(source)
        except Exception as error:  # whatever the reader of a torn file may raise
            yield f'{where} cannot be read: {said(error)}. {_again(subject)}'
            continue
        if count != len(kept):
            yield f'{where} holds {count:,} records, and the arrays {len(kept):,}. {_again(subject)}'
        for place in progress_bar.bar(range(min(count, len(kept))), count, f'records of {split}'):
            file = f' ({rows[place][1]})' if place < len(rows) else ''
            which_one = f'{which(split, kept.ids[place])}{file}'
            try:
                record = source[place]
            except Exception as error:  # as above
                yield f'{which_one}: record {place} in {where} is damaged: {said(error)}. {_again(subject)}'
                continue
            if record['id'].decode() != kept.ids[place]:
                yield f'{which_one}: record {place} in {where} has another id: {record["id"].decode()!r}'
            elif wrong := _difference(subject, split, place, record, lossy=True):
                yield f'{which_one}: {wrong} of record {place} in {where} is not what the arrays hold'


def arrays(subject: Subject) -> Iterator[str]:
    """The arrays have the promised shapes and are those that were fingerprinted."""
    subject.splits  # noqa: B018 (it raises if not)
    stated, found = subject.dataset.fingerprint, arrays.fingerprint(subject.dataset.folder)
    if found != stated:
        yield (
            f'the arrays in {subject.dataset.folder} have been changed: their fingerprint is {found}, and '
            f'fingerprint.txt states {stated}. {_again(subject)}'
        )


def _again(subject: Subject) -> str:
    return f'Delete {subject.builder.data_dir} and build again'
