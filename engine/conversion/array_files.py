"""Converts arrays that a trainer saved: `.npz` files, or `.npy` files of one array each."""

import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from engine.conversion import class_scores
from engine.conversion.converted import Converted, numbered
from engine.conversion.roles import find, origins, unused
from engine.errors import UserError
from engine.kinds import dense, multilabel
from engine.kinds.multilabel import MISSING

# What people call the scores of classes in files of arrays; in a table, such a column is a single score.
SCORES = ('scores', 'y_score', 'y_prob')
EMBEDDINGS = ('embeddings', 'embedding', 'features')


def convert(
    paths: Sequence[Path], columns: Mapping[str, str], class_names: Sequence[str], kind: str
) -> Converted:
    """Converts arrays.

    Args:
      paths: an `.npz` file, or `.npy` files that are called as the arrays in such a file.
      columns: names of the arrays for the roles 'prediction', 'label' and 'id', where not the usual ones.
      class_names: names of the classes, or ().
      kind: the kind, or '' to recognise it by dtypes and shapes.

    Raises:
      UserError: an array is missing, or its dtype or shape fits no kind.
    """
    arrays = {name: array for path in paths for name, array in _load(path).items()}
    roles = find(paths[0], arrays, columns)
    usual = filter(arrays.__contains__, (*SCORES, *EMBEDDINGS))
    name = roles['prediction'] = roles['prediction'] or next(usual, None)
    if not name:
        raise UserError(
            f'{paths[0]} has no array of predictions; it has {", ".join(arrays)}. '
            'Name it with --column=prediction=NAME.'
        )
    labels = arrays[roles['label']] if roles['label'] else None
    kind = kind or ('embeddings' if name in EMBEDDINGS else _kind(arrays[name], labels, class_names))
    converted, notes = _CONVERSIONS[kind](paths[0], name, arrays[name], labels)
    ids = _ids(arrays.get(roles['id'] or ''), len(arrays[name]))
    notes = [f'kind: {kind}', *origins(roles, 'array'), *notes, *unused(arrays, roles.values())]
    return Converted(kind, converted, ids, class_names, notes)


def _load(path: Path) -> dict[str, np.ndarray]:
    try:
        content = np.load(path, allow_pickle=False)
        arrays = (
            {path.stem: content}
            if isinstance(content, np.ndarray)
            else {name: content[name] for name in content}
        )
    except (ValueError, OSError, EOFError, zipfile.BadZipFile, KeyError) as error:
        raise UserError(
            f'{path} cannot be read as plain NumPy arrays: {error}. '
            'Save arrays of numbers with np.savez(file, predictions=..., labels=...).'
        ) from error
    return arrays


def _ids(array: np.ndarray | None, count: int) -> list[str]:
    return numbered(count) if array is None else [str(value) for value in array.tolist()]


def _kind(predictions: np.ndarray, labels: np.ndarray | None, class_names: Sequence[str]) -> str:
    """Returns the kind of arrays.

    Numbers of pixels are dense values. Labels of several classes belong to several labels per example.
    Labels that are integers belong to classes, and so does one label per row of scores. All else is a
    regression.
    """
    if predictions.ndim >= 3 and predictions.dtype.kind in 'iub':
        return 'segmentation'
    if predictions.ndim >= 3 and (labels is None or labels.dtype.kind == 'f'):
        return 'dense'
    if labels is not None and _has_several_labels(predictions, labels):
        return 'multilabel'
    if labels is not None and predictions.ndim == 2 and predictions.shape[1] > 1 == labels[:1].size:
        return 'classification'
    whole = predictions if labels is None else labels
    if whole.dtype.kind in 'iub' or (class_names and labels is None):
        return 'classification'
    return 'regression'


def _has_several_labels(predictions: np.ndarray, labels: np.ndarray) -> bool:
    """Whether labels say 1, 0 or unknown of each class, and not exactly 1 of one class in each row."""
    if labels.shape != predictions.shape or labels.ndim != 2 or labels.shape[1] < 2:
        return False
    known = np.nan_to_num(labels.astype(np.float64), nan=MISSING)
    plain = np.isin(known, (MISSING, 0, 1)).all()
    return bool(plain) and not ((known.sum(axis=1) == 1) & (known >= 0).all(axis=1)).all()


