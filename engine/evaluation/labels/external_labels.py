"""External labels: a file whose labels, matched by id, replace the labels in the outputs."""

import hashlib
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from engine import files
from engine.errors import UserError, nearest
from engine.evaluation import kind_evaluation
from engine.evaluation.labels import label_arrays, label_lists
from engine.outputs import kind_folders, subset
from engine.outputs.check_arrays import checked
from engine.outputs.contents import MANIFEST, fingerprint
from engine.outputs.kind import Arrays, Kind
from engine.outputs.outputs import Outputs
from engine.outputs.pictures.sequence import Pictures


def _read_json(path: Path, outputs: Outputs) -> tuple[Sequence[str], Arrays]:
    return kind_evaluation.load(outputs.kind).read_json(path, outputs)


Read = Callable[[Path, Outputs], tuple[Sequence[str], Arrays]]
READERS: Mapping[str, Read] = {
    '.csv': label_lists.read,
    '.tsv': label_lists.read,
    '.txt': label_lists.read,
    '.npz': label_arrays.read,
    '.json': _read_json,
    '.jsonl': _read_json,
    '': label_arrays.read_folder,
}


def add(outputs: Outputs, path: Path, allow_more: bool = False) -> Outputs:
    """Returns outputs with the labels of a file.

    Args:
      outputs: the outputs.
      path: a list (`.csv`, `.tsv`, `.txt`), arrays (`.npz`), COCO's annotations (`.json`), or another
        outputs folder.
      allow_more: whether the file may hold further examples, which are then ignored.

    Returns:
      The outputs. `external_labels` states the file, its sha256, the sha256 of each array, the number of
      examples, and the number of examples whose labels in the outputs differ (None without labels).

    Raises:
      UserError: the file has other examples, cannot be read or has no labels of this kind.
    """
    names = kind_folders.declaration(outputs.kind).labels
    if not names:
        raise UserError(f'--labels={path}: outputs of kind {outputs.kind!r} have no label for each example.')
    ids, arrays = _reader(path)(path, outputs)
    _check_ids(path, ids, outputs, allow_more)
    labels = subset.of_ids(replace(outputs, ids=tuple(ids), arrays=arrays), outputs.ids).arrays
    predictions = {name: array for name, array in outputs.arrays.items() if name not in names}
    arrays = {**predictions, **labels}
    arrays = checked(path, outputs.manifest, arrays, len(outputs.ids))
    record = {
        'file': str(path),
        'sha256': fingerprint(path / MANIFEST if path.is_dir() else path).sha256,
        'arrays': {name: _sha256(array) for name, array in labels.items()},
        'examples': len(outputs.ids),
        'differing': _count_differing(outputs, labels),
    }
    return replace(outputs, arrays=arrays, external_labels=record)


def note(outputs: Outputs) -> str:
    """Returns a sentence on the file of external labels; '' if there is no such file."""
    record = outputs.external_labels
    if not record:
        return ''
    more = (
        f'; the labels in {outputs.folder} itself differ for {record["differing"]} of them and were not used'
    )
    return f'labels: {record["file"]}, {len(outputs.ids)} examples{more * bool(record["differing"])}'


def _reader(path: Path) -> Read:
    ending = '' if path.is_dir() else path.suffix.lower()
    if not path.exists():
        raise UserError(f'--labels={path}: no such file.{files.nearest_sibling(path)}')
    if ending not in READERS or (not ending and path.is_file()):
        raise UserError(f'--labels={path}: give a .csv, .tsv, .npz or .json file, or an outputs folder.')
    return READERS[ending]


# Ids.


def _check_ids(path: Path, ids: Sequence[str], outputs: Outputs, allow_more: bool) -> None:
    """Raises `UserError` unless the file has all examples once, and only these unless `allow_more`."""
    duplicates = [identity for identity, count in Counter(ids).items() if count > 1]
    if duplicates:
        raise UserError(f'{path}: {_shown(duplicates)} occurs more than once. Give each example once.')
    given, wanted = set(ids), set(outputs.ids)
    if not given & wanted:
        raise UserError(
            f'{path} has none of the {len(wanted)} examples of {outputs.folder}: it has {ids[0]!r} and '
            f'others instead of {outputs.ids[0]!r} and others. Give the list of the same split.'
        )
    missing = [identity for identity in outputs.ids if identity not in given]
    if missing:
        raise UserError(
            f'{path} lacks {_shown(missing)} of {outputs.folder}.{_hint(missing[0], given - wanted)} '
            'Give the labels of all examples.'
        )
    unknown = [identity for identity in ids if identity not in wanted]
    if unknown and not allow_more:
        raise UserError(
            f'{path} has {_shown(unknown)} that {outputs.folder} lacks, so only a part of that list would be '
            'scored. Predict the others too, or take these out of the list.'
        )


def _shown(ids: Sequence[str]) -> str:
    more = f' and {len(ids) - 1} more' if len(ids) > 1 else ''
    return f'example {ids[0]!r}{more}'


def _hint(name: str, candidates: Iterable[str]) -> str:
    close = nearest(name, candidates, count=1)
    return f' The nearest id in it is {close[0]!r}.' if close else ''


# The record.


def _sha256(array: Any) -> str:
    if isinstance(array, Pictures):
        return hashlib.sha256(''.join(map(_sha256, array)).encode()).hexdigest()
    return hashlib.sha256(np.ascontiguousarray(array).data).hexdigest()


def _count_differing(outputs: Outputs, labels: Arrays) -> int | None:
    """Returns the number of examples whose labels in the outputs differ; None without labels."""
    declared = kind_folders.declaration(outputs.kind)
    names = [name for name in labels if name in declared.labels and name not in declared.may_lack]
    if not all(name in outputs.arrays for name in names):
        return None
    own = {name: outputs.arrays[name] for name in names}
    given = {name: labels[name].astype(array.dtype) for name, array in own.items()}
    first, second = (
        _facts(subset.of_ids(replace(outputs, arrays=arrays), outputs.ids)) for arrays in (own, given)
    )
    return len({example for example, _ in first ^ second})


def _facts(outputs: Outputs) -> set[tuple[int, tuple[str, ...]]]:
    """Returns digests of the labels of all examples, boxes or texts, because masks are large."""
    declared = kind_folders.declaration(outputs.kind)
    owners = [outputs.arrays[name] for name in declared.owners if name in outputs.arrays]
    examples = owners[0].tolist() if owners else range(len(outputs.ids))
    labels = [_by_row(declared, outputs.arrays, name) for name in outputs.arrays]
    return {(example, tuple(map(_sha256, row))) for example, *row in zip(examples, *labels, strict=True)}


def _by_row(declared: Kind, arrays: Arrays, name: str) -> Sequence[np.ndarray]:
    """Returns an array row by row; the entries that lengths divide as one row for each length."""
    lengths = declared.lengths.get(declared.rows(name), '')
    if lengths not in arrays:
        return arrays[name]  # type: ignore[return-value] (an array is a sequence of its rows)
    return np.split(arrays[name], np.cumsum(subset.entries(arrays[lengths]))[:-1])
