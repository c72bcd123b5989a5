"""How well the neighbours of each query share its class."""

from dataclasses import dataclass

import numpy as np

from engine.kinds.embeddings.neighbours import Neighbours, Space, search


@dataclass(frozen=True)
class Embedded:
    """The examples to evaluate.

    Attributes:
      space: their embeddings.
      labels: class or instance of each, int [n]; None if unknown.
      queries: rows of the queries, int [q].
      gallery: rows among which neighbours are searched, int [g].
      names: the name of the label of each example; () without labels.
    """

    space: Space
    labels: np.ndarray | None
    queries: np.ndarray
    gallery: np.ndarray
    names: tuple[str, ...]

    @property
    def relevant(self) -> np.ndarray:
        """The number of other examples in the gallery with the label of each query, int [q]."""
        if self.labels is None:
            return np.zeros(len(self.queries), int)
        classes, counts = np.unique(self.labels[self.gallery], return_counts=True)
        labels = self.labels[self.queries]
        places = np.minimum(np.searchsorted(classes, labels), len(classes) - 1)
        found = np.where(classes[places] == labels, counts[places], 0)
        return found - np.isin(self.queries, self.gallery)

    def spread_out(self, values: np.ndarray) -> np.ndarray:
        """Returns values of the queries, f64 [q], as values of all examples, [n]; NaN for the gallery."""
        result = np.full(len(self.space.vectors), np.nan)
        result[self.queries] = values
        return result


@dataclass(frozen=True)
class Retrieval:
    """What was found for each query.

    Attributes:
      scores: metric to the score of each query, f64 [q]; NaN where nothing could be found. {} without labels.
      nearest: row of the nearest neighbour of each query, int [q].
      closeness: its closeness, f64 [q].
    """

    scores: dict[str, np.ndarray]
    nearest: np.ndarray
    closeness: np.ndarray

    def scores_of_all(self, embedded: Embedded) -> dict[str, np.ndarray]:
        """Returns the scores of all examples, f64 [n]; NaN for the gallery."""
        return {name: embedded.spread_out(values) for name, values in self.scores.items()}


def retrieve(embedded: Embedded, recalls: tuple[int, ...], voters: int) -> Retrieval:
    """Searches the neighbours of all queries.

    Args:
      embedded: the examples.
      recalls: values of k of recall at k.
      voters: number of neighbours that vote for a class.
    """
    relevant, labels = embedded.relevant, embedded.labels
    counts = np.maximum(max(*recalls, voters), relevant) if labels is not None else relevant + 1
    found = search(embedded.space, labels, embedded.queries, embedded.gallery, counts)
    nearest, closeness, rows = [], [], []
    for neighbours, others in zip(found, relevant.tolist(), strict=True):
        nearest.append(neighbours.rows[0])
        closeness.append(neighbours.closeness[0])
        if labels is not None:
            rows.append(_scores(neighbours, labels, others, recalls, voters))
    names = [*(f'recall_at_{k}' for k in recalls), 'map_at_r', 'knn_accuracy']
    scores = dict(zip(names, np.array(rows, np.float64).T, strict=True)) if rows else {}
    scores = {name: np.where(relevant > 0, score, np.nan) for name, score in scores.items()}
    return Retrieval(scores, np.array(nearest, int), np.array(closeness))


def _scores(
    neighbours: Neighbours, labels: np.ndarray, relevant: int, recalls: tuple[int, ...], voters: int
) -> list[float]:
    """Returns the scores of one query: recall at each k, average precision at R, whether k-NN is right."""
    found, own = labels[neighbours.rows], labels[neighbours.query]
    hits = found == own
    recalled = [float(hits[:k].any()) for k in recalls]
    first = hits[:relevant]
    precisions = np.cumsum(first) / np.arange(1, len(first) + 1)
    average = float((first * precisions).sum() / max(relevant, 1))
    others = found[:voters][~hits[:voters]]
    most = np.unique(others, return_counts=True)[1].max(initial=0)
    return [*recalled, average, float(hits[:voters].sum() > most)]
