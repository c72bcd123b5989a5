"""The number of edits that turn one sequence into another."""

from collections.abc import Hashable, Sequence
from typing import Any


def levenshtein(first: Sequence[Hashable], second: Sequence[Hashable]) -> int:
    """Returns the least number of insertions, deletions and substitutions that turn one into the other.

    >>> levenshtein('kitten', 'sitting'), levenshtein(['a', 'b'], ['b'])
    (3, 1)

    A whole column of the table of distances is one integer with a bit per element, so that its cells are
    computed at once.

    Source: Hyyrö, A Bit-Vector Algorithm for Computing Levenshtein and Damerau Edit Distances, Nordic Journal
    of Computing 2003.
    """
    pattern, text = _without_common_ends(first, second)
    if not len(pattern) or not len(text):
        return max(len(pattern), len(text))
    places: dict[Any, int] = {}
    for place, element in enumerate(pattern):
        places[element] = places.get(element, 0) | 1 << place
    full, last = (1 << len(pattern)) - 1, 1 << (len(pattern) - 1)
    higher, lower, distance = full, 0, len(pattern)  # cells above or below their neighbour in the column
    for element in text:
        equal = places.get(element, 0)
        diagonal = ((((equal & higher) + higher) ^ higher) | equal | lower) & full
        more, fewer = lower | (full & ~(diagonal | higher)), diagonal & higher
        distance += bool(more & last) - bool(fewer & last)
        more, fewer = (more << 1 | 1) & full, fewer << 1 & full
        higher, lower = fewer | (full & ~(diagonal | more)), more & diagonal
    return distance


def _without_common_ends(
    first: Sequence[Hashable], second: Sequence[Hashable]
) -> tuple[Sequence[Hashable], Sequence[Hashable]]:
    """Returns sequences without their common start and end, which take no edits."""
    shorter, start, end = min(len(first), len(second)), 0, 0
    while start < shorter and first[start] == second[start]:
        start += 1
    while end < shorter - start and first[-1 - end] == second[-1 - end]:
        end += 1
    return first[start : len(first) - end], second[start : len(second) - end]
