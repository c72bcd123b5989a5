"""Reads and checks outputs of kind `embeddings`."""

import numpy as np

from engine.errors import UserError, did_you_mean
from engine.kinds.embeddings.neighbours import DISTANCES, Space
from engine.kinds.embeddings.retrieval import Embedded
from engine.outputs.outputs import Outputs

DISTANCE = 'distance'  # the detail of the manifest that names it


def read(outputs: Outputs) -> Embedded:
    """Returns the examples, their queries and their gallery.

    Raises:
      UserError: there are fewer than two examples, numbers that are not finite, no queries or no gallery, or
        the detail `distance` is unknown.
    """
    embeddings = np.asarray(outputs.arrays['embeddings'])
    _check(outputs, embeddings)
    labels = np.asarray(outputs.arrays['labels']) if 'labels' in outputs.arrays else None
    queries, gallery = _split(outputs)
    return Embedded(
        Space.of(embeddings, _distance(outputs)), labels, queries, gallery, _names(outputs, labels)
    )


def notes(outputs: Outputs, embedded: Embedded) -> list[str]:
    """Returns sentences on embeddings of zeros, equal embeddings, and what needs labels."""
    embeddings = np.asarray(outputs.arrays['embeddings'])
    zero, n = int((embeddings == 0).all(axis=1).sum()), len(embeddings)
    equal = n - len({row.tobytes() for row in embeddings})
    sentences = []
    if zero and embedded.space.distance == 'cosine':
        sentences.append(f'{zero:,} of {n:,} embeddings are zeros. Their similarity to all others is 0.')
    if equal:
        sentences.append(f'{equal:,} of {n:,} embeddings are equal to an earlier one.')
    if embedded.labels is None:
        sentences.append('Retrieval, k-NN, the linear probe and alignment are left out: there are no labels.')
    return sentences


def _check(outputs: Outputs, embeddings: np.ndarray) -> None:
    n, width = embeddings.shape
    if n < 2 or not width:
        raise UserError(
            f'{outputs.folder}: embeddings.npy holds {n} examples of {width} numbers, but at least 2 '
            'examples of 1 number are needed.'
        )
    bad = np.flatnonzero(~np.isfinite(embeddings).all(axis=1))
    if bad.size:
        raise UserError(
            f'{outputs.folder}: embeddings.npy holds NaN or infinity for {bad.size} of {n} examples, the '
            f'first of them {outputs.ids[bad[0]]!r}. Look for where the model diverged.'
        )


def _distance(outputs: Outputs) -> str:
    distance = outputs.manifest.details.get(DISTANCE, DISTANCES[0])
    if distance not in DISTANCES:
        raise UserError(
            f'{outputs.folder}: the detail {DISTANCE!r} is {distance!r:.100}. '
            f'{did_you_mean(distance, DISTANCES)}'
        )
    return distance


def _split(outputs: Outputs) -> tuple[np.ndarray, np.ndarray]:
    """Returns the rows of queries and of the gallery. Without `is_query`, each is searched in all others."""
    if 'is_query' not in outputs.arrays:
        rows = np.arange(len(outputs.ids))
        return rows, rows
    is_query = np.asarray(outputs.arrays['is_query'])
    if is_query.all() or not is_query.any():
        missing = 'gallery' if is_query.all() else 'query'
        raise UserError(
            f'{outputs.folder}: is_query.npy is {is_query[0]} for all examples, so there is no {missing}. '
            'Leave the array out to search each example in all others.'
        )
    return np.flatnonzero(is_query), np.flatnonzero(~is_query)


def _names(outputs: Outputs, labels: np.ndarray | None) -> tuple[str, ...]:
    if labels is None:
        return ()
    names = outputs.class_names
    return tuple(names[label] if names else str(label) for label in labels.tolist())
