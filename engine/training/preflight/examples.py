"""Checks of the examples that an experiment uses: ids, labels, and whether a batch fits into memory."""

from functools import partial
from pathlib import Path

import numpy as np

from engine.datasets.building.labels import IGNORED, UNLABELLED, is_unlabelled
from engine.datasets.reading.dataset import Dataset, Examples
from engine.errors import UserError, did_you_mean
from engine.hardware import limits
from engine.interfaces import INDEX, STEP, VALID, BoundTask, Description
from engine.outputs import kind_folders
from engine.outputs.check_ids import check_ids
from engine.training.preflight import hooks

RESERVED = (INDEX, VALID, STEP)  # arrays that the engine adds to each batch
MAX_BATCH_SHARE = 0.1  # of the memory: a batch is copied, and its activations are larger
MAX_BYTES = 2**24  # of a field that are read, so that the start does not wait for a disk
MAX_NAMED = 3  # examples that a message names


def check(
    name: str,
    data: Dataset,
    examples: Examples,
    bound: BoundTask,
    batch_size: int,
    needs_labels: bool = True,
) -> None:
    """Checks the examples of a split or a set.

    Args:
      name: of the split or the set.
      data: the dataset.
      examples: its examples.
      bound: the task. Its description names the fields of the labels.
      batch_size: examples per step, over all devices.
      needs_labels: whether a split without any labels is a mistake.

    Raises:
      UserError: there are no examples, ids are not unique, labels are not those of the classes, or a batch
        cannot fit into memory.
    """
    where, fields = f'{name} of {data.name}', truth_fields(data, bound)
    check_rows(where, examples, batch_size)
    description = bound.describe()
    for field in filter(partial(_holds_classes, description), set(fields) - examples.encoded.keys()):
        classes = len(data.spec.class_names.get(field, ()))
        _check_labels(where, examples, field, classes, description.ignore_label, needs_labels)


def check_rows(where: str, examples: Examples, batch_size: int) -> None:
    """Raises `UserError` unless there are examples with unique ids, and a batch of them fits into memory."""
    if not len(examples):
        raise UserError(f'{where} holds no examples. Remove it from the config, or build it again.')
    check_ids(Path(where), examples.ids)
    _check_memory(where, examples, batch_size)


def _holds_classes(description: Description, field: str) -> bool:
    """Whether a field of the truth may hold indices of classes: not if it has a label for each class."""
    if description.kind not in kind_folders.names():
        return True  # the check of the predictions names the kind
    arrays = [name for name, other in description.truth.items() if other == field]
    declared = kind_folders.declaration(description.kind)
    return not any('classes' in declared.field(name).axes.split() for name in arrays)


def truth_fields(data: Dataset, bound: BoundTask) -> list[str]:
    """Returns the fields of a task's truth. Raises `UserError` if arrays of the dataset do not hold them."""
    description, describe = bound.describe(), hooks.named(bound, 'describe')
    if not isinstance(description, Description):
        raise UserError(
            f'{describe} returns a value of type {type(description).__name__}, but an '
            '`interfaces.Description` is needed.'
        )
    for name, field in description.truth.items():
        if field in data.encoded and not _may_vary(description.kind, name):
            raise UserError(
                f'{describe} gives the field {field!r} as the truth {name!r}, but its images vary in size, '
                f'and outputs of the kind {description.kind!r} hold an array of one shape. Leave it out of '
                'the truth, or build them in one size.'
            )
        if field not in data.spec.example:
            fields = [known for known in data.spec.example if known not in data.encoded]
            raise UserError(
                f'{describe} gives the field {field!r} as the truth {name!r}, but {data.name} has no such '
                f'field. {did_you_mean(field, fields)}'
            )
    return list(dict.fromkeys(description.truth.values()))


def _may_vary(kind: str, name: str) -> bool:
    """Whether images of a dataset in their own sizes can be an array of a kind: not if they are masks."""
    if kind not in kind_folders.names():
        return True  # the check of the predictions names the kind
    field = kind_folders.declaration(kind).field(name)
    return field.may_vary and not field.below


def check_fields(data: Dataset) -> None:
    """Raises `UserError` if a field has the name of an array that the engine adds to each batch."""
    for name in RESERVED:
        if name in data.spec.example:
            raise UserError(
                f'{data.name} has a field {name!r}, but each batch gets an array of this name. Rename the '
                'field in its builder, and raise its VERSION.'
            )


