"""Embeddings against scikit-learn and slow loops, on random and edge cases, and what is refused.

Longer by hand: FUZZ=500 scripts/test.sh tests/engine/kinds/embeddings/test_evaluate.py
"""

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.linear_model import LogisticRegression
from sklearn.metrics.pairwise import cosine_similarity, euclidean_distances
from sklearn.model_selection import StratifiedKFold
from sklearn.preprocessing import StandardScaler

from engine import outputs
from engine.errors import UserError
from engine.evaluation.evaluator import Evaluator
from engine.evaluation.results.bootstrap import Bootstrap
from engine.kinds.embeddings import agreement, neighbours, plane
from engine.kinds.embeddings.evaluate import EmbeddingsEvaluation
from engine.outputs.outputs import Outputs
from tests.engine.random_cases import random_cases

BOOTSTRAP = Bootstrap(100, 0.95, 0)
RETRIEVAL = ('recall_at_1', 'recall_at_5', 'recall_at_10', 'map_at_r', 'knn_accuracy')


def random_embeddings(seed: int) -> dict[str, np.ndarray]:
    """Returns embeddings and labels: with ties, zeros, duplicates, one class, classes with one member."""
    random = np.random.default_rng(seed)
    n, d = int(random.choice([2, 3, 8, 40])), int(random.choice([1, 2, 5]))
    classes = int(random.choice([1, 2, 4, 30]))
    labels = random.integers(classes, size=n).astype(np.int32) * 7
    embeddings = random.normal(size=(n, d)) + labels[:, np.newaxis] / 20
    embeddings = embeddings.round() if random.random() < 0.5 else embeddings
    embeddings[random.random(n) < random.choice([0, 0.3, 1])] = random.choice([0.0, 1.0])
    arrays = {'embeddings': embeddings.astype(np.float32), 'labels': labels}
    if random.random() < 0.5:
        arrays['is_query'] = np.roll(np.arange(n) < random.integers(1, n), random.integers(n))
    return arrays


def report(arrays: dict[str, np.ndarray], bootstrap: Bootstrap = BOOTSTRAP, **manifest: Any) -> Any:
    ids = tuple(f'e{index}' for index in range(len(arrays['embeddings'])))
    saved = Outputs(Path('it'), outputs.Manifest('embeddings', **manifest), ids, arrays)
    return EmbeddingsEvaluation().report(saved, bootstrap)


def values(arrays: dict[str, np.ndarray], **manifest: Any) -> dict[str, float]:
    return {name: metric.value for name, metric in report(arrays, **manifest).metrics.items()}


def closeness(embeddings: np.ndarray, distance: str) -> np.ndarray:
    """Returns how close all pairs are, by scikit-learn, f64 [n, n]."""
    wide = embeddings.astype(np.float64)
    return cosine_similarity(wide) if distance == 'cosine' else -euclidean_distances(wide)


def slow(arrays: dict[str, np.ndarray], distance: str) -> dict[str, float]:
    """Returns the metrics of retrieval, one query at a time, by sorting all of the gallery."""
    labels, close = arrays['labels'], closeness(arrays['embeddings'], distance)
    n = len(labels)
    is_query = arrays.get('is_query')
    scores: dict[str, list[float]] = {name: [] for name in RETRIEVAL}
    for query in range(n):
        if is_query is not None and not is_query[query]:
            continue
        gallery = [row for row in range(n) if row != query and (is_query is None or not is_query[row])]
        right = [row for row in gallery if labels[row] == labels[query]]
        if not right:
            continue
        ranking = sorted(gallery, key=lambda row: (-round(close[query, row], 9), row in right, row))
        hits = [row in right for row in ranking]
        for k in (1, 5, 10):
            scores[f'recall_at_{k}'].append(float(any(hits[:k])))
        precisions = [sum(hits[: place + 1]) / (place + 1) for place in range(len(right)) if hits[place]]
        scores['map_at_r'].append(sum(precisions) / len(right))
        votes: dict[int, int] = {}
        for row in ranking[:5]:
            votes[labels[row]] = votes.get(labels[row], 0) + 1
        own = votes.pop(labels[query], 0)
        scores['knn_accuracy'].append(float(own > max(votes.values(), default=0)))
    return {name: sum(each) / len(each) if each else math.nan for name, each in scores.items()}


@random_cases(20)
@given(seed=st.integers(0, 2**32), distance=st.sampled_from(['cosine', 'euclidean']))
def test_retrieval_of_random_embeddings(seed: int, distance: str) -> None:
    arrays = random_embeddings(seed)
    result = values(arrays, details={'distance': distance})
    expected = slow(arrays, distance)
    assert {name: result[name] for name in expected} == pytest.approx(expected, abs=1e-9, nan_ok=True)


