"""How the fields, classes and notes of two datasets differ."""

from collections.abc import Collection
from typing import Any

import numpy as np

from engine.datasets.reading.dataset import Dataset
from engine.interfaces import Spec


def difference(other: Dataset, data: Dataset) -> str:
    """Returns the first way in which examples of one dataset are unlike those of another; '' if they fit."""
    extra = next((field for field in _fields(other) if field not in _fields(data)), None)
    if extra is not None:
        return f'it has a field {extra!r}; {data.name} has {", ".join(_fields(data)) or "none"}'
    problems = [_encoding(field, other, data) for field in _fields(data)]
    problems += [misfit(field, other, data) for field in data.spec.example]
    problems += [other_classes(field, other.spec, data.spec) for field in _fields(data)]
    problems += [other_words(note, other.spec, data.spec) for note in data.spec.notes]
    return next(filter(None, problems), '')


def _fields(data: Dataset) -> dict[str, None]:
    return dict.fromkeys((*data.spec.example, *data.encoded))


def _encoding(field: str, other: Dataset, data: Dataset) -> str:
    """Returns how the images of a field differ, if they vary in size in one of the datasets; else ''."""
    wanted, actual = (each.encoded.get(field) for each in (data, other))
    if wanted == actual or field not in _fields(other):
        return (
            ''
            if wanted == actual
            else f'it has no field {field!r}; it has {", ".join(_fields(other)) or "none"}'
        )
    if None in (wanted, actual):
        varying, fixed = (data, other) if actual is None else (other, data)
        return f'the images of its field {field!r} vary in size in {varying.name}, not in {fixed.name}'
    return f'the images of its field {field!r} have {actual} channels, not {wanted}'


def misfit(field: str, other: Dataset, data: Dataset) -> str:
    """Returns how a field of another dataset differs, '' if it does not."""
    expected, actual = data.spec.example[field], other.spec.example.get(field)
    if actual is None:
        size = ' of one size' if field in other.encoded else ''
        return f'{other.name} has no field {field!r}{size}; it has {", ".join(other.spec.example) or "none"}'
    if (actual.shape, actual.dtype) == (expected.shape, expected.dtype):
        return ''
    shown, wanted = (f'{each.dtype} {list(each.shape)}' for each in (actual, expected))
    return f'its field {field!r} is {shown}, not {wanted}'


def other_classes(field: str, other: Spec, spec: Spec) -> str:
    """Returns how the classes of a field of another dataset differ, '' if they do not."""
    actual, expected = (tuple(each.class_names.get(field, ())) for each in (other, spec))
    if len(actual) != len(expected):
        return f'its field {field!r} has {len(actual)} named classes, not {len(expected)}'
    pairs = enumerate(zip(actual, expected, strict=True))
    return next(
        (
            f'class {index} of its field {field!r} is {one!r}, not {two!r}'
            for index, (one, two) in pairs
            if one != two
        ),
        '',
    )


def other_words(note: str, other: Spec, spec: Spec) -> str:
    """Returns that a list of words differs, such as a vocabulary, '' if it does not. Numbers may differ."""
    expected = spec.notes[note]
    has_words = isinstance(expected, Collection) and not isinstance(expected, str)
    has_words = has_words and any(isinstance(each, str) for each in expected)
    return f'its note {note!r} is another' if has_words and other.notes.get(note) != expected else ''


def is_same_note(one: Any, other: Any) -> bool:
    """Whether two notes hold the same values."""
    if type(one) is not type(other):
        return False
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(is_same_note(one[key], other[key]) for key in one)
    if isinstance(one, list | tuple):
        return len(one) == len(other) and all(map(is_same_note, one, other))
    return np.array_equal(one, other)
