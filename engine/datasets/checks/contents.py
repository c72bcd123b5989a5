"""Checks the examples: their labels, their ids, their lists, and that no example occurs twice."""

import csv
from collections import defaultdict
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any

import numpy as np

from engine.datasets import progress_bar
from engine.datasets.building import labels as built_labels
from engine.datasets.building import report
from engine.datasets.checks.dataset_under_test import DatasetUnderTest, NotApplicable, label
from engine.datasets.reading.dataset import Examples


def labels(dataset: DatasetUnderTest) -> Iterator[str]:
    """Labels are in range, and agree with the originals."""
    class_names = dataset.dataset.spec.class_names
    if not class_names:
        raise NotApplicable('it has no classes')
    for split, examples in dataset.splits.items():
        rows = dataset.rows(split)
        unlabelled = [name for name in class_names if built_labels.is_unlabelled(examples.arrays[name])]
        for index in dataset.positions(split):
            identity, example = examples.ids[index], examples.example(index)
            stated = rows[index][2] if index < len(rows) else None
            for field, names in class_names.items():
                if field in unlabelled:
                    continue
                if problem := _label_problem(example[field], names, stated):
                    yield f'{label(split, identity)}: {field} {problem}'


def _label_problem(value: np.ndarray, names: tuple[str, ...], stated: Any) -> str:
    """Returns the fault of a label, or of a mask. `stated` is the label of the original."""
    if problem := built_labels.outside(value, len(names)):
        return problem
    if value.ndim == 0 and isinstance(stated, str | int) and str(stated) not in (names[value], str(value)):
        return f'is {value}, the class {names[value]!r}, but the original states {str(stated)!r}'
    return ''


def remarks(dataset: DatasetUnderTest) -> Iterator[str]:
    """Nothing was left out. Classes have names of their own and examples to train on."""
    yield from report.remarks(dataset.builder, dataset.dataset.folder, dataset.dataset.spec)


def ids(dataset: DatasetUnderTest) -> Iterator[str]:
    """Ids are unique in the dataset, have one line, and are in the order of the originals."""
    split_of: dict[str, str] = {}
    for split, examples in dataset.splits.items():
        for identity in examples.ids:
            if identity in split_of:
                yield f'the id {identity!r} of {split} occurs in {split_of[identity]} too'
            split_of[identity] = split
            if not identity.strip() or len(identity.splitlines()) != 1:
                yield f'{split} has the id {identity!r}, which is not one line of text'
    for split in dataset.raw if dataset.lists_originals else ():
        yield from _wrong_order(dataset, split, [str(row[0]) for row in dataset.rows(split)])


def _wrong_order(dataset: DatasetUnderTest, split: str, expected: list[str]) -> Iterator[str]:
    """Yields how the ids of a split differ from those of the originals."""
    if split not in dataset.splits:
        yield f'the split {split} of the originals was not built'
        return
    built = dataset.splits[split].ids
    if len(built) != len(expected):
        yield f'{split} has {len(built):,} ids, but the originals list {len(expected):,}'
    for index, (identity, original) in enumerate(zip(built, expected, strict=False)):
        if identity != original:
            yield f'example {index} of {split} has the id {identity!r}, but the original has {original!r}'
            return


def duplicates(dataset: DatasetUnderTest) -> Iterator[str]:
    """No two examples have the same content, in one split or in two."""
    if getattr(dataset.builder, 'MAY_REPEAT', False):
        raise NotApplicable('parts of a text may repeat')
    keys = dataset.builder.info.supervised_keys
    inputs = [keys[0]] if keys else [*dataset.dataset.spec.example, *dataset.dataset.encoded]
    places = defaultdict[int, list[tuple[str, int]]](list)  # by hash, then compared by content
    for split, examples in dataset.splits.items():
        chosen = dataset.positions(split)
        for index in progress_bar.bar(chosen, len(chosen), f'contents of {split}'):
            content = _content(examples, index, inputs)
            for other, place in places[hash(content)]:
                if _content(dataset.splits[other], place, inputs) == content:
                    first = label(other, dataset.splits[other].ids[place])
                    yield f'{label(split, examples.ids[index])} equals {first}'
                    break
            places[hash(content)].append((split, index))


def _content(examples: Examples, index: int, fields: list[str]) -> bytes:
    """Returns the content of some fields of an example. Images of varying size count as their files."""
    example = examples.example(index)
    arrays = (example[field] for field in fields if field in example)
    encoded = (images[index] for field, images in examples.encoded.items() if field in fields)
    return b'|'.join([*(str(array.shape).encode() + array.tobytes() for array in arrays), *encoded])


def lists(dataset: DatasetUnderTest) -> Iterator[str]:
    """The lists in the workspace give every original by its absolute path."""
    dataset.dataset  # noqa: B018 (loading updates the lists of a workspace that moved)
    for split, rows in dataset.raw.items():
        file = dataset.workspace_folder / 'lists' / dataset.config / f'{split}.csv'
        if not file.is_file():
            yield f'{file} is missing'
            continue
        with file.open(newline='', encoding='utf-8') as lines:
            listed = sum(1 for _ in csv.reader(lines)) - 1
        if listed != len(rows):
            yield f'{file} lists {listed:,} of {len(rows):,} examples. Delete it and build again'
        with file.open(newline='', encoding='utf-8') as lines:
            pairs = zip(islice(csv.reader(lines), 1, None), (map(str, row) for row in rows), strict=False)
            wrong = next(((row, right) for row, right in map(_as_lists, pairs) if row != right), None)
        if wrong:
            yield f'{file} lists {", ".join(wrong[0])!r} instead of {", ".join(wrong[1])!r}'


def _as_lists(pair: Iterable[Iterable[str]]) -> list[list[str]]:
    return [*map(list, pair)]