def _check_memory(where: str, examples: Examples, batch_size: int) -> None:
    arrays = examples.arrays.values()
    size = batch_size * sum(array.nbytes // max(1, len(array)) for array in arrays)
    memory, _ = limits.machine_memory()
    if size > memory * MAX_BATCH_SHARE:
        raise UserError(
            f'Trainer.batch_size = {batch_size}: a batch of {size / 2**30:,.1f} GiB is too large '
            f'for the {memory / 2**30:,.1f} GiB of memory. '
            f'{where} has {len(examples):,} examples. Lower the batch size.'
        )


def _check_labels(
    where: str, examples: Examples, field: str, classes: int, ignore: int | None, needs_labels: bool
) -> None:
    """Raises `UserError` if labels are missing or are not indices of the classes."""
    labels = examples.arrays[field]
    if not classes or (is_unlabelled(labels) and not needs_labels):
        return
    if labels.dtype.kind not in 'iub':
        raise UserError(
            f'{where}: the field {field!r} of classes holds {labels.dtype}, but indices of classes are whole '
            'numbers. Let the builder state a ClassLabel.'
        )
    if labels.ndim == 1:
        check_class_indices(where, examples, field, classes)
    else:
        _check_rows(where, examples, field, classes, ignore)


def check_class_indices(where: str, examples: Examples, field: str, classes: int) -> None:
    """Raises `UserError` unless each example has a label below the number of classes."""
    labels = examples.arrays[field]
    missing = labels == UNLABELLED if labels.dtype.kind == 'i' else np.zeros(len(labels), bool)
    if missing.all():
        raise UserError(
            f'No example of {where} has a {field}: all are -1. The task needs labels in the examples that it '
            'trains on and is evaluated on.'
        )
    if missing.any():
        raise UserError(
            f'{missing.sum():,} of {len(labels):,} examples of {where} have no {field}: it is -1 for '
            f'{_ids(examples, missing)}. Leave them out of this split: a split has labels for all of its '
            'examples, or for none.'
        )
    wrong = (labels < 0) | (labels >= classes)
    if wrong.any():
        raise UserError(
            f'{wrong.sum():,} of {len(labels):,} examples of {where} have a {field} that no class has: '
            f'{_ids(examples, wrong, labels)}. The {classes} classes go from 0 to {classes - 1}. Correct the '
            'labels or the names of the classes in the builder, and raise its VERSION.'
        )


def _check_rows(where: str, examples: Examples, field: str, classes: int, ignore: int | None) -> None:
    """Raises `UserError` if a mask or a list among some evenly spaced ones holds what is not a class."""
    indices = affordable(examples.arrays[field])
    labels = examples.arrays[field][indices]
    allowed = {UNLABELLED if labels.ndim == 2 else IGNORED, ignore}  # the padding of a list, or pixels
    wrong = (labels < 0) | (labels >= classes)
    for value in allowed - {None}:
        wrong &= labels != value
    for row in np.flatnonzero(wrong.any(tuple(range(1, labels.ndim))))[:1]:
        raise UserError(
            f'{examples.ids[indices[row]]!r} of {where}: {field} holds {labels[row][wrong[row]][0]}, but the '
            f'{classes} classes go from 0 to {classes - 1}. Correct it in the builder and raise its VERSION, '
            'or bind `ignore_label` if this value marks pixels that do not count.'
        )


def affordable(array: np.ndarray, max_bytes: int = MAX_BYTES) -> np.ndarray:
    """Returns the indices of evenly spaced rows, all of them if they have at most `max_bytes`.

    >>> affordable(np.zeros((10, 4), np.uint8), max_bytes=12).tolist()
    [0, 4, 9]
    """
    size = array.nbytes // max(1, len(array))
    return spaced(len(array), max_bytes // max(1, size))


def spaced(n: int, most: int) -> np.ndarray:
    """Returns evenly spaced indices below n, int [1 to n]: at most `most`, but one at least.

    >>> spaced(10, 3).tolist()
    [0, 4, 9]
    """
    return np.linspace(0, n - 1, min(n, max(1, most))).round().astype(int)


def _ids(examples: Examples, chosen: np.ndarray, values: np.ndarray | None = None) -> str:
    """Returns the ids of the first chosen examples: `12 for 'a', 7 for 'b' and 3 more` with their values."""
    indices = np.flatnonzero(chosen)
    words = [
        (f'{values[index]} for ' if values is not None else '') + repr(examples.ids[index])
        for index in indices[:MAX_NAMED]
    ]
    more = f' and {len(indices) - MAX_NAMED:,} more' if len(indices) > MAX_NAMED else ''
    return ', '.join(words) + more
