"""Truth that comes later: a file beside the outputs, matched by id and used in place of their own."""

import hashlib
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from engine.errors import UserError, nearest
from engine.evaluation.labels import label_arrays, label_lists
from engine.kinds.detection import coco
from engine.outputs import kind, outputs, subset
from engine.outputs.outputs import Outputs

Read = Callable[[Path, Outputs], tuple[Sequence[str], Mapping[str, np.ndarray]]]
READERS: Mapping[str, Read] = {
    '.csv': label_lists.read,
    '.npz': label_arrays.read,
    '.json': coco.read,
    '': label_arrays.read_folder,
}


@dataclass(frozen=True)
class Labelled(Outputs):
    """Outputs with the truth that a file states.

    Attributes:
      labels: what was used: the file, its sha256 and that of each array, how many examples, and for how many
        of them the outputs themselves say otherwise (None: nothing).
    """

    labels: Mapping[str, Any]


def require(found: Outputs, *names: str) -> None:
    """Raises `UserError` unless outputs hold these arrays, without which nothing can be compared."""
    for name in names:
        if name not in found.arrays:
            raise UserError(
                f'{found.folder}: no {name}.npy, so there is nothing to compare with. Give the truth with '
                '--labels, or evaluate a split of which it is known.'
            )


def add(found: Outputs, path: Path, part: bool = False) -> Labelled:
    """Returns outputs with the truth that a file states; it wins over their own.

    Args:
      found: outputs that were read.
      path: a list (`.csv`), arrays (`.npz`), COCO's annotations (`.json`), or another outputs folder.
      part: whether the file may be about more examples than the outputs.

    Raises:
      UserError: the file is not about the same examples, cannot be read or is no truth of this kind.
    """
    truths = label_arrays.names(found.kind)
    if not truths:
        raise UserError(f'--labels={path}: outputs of kind {found.kind!r} have no truth for each example.')
    ids, arrays = _reader(path)(path, found)
    _check_ids(path, ids, found, part)
    given = subset.of_ids(replace(found, ids=tuple(ids), arrays=arrays), found.ids)
    predictions = {name: each for name, each in found.arrays.items() if name not in truths}
    together = {**predictions, **given.arrays}
    kind.check(path, found.kind, together, len(found.ids), len(found.class_names))
    record = {
        'file': str(path),
        'sha256': outputs.fingerprint(path / outputs.MANIFEST if path.is_dir() else path)['sha256'],
        'arrays': {name: _sha256(array) for name, array in given.arrays.items()},
        'examples': len(found.ids),
        'differing': _differing(found, given),
    }
    return Labelled(**{**vars(found), 'arrays': together, 'labels': record})


def said(found: Outputs) -> str:
    """Returns a sentence on the truth that was given; '' if the outputs have their own."""
    if not isinstance(found, Labelled):
        return ''
    differing = found.labels['differing']
    more = f'; those of {found.folder} itself differ for {differing} of them and were not used'
    return f'labels: {found.labels["file"]}, {len(found.ids)} examples{more * bool(differing)}'


def _reader(path: Path) -> Read:
    ending = '' if path.is_dir() else path.suffix.lower()
    if not path.exists():
        beside = [each.name for each in path.parent.iterdir()] if path.parent.is_dir() else []
        close = nearest(path.name, beside)
        hint = f' Did you mean {path.with_name(close[0])}?' if close else ''
        raise UserError(f'--labels={path}: no such file.{hint}')
    if ending not in READERS or (not ending and path.is_file()):
        raise UserError(f'--labels={path}: give a .csv, .npz or .json file, or an outputs folder.')
    return READERS[ending]


# Ids.


def _check_ids(path: Path, ids: Sequence[str], found: Outputs, part: bool) -> None:
    """Raises `UserError` unless each example of the outputs is there once, and unless `part` nothing else."""
    doubled = [each for each, count in Counter(ids).items() if count > 1]
    if doubled:
        raise UserError(f'{path}: {_shown(doubled)} twice or more. Give each example once.')
    given, wanted = set(ids), set(found.ids)
    if not given & wanted:
        raise UserError(
            f'{path} has none of the {len(wanted)} examples of {found.folder}: it has {ids[0]!r} and others '
            f'where {found.ids[0]!r} and others are wanted. Give the list of the same split.'
        )
    missing = [each for each in found.ids if each not in given]
    if missing:
        raise UserError(
            f'{path} lacks {_shown(missing)} of {found.folder}.{_hint(missing[0], given - wanted)} '
            'Give the labels of all examples.'
        )
    unknown = [each for each in ids if each not in wanted]
    if unknown and not part:
        raise UserError(
            f'{path} has {_shown(unknown)} that {found.folder} lacks: scores would be of a part of that list '
            'alone. Predict the rest too, or take these out of the list.'
        )


def _shown(ids: Sequence[str]) -> str:
    more = f' and {len(ids) - 1} more' if len(ids) > 1 else ''
    return f'example {ids[0]!r}{more}'


def _hint(name: str, candidates: Iterable[str]) -> str:
    close = nearest(name, candidates, count=1)
    return f' The nearest in it that {name!r} could be is {close[0]!r}.' if close else ''


# The record.


def _sha256(array: np.ndarray) -> str:
    return hashlib.sha256(np.ascontiguousarray(array).data).hexdigest()


def _differing(found: Outputs, given: Outputs) -> int | None:
    """Returns for how many examples the truths differ; None where there is only one of them."""
    own = {name: array for name, array in found.arrays.items() if name in given.arrays}
    if own.keys() != given.arrays.keys():
        return None
    facts = [_facts(subset.of_ids(replace(found, arrays=each), found.ids)) for each in (own, given.arrays)]
    return len({example for example, _ in facts[0] ^ facts[1]})


def _facts(found: Outputs) -> set[tuple[int, tuple[str, ...]]]:
    """Returns each row of the truth with its example, by digests: masks are large."""
    fields = kind.KINDS[found.kind].arrays
    owner = next((array for name, array in found.arrays.items() if fields[name].below == 'n'), None)
    facts = zip(*found.arrays.values(), strict=True)
    examples = range(len(found.ids)) if owner is None else owner.tolist()
    return {
        (example, tuple(_sha256(each) for each in fact))
        for example, fact in zip(examples, facts, strict=True)
    }
