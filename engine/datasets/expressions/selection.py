"""Some examples of a split, and the examples of several splits one after another.

Arrays are copied, because batches are gathered from arrays in memory. Images of varying size are not: only
their places are kept.
"""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate

import numpy as np

from engine.datasets.reading.dataset import EncodedImages, Examples
from engine.errors import UserError


@dataclass(frozen=True)
class EncodedRows:
    """Some images of several fields of images of varying size.

    Attributes:
      fields: the fields.
      places: for each image, its field and its index there, int64 [n, 2].
    """

    fields: tuple[EncodedImages, ...]
    places: np.ndarray

    @property
    def channels(self) -> int:
        """The number of channels of a decoded image."""
        return self.fields[0].channels

    def __len__(self) -> int:
        return len(self.places)

    def __iter__(self) -> Iterator[bytes]:
        return (self[index] for index in range(len(self)))

    def __getitem__(self, index: int) -> bytes:
        number, place = self.places[index].tolist()
        return self.fields[number][place]


def by_digest(ids: Sequence[str]) -> np.ndarray:
    """Returns the indices of ids in the order of their sha256, int64 [n].

    The order depends on each id alone: it is the same on every machine, and no class comes first.

    >>> by_digest(['a', 'b', 'c']).tolist()
    [2, 1, 0]
    """
    digests = [hashlib.sha256(each.encode()).digest() for each in ids]
    return np.array(sorted(range(len(ids)), key=digests.__getitem__), np.int64)


def selected(examples: Examples, rows: np.ndarray) -> Examples:
    """Returns some examples of a split, in the order of `rows`, int64 [n]."""
    encoded = {
        name: EncodedRows((images,), np.stack([np.zeros_like(rows), rows], axis=1))
        for name, images in examples.encoded.items()
    }
    return replace(
        examples,
        ids=[examples.ids[row] for row in rows],
        arrays={name: array[rows] for name, array in examples.arrays.items()},
        encoded=encoded,
        groups=None if examples.groups is None else examples.groups[rows],
        locate=lambda index: examples.origin(int(rows[index])),
    )


def pooled(splits: Sequence[Examples]) -> Examples:
    """Returns the examples of several splits of one dataset, one after another."""
    groups = [each.groups for each in splits if each.groups is not None]
    weights = splits[0].group_weights
    return replace(_joined(splits), groups=np.concatenate(groups) if groups else None, group_weights=weights)


def mixed(members: Sequence[Examples], labels: Sequence[str], weights: Sequence[float] = ()) -> Examples:
    """Returns the examples of several datasets, one after another.

    Args:
      members: examples with equal fields.
      labels: of the members: ids become `<label>/<id>`.
      weights: the proportions in which training draws the members. Without them all examples are alike.
    """
    ids = [f'{label}/{each}' for label, member in zip(labels, members, strict=True) for each in member.ids]
    whole = replace(_joined(members), ids=ids)
    if not weights and all(each.groups is None for each in members):
        return whole
    # A member that is weighted itself keeps its proportions: its groups share the weight of the member.
    groups = [np.zeros(len(each), np.int64) if each.groups is None else each.groups for each in members]
    shares = [np.array(each.group_weights or (1.0,), np.float64) for each in members]
    of_members = weights or [len(each) for each in members]
    shares = [weight * share / share.sum() for weight, share in zip(of_members, shares, strict=True)]
    starts = [0, *accumulate(map(len, shares))]
    numbers = np.concatenate([start + each for start, each in zip(starts, groups, strict=False)])
    return replace(whole, groups=numbers, group_weights=tuple(np.concatenate(shares).tolist()))


def _joined(members: Sequence[Examples]) -> Examples:
    """Returns the examples of several splits, one after another, with the ids that they have there."""
    places = np.concatenate([_places(number, len(each)) for number, each in enumerate(members)])
    first = members[0]
    return Examples(
        ids=[each for member in members for each in member.ids],
        arrays={name: np.concatenate([each.arrays[name] for each in members]) for name in first.arrays},
        encoded={
            name: EncodedRows(tuple(each.encoded[name] for each in members), places) for name in first.encoded
        },
        locate=lambda index: members[places[index, 0]].origin(int(places[index, 1])),
    )


def _places(number: int, n: int) -> np.ndarray:
    return np.stack([np.full(n, number, np.int64), np.arange(n)], axis=1)


def check_groups(where: str, examples: Examples) -> None:
    """Raises `UserError` if no example is left of a group that training draws."""
    for group, weight in enumerate(examples.group_weights):
        if weight and not np.any(examples.groups == group):
            raise UserError(
                f'{where} holds no example of member {group + 1} of a weighted Mixture, but training draws '
                'it. Take more examples, or make the Mixture of the selected datasets.'
            )
