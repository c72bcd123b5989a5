"""Checks the labels of a dataset when it is built, and remarks on classes that deserve a second look."""

import re
import unicodedata
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np

from engine.errors import UserError
from engine.interfaces import Spec

IGNORED = 255  # the value of pixels in masks that belong to no class, as in PASCAL VOC
UNLABELLED = -1  # the label of TFDS for examples without one
MISSING = {
    '',
    'nan',
    'na',
    'n/a',
    '<na>',
    'none',
    'null',
    'nil',
    'unknown',
    '?',
    '-',
}  # what stands for nothing
MAX_CLASSES = 10  # classes of a split in the report

Describe = Callable[[str, str], str]
Counts = Mapping[str, np.ndarray]  # the number of examples of each class, int [classes], by split


def check(folder: Path, splits: Sequence[str], spec: Spec, describe: Describe) -> None:
    """Checks that each label has a name.

    Args:
      folder: the folder of the arrays.
      splits: the names of the splits.
      spec: with the names of classes.
      describe: returns the name of an example for messages, given its split and its id.

    Raises:
      UserError: a label has no name. A split without any labels, all of them being -1, is right.
    """
    for split in splits:
        for field, names in spec.class_names.items():
            labels = np.load(folder / split / f'{field}.npy', mmap_mode='r')
            index = first_unnamed(labels, len(names))
            if index is not None:
                ids = (folder / split / 'ids.txt').read_text(encoding='utf-8').split('\n')
                raise UserError(
                    f'{describe(split, ids[index])} of {split}: {field} {outside(labels[index], len(names))}.'
                )


def outside(labels: np.ndarray, classes: int) -> str:
    """Returns what is wrong with the label or the labels of an example, '' if nothing is.

    >>> outside(np.array(7), 3)
    'holds 7, but its classes go from 0 to 2'
    """
    wrong = labels[~named(labels, classes)]
    if not wrong.size:
        return ''
    unlabelled = ', which means that it has no label' if labels.ndim == 0 and wrong[0] == UNLABELLED else ''
    void = f'. Pixels that belong to no class hold {IGNORED}' if labels.ndim > 1 else ''
    return f'holds {int(wrong[0])}{unlabelled}, but its classes go from 0 to {classes - 1}{void}'


def named(labels: np.ndarray, classes: int) -> np.ndarray:
    """Returns which labels of an example are right, bool [...]. -1 pads lists, and masks ignore 255."""
    is_class = (labels >= 0) & (labels < classes)
    if labels.ndim == 1:
        return is_class | (labels == UNLABELLED)
    return is_class | (labels == IGNORED) if labels.ndim > 1 else is_class


def is_unlabelled(labels: np.ndarray) -> bool:
    """Whether no example of a split has a label, so that all labels, int [n], are -1."""
    return labels.ndim == 1 and bool(labels.size) and bool(np.all(labels == UNLABELLED))


def first_unnamed(labels: np.ndarray, classes: int) -> int | None:
    """Returns the first example with a label that has no name, None if there is none.

    Args:
      labels: of a split, [n], [n, k] for lists or [n, H, W] for masks.
      classes: the number of classes.
    """
    if labels.ndim == 1:
        wrong = np.flatnonzero((labels < 0) | (labels >= classes))
        return int(wrong[0]) if wrong.size and not is_unlabelled(labels) else None
    examples = (index for index, example in enumerate(labels) if not named(example, classes).all())
    return next(examples, None)


def counts(folder: Path, splits: Sequence[str], spec: Spec) -> dict[str, Counts]:
    """Returns the number of examples of each class by split, for each field with one label per example."""
    fields = [name for name in spec.class_names if not spec.example[name].shape]
    return {
        field: {
            split: _count(folder / split / f'{field}.npy', len(spec.class_names[field])) for split in splits
        }
        for field in fields
    }


def _count(file: Path, classes: int) -> np.ndarray:
    labels = np.load(file, mmap_mode='r')
    return np.bincount(labels[labels >= 0], minlength=classes)[:classes]


def described(names: Sequence[str], numbers: np.ndarray) -> str:
    """Returns how many examples the classes have: `cat 6, dog 3`, or the extremes of many classes."""
    if len(names) <= MAX_CLASSES:
        return ', '.join(f'{name} {number:,}' for name, number in zip(names, numbers, strict=True))
    return f'{len(names):,} classes of {numbers.min():,} to {numbers.max():,} examples'


def remarks(spec: Spec, counted: Mapping[str, Counts]) -> Iterator[str]:
    """Yields a sentence for each oddity of the classes."""
    for field, names in spec.class_names.items():
        yield from _odd_names(field, names)
        if field in counted:
            yield from _odd_counts(field, names, counted[field])


def _odd_names(field: str, names: Sequence[str]) -> Iterator[str]:
    alike = defaultdict(list)
    for name in names:
        alike[_key(name)].append(name)
        if name.strip().lower() in MISSING:
            yield f'{name!r} is a class of {field}. If it stands for a missing label, remove those examples'
    for group in alike.values():
        if len(group) > 1:
            shown = ' and '.join(ascii(name) if not _differ_visibly(group) else repr(name) for name in group)
            yield f'the classes {shown} of {field} look alike. If they are one class, give it one name'


def _key(name: str) -> str:
    """Returns what names that look alike have in common."""
    folded = unicodedata.normalize('NFKC', unicodedata.normalize('NFKC', name).casefold())
    letters = ''.join(letter for letter in folded if unicodedata.category(letter) != 'Cf')
    key = ' '.join(re.sub(r'(?<=\w)[_-](?=\w)', ' ', letters).split()) or letters
    return str(int(key)) if key.isdecimal() else key


def _differ_visibly(names: Sequence[str]) -> bool:
    shown = {unicodedata.normalize('NFC', name) for name in names}
    return len(shown) == len(names) and all(name.isprintable() for name in names)


def _odd_counts(field: str, names: Sequence[str], numbers: Counts) -> Iterator[str]:
    total = sum(numbers.values(), np.zeros(len(names), int))
    if len(names) == 1 or np.count_nonzero(total) == 1:
        yield f'all examples have one {field}, {names[int(total.argmax())]!r}: there is nothing to tell apart'
    for split, number in numbers.items():
        if not number.sum():
            yield f'no example of {split} has a {field}'
    if 'train' not in numbers or not numbers['train'].sum():
        return
    untrained = np.flatnonzero(numbers['train'] == 0)
    if untrained.size:
        more = f' and {untrained.size - 5:,} more' if untrained.size > 5 else ''
        shown = ', '.join(repr(names[index]) for index in untrained[:5]) + more
        others = ', '.join(
            f'{split} {number[untrained].sum():,}'
            for split, number in numbers.items()
            if split != 'train' and number[untrained].sum()
        )
        have = 'these classes have' if untrained.size > 1 else 'this class has'
        yield f'{have} no training example: {shown}' + (f'; examples in {others}' if others else '')
