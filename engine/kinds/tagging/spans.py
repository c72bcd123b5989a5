"""Spans of tokens, such as the names of persons, from tags such as B-PER and I-PER.

The rules are those of conlleval and of seqeval's default mode: a span begins at a B- or S- tag, at any other
tag after O or after a tag of another type, and after an E- or S- tag. I- tags without a B- tag begin a span.
Letters in shapes: t tokens, k spans.

Source: Tjong Kim Sang and De Meulder, Introduction to the CoNLL-2003 Shared Task, 2003; its conlleval script.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

_TAG = re.compile('([BIESLU])-(.+)')
# Inside a span; begins one in any case; ends one in any case. L and U are other names of E and S.
_BEGINS, _ENDS = frozenset('BSU'), frozenset('ESLU')


@dataclass(frozen=True)
class SpanTags:
    """What the names of tags say of spans.

    Attributes:
      types: the types of spans, such as 'PER', in the order of the tags.
      type_of: type of each tag, int [classes]; -1 for tags outside of spans, such as O.
      begins: whether a tag begins a span in any case, bool [classes].
      ends: whether a tag ends a span in any case, bool [classes].
    """

    types: tuple[str, ...]
    type_of: np.ndarray
    begins: np.ndarray
    ends: np.ndarray

    @classmethod
    def of(cls, class_names: Sequence[str]) -> 'SpanTags | None':
        """Returns what names such as B-PER and I-PER say; None if there is no such pair."""
        matches = [_TAG.fullmatch(name) for name in class_names]
        if not any(match and match[1] == 'B' and f'I-{match[2]}' in class_names for match in matches):
            return None
        types = tuple(dict.fromkeys(match[2] for match in matches if match))
        return cls(
            types,
            np.array([types.index(match[2]) if match else -1 for match in matches]),
            np.array([bool(match) and match[1] in _BEGINS for match in matches]),  # type: ignore[index]
            np.array([bool(match) and match[1] in _ENDS for match in matches]),  # type: ignore[index]
        )


@dataclass(frozen=True)
class Spans:
    """The spans of a flat list of tokens.

    Attributes:
      first: first token of each, int [k].
      last: last token of each, int [k].
      type: type of each, int [k].
    """

    first: np.ndarray
    last: np.ndarray
    type: np.ndarray

    def among(self, other: 'Spans', tokens: int) -> np.ndarray:
        """Returns which of the spans are spans of the other list too, bool [k]."""
        last, kind = np.full((2, tokens), -1)
        last[other.first], kind[other.first] = other.last, other.type
        return (last[self.first] == self.last) & (kind[self.first] == self.type)


def find(tags: np.ndarray, rows: np.ndarray, known: SpanTags) -> Spans:
    """Returns the spans of tokens.

    Args:
      tags: tag of each token, int [t].
      rows: sequence of each token, int [t], ascending. A span lies within one sequence.
      known: what the tags say.
    """
    types = known.type_of[tags]
    inside = types >= 0
    follows = np.zeros(len(tags), bool)  # whether a token continues the span of the token before it
    follows[1:] = (
        inside[1:]
        & (types[1:] == types[:-1])
        & (rows[1:] == rows[:-1])
        & ~known.begins[tags[1:]]
        & ~known.ends[tags[:-1]]
    )
    first = np.flatnonzero(inside & ~follows)
    last = np.flatnonzero(inside & ~np.append(follows[1:], False))
    return Spans(first, last, types[first])
