"""Checks that several outputs predict the same examples of the same task."""

import numpy as np

from engine.errors import UserError
from engine.outputs import kind_folders
from engine.outputs.outputs import Outputs
from engine.outputs.pictures.sequence import equal


def check_kind(first: Outputs, other: Outputs) -> None:
    """Raises `UserError` if two outputs are of different kinds."""
    if first.kind != other.kind:
        raise UserError(
            f'{first.folder} holds outputs of kind {first.kind!r} and {other.folder} of kind {other.kind!r}: '
            'they do not fit together. Pass outputs of one kind.'
        )


def check_ids(first: Outputs, other: Outputs, remedy: str) -> None:
    """Raises `UserError`, with a remedy, if two outputs have different examples, in whatever order."""
    here, there = set(first.ids), set(other.ids)
    if here == there:
        return
    example = min(here ^ there)
    owner = first if example in here else other
    raise UserError(
        f'{first.folder} has {len(here)} examples and {other.folder} {len(there)}, of which '
        f'{len(here & there)} are the same: {example!r} is only in {owner.folder}. {remedy}'
    )


def check_classes(first: Outputs, other: Outputs) -> None:
    """Raises `UserError` if classes, or details that must be equal, differ."""
    if first.class_names and other.class_names and first.class_names != other.class_names:
        raise UserError(
            f'{first.folder} and {other.folder} have different classes. Pass outputs of the same classes.'
        )
    if first.classes and other.classes and first.classes != other.classes:
        raise UserError(
            f'{first.folder} has {first.classes} classes and {other.folder} {other.classes}. '
            'Pass outputs of the same classes.'
        )
    for name in kind_folders.declaration(first.kind).comparable_details:
        _check_same_detail(name, first, other)


def check_labels(first: Outputs, other: Outputs) -> None:
    """Raises `UserError` if labels or targets differ, for the same ids in the same order."""
    for name in kind_folders.declaration(first.kind).from_data:
        if name in first.arrays and name in other.arrays:
            _check_same(name, first, other)


def _check_same_detail(name: str, first: Outputs, other: Outputs) -> None:
    one, two = (saved.manifest.details.get(name) for saved in (first, other))
    if one != two:
        raise UserError(
            f'the detail {name} is {one} in {first.folder} and {two} in {other.folder}, so that their '
            f'numbers mean different things. Pass outputs with the same {name}.'
        )


def _check_same(name: str, first: Outputs, other: Outputs) -> None:
    one, two = first.arrays[name], other.arrays[name]
    # CPUs and GPUs round computed numbers, such as features, differently.
    if one.dtype.kind == 'f':
        is_same = one.shape == two.shape and np.allclose(one, two, equal_nan=True)
    else:
        is_same = equal(one, two)
    if not is_same:
        raise UserError(
            f'{name}.npy of {first.folder} and {other.folder} differ, although the ids are equal: the data '
            'differ. Pass outputs of the same version of a dataset.'
        )