def _classification(
    path: Path, name: str, predictions: np.ndarray, labels: np.ndarray | None
) -> tuple[dict[str, np.ndarray], list[str]]:
    truth = {} if labels is None else {'labels': _one_axis(path, labels)}
    if predictions.dtype.kind in 'iub' and predictions.ndim == 1:
        return {'predicted': predictions.astype(np.int64), **truth}, ['Hard labels alone: no probabilities.']
    if predictions.ndim == 2 and predictions.shape[1] > 1:
        array, scores, note = class_scores.named(predictions.astype(np.float64))
        return {array: scores.astype(np.float32), **truth}, [note]
    scores = predictions.reshape(len(predictions), -1).astype(np.float64)
    if scores.shape[1] == 1 and ((scores >= 0) & (scores <= 1)).all():
        both = np.concatenate([1 - scores, scores], axis=1).astype(np.float32)
        return {'probabilities': both, **truth}, ['One score per row: the probability of the second class.']
    raise UserError(
        f'{path}: {name} has shape {predictions.shape}. Classification needs scores [n, classes], hard '
        'labels [n] as integers, or the probability of the second class [n].'
    )


def _one_axis(path: Path, labels: np.ndarray) -> np.ndarray:
    """Returns labels as whole numbers [n]; labels with one column per class are one-hot."""
    if labels.ndim == 2 and labels.shape[1] > 1:
        if not ((labels == 0) | (labels == 1)).all() or not (labels.sum(axis=1) == 1).all():
            raise UserError(f'{path}: the labels have shape {labels.shape}, but are not one-hot.')
        return labels.argmax(axis=1)
    flat = labels.reshape(len(labels), -1)
    if flat.shape[1] != 1 or (flat != np.round(flat)).any():
        raise UserError(f'{path}: the labels are not whole numbers [n]. Is it --kind=regression?')
    return flat[:, 0].astype(np.int64)


def _regression(
    path: Path, name: str, predictions: np.ndarray, labels: np.ndarray | None
) -> tuple[dict[str, np.ndarray], list[str]]:
    values = predictions.reshape(len(predictions), -1).astype(np.float32)
    if labels is None:
        return {'values': values}, []
    targets = labels.reshape(len(labels), -1).astype(np.float32)
    if targets.shape != values.shape:
        raise UserError(f'{path}: {name} has shape {predictions.shape} and the labels {labels.shape}.')
    return {'values': values, 'targets': targets}, []


def _segmentation(
    path: Path, name: str, predictions: np.ndarray, labels: np.ndarray | None
) -> tuple[dict[str, np.ndarray], list[str]]:
    if predictions.dtype.kind == 'f':
        raise UserError(f'{path}: {name} holds scores. Save the class of each pixel as integers [n, h, w].')
    return {'masks': predictions} | ({} if labels is None else {'targets': labels}), []


def _multilabel(
    path: Path, name: str, predictions: np.ndarray, labels: np.ndarray | None
) -> tuple[dict[str, np.ndarray], list[str]]:
    if predictions.ndim != 2 or (labels is not None and labels.shape != predictions.shape):
        raise UserError(f'{path}: {name} has shape {predictions.shape}. Give scores and labels [n, classes].')
    is_probability = ((predictions >= 0) & (predictions <= 1)).all()
    scores = 'probabilities' if is_probability else 'logits'
    arrays = {scores: predictions.astype(np.float32)} | ({} if labels is None else {'targets': labels})
    note = 'from 0 to 1: they are probabilities' if is_probability else 'not from 0 to 1: they are logits'
    return multilabel.pack(arrays), [f'The scores are {note}.']


def _embeddings(
    path: Path, name: str, predictions: np.ndarray, labels: np.ndarray | None
) -> tuple[dict[str, np.ndarray], list[str]]:
    if predictions.ndim != 2 or predictions.dtype.kind not in 'iuf':
        raise UserError(f'{path}: {name} has shape {predictions.shape}. Give a vector per row, [n, d].')
    return {'embeddings': predictions} | ({} if labels is None else {'labels': _one_axis(path, labels)}), []


def _dense(
    path: Path, name: str, predictions: np.ndarray, labels: np.ndarray | None
) -> tuple[dict[str, np.ndarray], list[str]]:
    arrays = {'values': predictions} | ({} if labels is None else {'targets': labels})
    packed = dense.pack(arrays)
    if any(array.ndim != 4 for array in packed.values()):
        raise UserError(f'{path}: {name} has shape {predictions.shape}. Give [n, h, w] or [n, h, w, c].')
    return packed, []


_CONVERSIONS = {
    'classification': _classification,
    'dense': _dense,
    'embeddings': _embeddings,
    'multilabel': _multilabel,
    'regression': _regression,
    'segmentation': _segmentation,
}