def test_blocks_of_queries_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    random = np.random.default_rng(0)
    arrays = {
        'embeddings': random.normal(size=(60, 4)).astype(np.float32).round(1),
        'labels': random.integers(5, size=60).astype(np.int32),
    }
    whole = values(arrays)
    monkeypatch.setattr(neighbours, '_BLOCK_PAIRS', 100)
    assert values(arrays) == whole


def test_a_network_that_maps_all_to_one_point_finds_nothing() -> None:
    """Though the examples are sorted by class, so that the first ones would be right."""
    labels = np.repeat(np.arange(4), 5).astype(np.int32)
    collapsed = {'embeddings': np.ones((20, 3), np.float32), 'labels': labels}
    result = report(collapsed)
    assert {result.metrics[name].value for name in RETRIEVAL} == {0.0}
    assert result.metrics['effective_rank'].value == pytest.approx(1)
    assert result.metrics['uniformity'].value == 0
    assert '19 of 20 embeddings are equal to an earlier one.' in result.footnotes


def test_rounding_does_not_break_ties() -> None:
    """Multiples of one vector are equally similar, whatever the last bits of their products are."""
    random = np.random.default_rng(0)
    vectors = random.normal(size=(1, 64)) * random.integers(1, 2**8, size=(60, 1))
    arrays = {'embeddings': vectors, 'labels': np.repeat(np.arange(2), 30).astype(np.int32)}
    assert {values(arrays)[name] for name in RETRIEVAL} == {0.0}


@pytest.mark.parametrize('factor', [1e-30, 1.0, 1e30])
def test_scale_and_place_do_not_matter(factor: float) -> None:
    arrays = random_embeddings(12)
    far = arrays | {'embeddings': (arrays['embeddings'].astype(np.float64) + 3) * factor}
    near = arrays | {'embeddings': arrays['embeddings'].astype(np.float64) + 3}
    for distance in neighbours.DISTANCES:
        one, other = (values(each, details={'distance': distance}) for each in (far, near))
        assert one == pytest.approx(other, rel=1e-6, nan_ok=True)


def test_the_linear_probe_is_that_of_scikit_learn() -> None:
    random = np.random.default_rng(0)
    labels = random.integers(3, size=90).astype(np.int32)
    embeddings = (random.normal(size=(90, 4)) + labels[:, np.newaxis] * [1, 0, 0.5, 0]).astype(np.float64)
    right = np.zeros(90)
    for train, test in StratifiedKFold(5, shuffle=True, random_state=0).split(embeddings, labels):
        scaler = StandardScaler().fit(embeddings[train])
        model = LogisticRegression(max_iter=1000).fit(scaler.transform(embeddings[train]), labels[train])
        right[test] = model.predict(scaler.transform(embeddings[test])) == labels[test]
    arrays = {'embeddings': embeddings, 'labels': labels}
    assert values(arrays)['linear_probe'] == pytest.approx(right.mean(), abs=1e-9)
    assert values(arrays) == values(arrays)


def test_small_classes_are_left_out_of_the_probe_and_named() -> None:
    labels = np.array([0] * 6 + [1] * 6 + [2] * 3 + [3], np.int32)
    result = report({'embeddings': np.eye(16, dtype=np.float32) * (1 + labels), 'labels': labels})
    assert any('leaves out 4 examples of classes with fewer than 5' in note for note in result.footnotes)
    assert any('1 queries do not count' in note for note in result.footnotes)
    assert result.tables['per_example']['linear_probe'].isna().sum() == 4


@pytest.mark.parametrize('seed', range(8))
def test_geometry_against_loops(seed: int) -> None:
    arrays = random_embeddings(seed)
    wide, labels = arrays['embeddings'].astype(np.float64), arrays['labels']
    lengths = np.linalg.norm(wide, axis=1, keepdims=True)
    unit = np.divide(wide, lengths, where=lengths > 0, out=np.zeros_like(wide))
    pairs = [(i, j) for i in range(len(unit)) for j in range(i)]
    apart = {pair: ((unit[pair[0]] - unit[pair[1]]) ** 2).sum() for pair in pairs}
    alike = [apart[i, j] for i, j in pairs if labels[i] == labels[j]]
    singular = np.linalg.svd(wide, compute_uv=False)
    shares = singular[singular > 0] / max(singular.sum(), 1e-300)
    expected = {
        'alignment': np.mean(alike) if alike else math.nan,
        'uniformity': np.log(np.mean([np.exp(-2 * distance) for distance in apart.values()])),
        'effective_rank': np.exp(-(shares * np.log(shares)).sum()) if singular.any() else math.nan,
    }
    result = values(arrays)
    assert {name: result[name] for name in expected} == pytest.approx(expected, abs=1e-9, nan_ok=True)


