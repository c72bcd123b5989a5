"""What a dataset says of itself: its folder in the repository and its README.md."""

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from engine.datasets.building import checksums
from engine.datasets.catalogue import builders, readme
from engine.datasets.checks.subject import Subject

REQUIRED = ('README.md', 'CITATIONS.bib', 'TAGS.txt', checksums.FILE)


def folder(subject: Subject) -> Iterator[str]:
    """README.md, CITATIONS.bib, TAGS.txt, checksums.tsv and toy/ are there and say something."""
    for name in REQUIRED:
        file = subject.folder / name
        if not file.is_file():
            yield f'{file} is missing'
        elif not file.read_text(encoding='utf-8').strip():
            yield f'{file} is empty'
    if not any((subject.folder / 'toy').glob('*')):
        yield f'{subject.folder / "toy"} is missing: put a few originals there, laid out as they are in raw/'
    yield from _unknown_tags(subject.folder / 'TAGS.txt')


def _unknown_tags(file: Path) -> Iterator[str]:
    from tensorflow_datasets.core import dataset_metadata

    lines = file.read_text(encoding='utf-8').splitlines() if file.is_file() else []
    for tag in filter(None, (line.partition('#')[0].strip() for line in lines)):
        if tag not in dataset_metadata.valid_tags():
            yield f'{file} has a tag that TFDS does not know: {tag!r}'


def stated_in_readme(subject: Subject) -> Iterator[str]:
    """README.md has a title, and its counts, shapes and classes are true."""
    text = readme.read(subject.folder)
    if not readme.title(text):
        yield f'{subject.folder / "README.md"} does not open with a title: # ...'
    yield from _wrong_counts(subject, readme.table(text, 'split'))
    yield from _wrong_fields(subject, readme.table(text, 'field'))
    yield from _wrong_classes(subject.dataset.spec.class_names, readme.table(text, '') or [])


def _wrong_counts(subject: Subject, table: readme.Table | None) -> Iterator[str]:
    if table is None or not all(subject.name in row for row in table):
        yield f'README.md has no table of counts with the columns: split, `{subject.name}`'
        return
    stated = {row['split']: readme.count(row[subject.name]) for row in table}
    for split in sorted(stated.keys() | subject.dataset.splits):
        true = subject.dataset.splits.get(split)
        if true is None:
            yield f'README.md states a split {split} that {subject.name} has not'
        elif split not in stated:
            yield f'README.md does not state how many examples {split} has: {true:,}'
        elif stated[split] != true:
            yield f'README.md states {stated[split]} examples of {split}, and there are {true:,}'


def _wrong_fields(subject: Subject, table: readme.Table | None) -> Iterator[str]:
    if table is None or not all({'dtype', 'shape'} <= row.keys() for row in table):
        yield 'README.md has no table of fields with the columns: field, dtype, shape'
        return
    stated = {row['field']: row for row in table}
    default = builders.spec(builders.builder(subject.dataset_name))  # other configs may have other shapes
    for field, true in default.example.items():
        if field not in stated:
            yield f'README.md does not state the field {field!r}: {true.dtype} {true.shape}'
            continue
        row, feature = stated[field], subject.builder.info.features[field]
        is_whole = not feature.shape or None not in feature.shape  # else a reader is told in words
        if row['dtype'] != str(true.dtype) or (is_whole and _shape(row['shape']) != true.shape):
            stated_one = f'{row["dtype"]} {row["shape"]}'
            yield f'README.md states {field}: {stated_one}, and it is {true.dtype} {true.shape}'
    for field in stated.keys() - subject.builder.info.features.keys():
        yield f'README.md states a field {field!r} that the builder has not'


def _shape(cell: str) -> Any:
    """Returns the tuple that a cell holds, the cell itself if it holds none."""
    try:
        return ast.literal_eval(cell)
    except (ValueError, SyntaxError):
        return cell


def _wrong_classes(names: tuple[str, ...], table: readme.Table) -> Iterator[str]:
    """Yields what is wrong with a table of the classes, if README.md has one."""
    for row in table if all('class' in row for row in table) else ():
        index = readme.count(row[''])
        if index is None or index >= len(names) or names[index] != row['class']:
            yield f'README.md states class {row[""]} as {row["class"]!r}; they are {", ".join(names)}'
