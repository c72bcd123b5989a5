"""Checks the dataset's folder in the repository, and what its README.md states."""

import ast
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from engine.datasets.building import checksums, features
from engine.datasets.catalogue import builders, readme
from engine.datasets.checks.dataset_under_test import DatasetUnderTest, NotApplicable

REQUIRED = ('README.md', 'CITATIONS.bib', 'TAGS.txt', checksums.FILE)


def folder(dataset: DatasetUnderTest) -> Iterator[str]:
    """README.md, CITATIONS.bib, TAGS.txt, checksums.tsv and toy/ exist and are not empty."""
    tags = list(_unknown_tags(dataset.repository_folder / 'TAGS.txt'))
    yield from tags
    if not dataset.lists_originals and not tags:
        raise NotApplicable('a plain TFDS builder needs none of them')
    for name in REQUIRED if dataset.lists_originals else ():
        file = dataset.repository_folder / name
        if not file.is_file():
            yield f'{file} is missing'
        elif not file.read_text(encoding='utf-8').strip():
            yield f'{file} is empty'
    toy = dataset.repository_folder / 'toy'
    if dataset.lists_originals and not any(toy.glob('*')):
        yield f'{toy} is missing: put a few originals there, with the layout of raw/'


def _unknown_tags(file: Path) -> Iterator[str]:
    from tensorflow_datasets.core import dataset_metadata

    lines = file.read_text(encoding='utf-8').splitlines() if file.is_file() else []
    for tag in filter(None, (line.partition('#')[0].strip() for line in lines)):
        if tag not in dataset_metadata.valid_tags():
            yield f'{file} has a tag that TFDS does not know: {tag!r}'


def stated_in_readme(dataset: DatasetUnderTest) -> Iterator[str]:
    """README.md has a title, and its counts, shapes and classes are right."""
    text = readme.read(dataset.repository_folder)
    if not dataset.lists_originals:
        raise NotApplicable('a plain TFDS builder need not have one')
    if not readme.title(text):
        yield f'{dataset.repository_folder / "README.md"} does not open with a title: # ...'
    yield from _wrong_counts(dataset, readme.table(text, 'split'))
    yield from _wrong_fields(dataset, readme.table(text, 'field'))
    yield from _wrong_classes(dataset.dataset.spec.class_names, readme.table(text, '') or [])


def _wrong_counts(dataset: DatasetUnderTest, table: readme.ReadmeTable | None) -> Iterator[str]:
    if table is None or not all(dataset.name in row for row in table):
        yield f'README.md has no table of counts with the columns: split, `{dataset.name}`'
        return
    stated = {row['split']: readme.count(row[dataset.name]) for row in table}
    for split in sorted(stated.keys() | dataset.dataset.splits):
        actual = dataset.dataset.splits.get(split)
        if actual is None:
            yield f'README.md states a split {split}, which {dataset.name} does not have'
        elif split not in stated:
            yield f'README.md does not state the number of examples of {split}: {actual:,}'
        elif stated[split] != actual:
            yield f'README.md states {stated[split]} examples of {split}, but there are {actual:,}'


def _wrong_fields(dataset: DatasetUnderTest, table: readme.ReadmeTable | None) -> Iterator[str]:
    if table is None or not all({'dtype', 'shape'} <= row.keys() for row in table):
        yield 'README.md has no table of fields with the columns: field, dtype, shape'
        return
    stated = {row['field']: row for row in table}
    default = features.spec(builders.builder(dataset.dataset_name))  # other configs may have other shapes
    for field, actual in default.example.items():
        if field not in stated:
            yield f'README.md does not state the field {field!r}: {actual.dtype} {actual.shape}'
            continue
        row, feature = stated[field], dataset.builder.info.features[field]
        has_shape = not feature.shape or None not in feature.shape  # else words describe the shape
        if row['dtype'] != str(actual.dtype) or (has_shape and _shape(row['shape']) != actual.shape):
            stated_field = f'{row["dtype"]} {row["shape"]}'
            yield f'README.md states {field}: {stated_field}, but it is {actual.dtype} {actual.shape}'
    for field in stated.keys() - dataset.builder.info.features.keys():
        yield f'README.md states a field {field!r}, which the builder does not have'


def _shape(cell: str) -> Any:
    """Returns the tuple in a cell, or the text of a cell without one."""
    try:
        return ast.literal_eval(cell)
    except (ValueError, SyntaxError):
        return cell


def _wrong_classes(class_names: Mapping[str, tuple[str, ...]], table: readme.ReadmeTable) -> Iterator[str]:
    """Yields the faults of the table of classes, of any field. README.md need not have one."""
    numbered = {names: dict(enumerate(names)) for names in class_names.values()}
    for row in table if all('class' in row for row in table) else ():
        index = readme.count(row[''])
        if not any(names.get(-1 if index is None else index) == row['class'] for names in numbered.values()):
            known = ' or '.join(', '.join(names) for names in numbered)
            yield f'README.md states class {row[""]} as {row["class"]!r}, but the classes are {known}'
