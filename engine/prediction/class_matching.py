"""Labels of another dataset as indices of the classes that a task knows, matched by name."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from engine.datasets.building.labels import UNLABELLED
from engine.errors import did_you_mean

MAX_NAMED = 5  # classes that a message names


@dataclass(frozen=True)
class ClassMatch:
    """The classes of a field in another dataset, and what they are called in the run's.

    Attributes:
      names: of the classes in the other dataset, in the order of their indices; () if they have none.
      known: of the classes that the task knows.
      table: the index in `known` of each of `names`, -1 for unknown ones, int64 [names].
    """

    names: Sequence[str]
    known: Sequence[str]
    table: np.ndarray

    @classmethod
    def of(cls, names: Sequence[str], known: Sequence[str]) -> 'ClassMatch':
        """Matches classes by their names.

        >>> ClassMatch.of(['dog', 'cat'], ['cat', 'bird', 'dog'])(np.array([0, 1, 1], np.int32)).tolist()
        [2, 0, 0]
        """
        indices = {name: index for index, name in enumerate(known)}
        return cls(names, known, np.array([indices.get(name, -1) for name in names], np.int64))

    def problem(self, labels: np.ndarray) -> str:
        """Returns why labels, integers [n, ...], cannot be matched, '' if they can."""
        if not self.known:
            return ''
        if not self.names:
            return 'has classes without names'
        if labels.ndim == 1 and bool((labels == UNLABELLED).any()):
            return f'is {UNLABELLED} for {int((labels == UNLABELLED).sum()):,} of {len(labels):,} examples'
        unknown = [
            name
            for index, name in enumerate(self.names)
            if self.table[index] < 0 and bool((labels == index).any())
        ]
        if not unknown:
            return ''
        shown = ', '.join(map(repr, unknown[:MAX_NAMED])) + ', ...' * (len(unknown) > MAX_NAMED)
        one = len(unknown) == 1
        return (
            f'has the {"class" if one else "classes"} {shown}, which {"is" if one else "are"} none of the '
            f'{len(self.known)} that the run knows. {did_you_mean(unknown[0], self.known)}'.rstrip('. ')
        )

    def __call__(self, labels: np.ndarray) -> np.ndarray:
        """Returns labels as indices of the known classes, of the same dtype. Other numbers stay."""
        if not self.known or np.array_equal(self.table, np.arange(len(self.known))):
            return labels
        is_class = (labels >= 0) & (labels < len(self.table))
        return np.where(is_class, self.table[np.where(is_class, labels, 0)], labels).astype(labels.dtype)