def test_intervals_resample_queries_and_keep_the_gallery() -> None:
    random = np.random.default_rng(1)
    labels = random.integers(4, size=50).astype(np.int32)
    arrays = {'embeddings': random.normal(size=(50, 3)) + labels[:, np.newaxis], 'labels': labels}
    result = report(arrays)
    scores = result.tables['per_example']['map@r'].loc[[f'e{i}' for i in range(50)]].to_numpy()
    drawn = [np.repeat(scores, counts).mean() for counts in BOOTSTRAP.counts(50).astype(int)]
    expected = np.quantile(drawn, [0.025, 0.975])
    assert result.metrics['map_at_r'].interval == pytest.approx(expected, abs=1e-12)


def test_without_labels_the_geometry_is_left() -> None:
    result = report({'embeddings': random_embeddings(3)['embeddings']})
    assert result.metrics.keys() == {'uniformity', 'effective_rank'}
    assert any('there are no labels' in note for note in result.footnotes)
    assert list(result.tables) == ['per_example']


@pytest.mark.parametrize(
    ('labels', 'undefined'),
    [
        ([0, 0, 0, 0, 0, 0], {'linear_probe'}),
        ([0, 1, 2, 3, 4, 5], {*RETRIEVAL, 'linear_probe', 'alignment'}),
    ],
)
def test_what_is_not_defined_is_named(labels: list[int], undefined: set[str]) -> None:
    result = report({'embeddings': np.eye(6, dtype=np.float32), 'labels': np.array(labels, np.int32)})
    assert {name for name, metric in result.metrics.items() if math.isnan(metric.value)} == undefined
    for name in undefined:
        title = result.metrics[name].definition.title
        assert any(title in note and 'not defined' in note for note in result.footnotes)


@pytest.mark.parametrize(
    ('changed', 'message'),
    [
        ({'embeddings': [[1.0]], 'labels': [0]}, 'at least 2 examples of 1 number'),
        ({'embeddings': np.zeros((3, 0)), 'labels': [0, 0, 0]}, 'at least 2 examples of 1 number'),
        ({'embeddings': [[1.0], [np.inf]]}, r"embeddings\.npy holds NaN or infinity for 1 of 2 .*'e1'"),
        ({'is_query': [True, True]}, 'so there is no gallery'),
        ({'is_query': [False, False]}, 'so there is no query'),
    ],
)
def test_what_cannot_be_evaluated_is_refused(changed: dict[str, Any], message: str) -> None:
    given = {'embeddings': [[1.0], [2.0]], 'labels': [0, 0]} | changed
    dtypes = {'embeddings': np.float32, 'labels': np.int32, 'is_query': bool}
    with pytest.raises(UserError, match=message):
        report({name: np.array(array, dtypes[name]) for name, array in given.items()})


def test_an_unknown_distance_is_refused() -> None:
    with pytest.raises(UserError, match=r"'euclidian'\. Did you mean 'euclidean'"):
        report(random_embeddings(0), details={'distance': 'euclidian'})


@pytest.mark.parametrize('settings', [{'recall_at': ()}, {'recall_at': (0,)}, {'neighbours': 0}])
def test_settings_out_of_range_are_refused(settings: dict[str, Any]) -> None:
    with pytest.raises(UserError, match='EmbeddingsEvaluation'):
        EmbeddingsEvaluation(**settings)


def test_the_map_is_never_mirrored() -> None:
    """Directions of singular vectors are arbitrary; the same data in other columns give the same map."""
    vectors = np.random.default_rng(0).normal(size=(30, 4)) * [4, 3, 1, 1]
    one, shares = plane.principal(vectors)
    np.testing.assert_allclose(plane.principal(vectors[:, ::-1])[0], one, atol=1e-9)
    assert shares.sum() < 1
    for small in (vectors[:2], vectors[:, :1], np.zeros((3, 2))):
        assert plane.principal(small)[0].shape == (len(small), 2)


def test_all_is_written(tmp_path: Path) -> None:
    arrays = random_embeddings(12) | {'inputs': np.zeros((40, 6, 8, 3), np.uint8)}
    arrays = {name: array[: len(arrays['labels'])] for name, array in arrays.items()}
    ids = [f'e{index}' for index in range(len(arrays['labels']))]
    outputs.write(
        tmp_path / 'it', outputs.Manifest('embeddings'), arrays, ids, dict.fromkeys(arrays, 'of the test')
    )
    Evaluator(resamples=100, figure_formats=('svg',)).evaluate(tmp_path / 'it')
    for name in ('metrics.json', 'per_class.csv', 'per_example.csv', 'figures/map.svg'):
        assert (tmp_path / 'it/evaluation' / name).stat().st_size > 100


def test_agreement_is_1_for_classes_apart_and_about_0_by_chance() -> None:
    labels = np.arange(60) % 3
    assert agreement({'embeddings': np.eye(3)[labels]}, {'labels': labels}) == 1
    noise = np.random.default_rng(0).normal(size=(600, 5))
    assert abs(agreement({'embeddings': noise}, {'labels': np.arange(600) % 3})) < 0.15
