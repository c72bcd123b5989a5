"""The examples: labels, ids, lists, and that none is there twice."""

import csv
from collections import Counter, defaultdict
from collections.abc import Iterator
from typing import Any

import numpy as np

from engine.datasets import progress_bar
from engine.datasets.checks.subject import NotApplicable, Subject, which
from engine.datasets.reading.dataset import Examples


def labels(subject: Subject) -> Iterator[str]:
    """Labels are in range, and their names are those that the originals state."""
    names = subject.dataset.spec.class_names
    twice = [name for name, count in Counter(names).items() if count > 1]
    if twice:
        yield f'the class {twice[0]!r} is there twice'
    fields = subject.fields('ClassLabel', 'LabeledImage')
    if not fields:
        raise NotApplicable('it has no classes')
    for split, examples in subject.splits.items():
        rows = subject.rows(split)
        for place, identity in enumerate(examples.ids):
            example = examples.example(place)
            stated = rows[place][2] if place < len(rows) else None
            for field in fields:
                yield from (
                    f'{which(split, identity)}: {wrong}'
                    for wrong in _wrong_label(field, example[field], names, stated)
                )


def _wrong_label(field: str, label: np.ndarray, names: tuple[str, ...], stated: Any) -> Iterator[str]:
    """Yields what is wrong with one label, or one map of labels; `stated` is that of the original."""
    low, high = int(label.min()), int(label.max())
    if low < 0 or high >= len(names):
        outside = low if low < 0 else high
        yield f'{field} holds {outside}, and classes go from 0 to {len(names) - 1}'
    elif label.ndim == 0 and isinstance(stated, str | int) and str(stated) not in (names[high], str(high)):
        yield f'{field} is {high}, the class {names[high]!r}, and the original states {str(stated)!r}'


def ids(subject: Subject) -> Iterator[str]:
    """Ids are unique in the dataset, one line each, and in the order of the originals."""
    seen: dict[str, str] = {}
    for split, examples in subject.splits.items():
        for identity in examples.ids:
            if identity in seen:
                yield f'the id {identity!r} of {split} is also one of {seen[identity]}'
            seen[identity] = split
            if not identity.strip() or len(identity.splitlines()) != 1:
                yield f'{split} has the id {identity!r}, which is not one line of text'
    for split, rows in (subject.raw if subject.lists_originals else {}).items():
        yield from _in_order(split, [str(row[0]) for row in rows], subject)


def _in_order(split: str, expected: list[str], subject: Subject) -> Iterator[str]:
    if split not in subject.splits:
        yield f'the split {split} of the originals is not built'
        return
    found = subject.splits[split].ids
    if len(found) != len(expected):
        yield f'{split} has {len(found):,} ids, and the originals list {len(expected):,}'
    differ = [place for place, pair in enumerate(zip(found, expected, strict=False)) if pair[0] != pair[1]]
    if differ:
        first = differ[0]
        yield f'example {first} of {split} has the id {found[first]!r}, the original {expected[first]!r}'


def duplicates(subject: Subject) -> Iterator[str]:
    """No example is in two splits, and none is twice in one, by content."""
    keys = subject.builder.info.supervised_keys
    inputs = [keys[0]] if keys else [*subject.dataset.spec.example, *subject.dataset.encoded]
    seen = defaultdict[int, list[tuple[str, int]]](list)  # by hash, which the content then confirms
    for split, examples in subject.splits.items():
        for place in progress_bar.bar(range(len(examples)), len(examples), f'contents of {split}'):
            content = _content(examples, place, inputs)
            for other, there in seen[hash(content)]:
                if _content(subject.splits[other], there, inputs) == content:
                    first = subject.splits[other].ids[there]
                    yield f'{which(split, examples.ids[place])} is the same as {which(other, first)}'
                    break
            seen[hash(content)].append((split, place))


def _content(examples: Examples, place: int, fields: list[str]) -> bytes:
    """Returns the content of some fields of an example; images of varying size are those of equal files."""
    example = examples.example(place)
    arrays = (example[field] for field in fields if field in example)
    files = (each[place] for field, each in examples.encoded.items() if field in fields)
    return b'|'.join([*(str(each.shape).encode() + each.tobytes() for each in arrays), *files])


def lists(subject: Subject) -> Iterator[str]:
    """The lists of the workspace name every original, by its absolute path."""
    subject.dataset  # noqa: B018 (it makes them true where the workspace moved)
    for split, rows in subject.raw.items():
        file = subject.bytes / 'lists' / subject.config / f'{split}.csv'
        if not file.is_file():
            yield f'{file} is missing'
            continue
        with file.open(newline='', encoding='utf-8') as lines:
            found = [tuple(row) for row in csv.reader(lines)][1:]
        expected = [tuple(map(str, row)) for row in rows]
        if len(found) != len(expected):
            yield f'{file} lists {len(found):,} of {len(expected):,} examples. Delete it and build again'
        for row, right in zip(found, expected, strict=False):
            if row != right:
                yield f'{file} lists {", ".join(row)!r} where {", ".join(right)!r} belongs'
                break
