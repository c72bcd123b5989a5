"""Metrics of texts against sacrebleu's public functions and slow, obvious loops."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sacrebleu.metrics.bleu import BLEU
from sacrebleu.metrics.chrf import CHRF

from engine.evaluation.results.bootstrap import Bootstrap
from engine.kinds.texts import counted, measuring
from engine.kinds.texts.edit_distance import levenshtein
from tests.engine.random_cases import random_cases

WORDS = st.sampled_from(['a', 'the', 'cat', 'sat', 'mat', 'naïve', '猫', '.', '\n', '👩‍👧', 'العربية', ' '])
TEXTS = st.lists(WORDS, max_size=9).map(' '.join) | st.just('') | st.text('ab', max_size=4)
PAIRS = st.lists(st.tuples(TEXTS, st.lists(TEXTS, min_size=1, max_size=3)), min_size=1, max_size=6)
EDGES = {
    'equal': (['the cat', ''], [['the cat'], ['']]),
    'nothing in common': (['a b c d e'], [['x y z u v w']]),
    'all empty': (['', ''], [[''], ['']]),
    'empty predictions': (['', ''], [['a b'], ['c']]),
    'empty references': (['a', 'b'], [[''], ['']]),
    'several references': (['a b c d'], [['x'], ['a b c d e', 'a b c d', 'q']][1:]),
}


def slow_levenshtein(first: Sequence[Any], second: Sequence[Any]) -> int:
    """Returns the edit distance by the table of all prefixes."""
    table = [[i + j for j in range(len(second) + 1)] for i in range(len(first) + 1)]
    for i, one in enumerate(first, 1):
        for j, other in enumerate(second, 1):
            table[i][j] = min(table[i - 1][j] + 1, table[i][j - 1] + 1, table[i - 1][j - 1] + (one != other))
    return table[-1][-1]


def slow_metrics(texts: Sequence[str], references: Sequence[Sequence[str]]) -> dict[str, float]:
    """Returns all metrics, text by text."""
    streams: Any = [
        [each[k] if k < len(each) else None for each in references] for k in range(max(map(len, references)))
    ]
    bleu = BLEU(force=True).corpus_score(texts, streams)
    edits, characters, word_edits, words, normalised, exact = 0, 0, 0, 0, 0.0, 0
    for text, given_texts in zip(texts, references, strict=True):
        best = min(given_texts, key=lambda each: slow_levenshtein(text, each))
        distance = slow_levenshtein(text, best)
        edits, characters = edits + distance, characters + len(best)
        normalised += distance / max(len(text), len(best), 1)
        by_words = min(given_texts, key=lambda each: slow_levenshtein(text.split(), each.split()))
        word_edits += slow_levenshtein(text.split(), by_words.split())
        words += len(by_words.split())
        exact += text in given_texts
    nan = float('nan')
    return {
        'bleu': bleu.score,
        'chrf': CHRF().corpus_score(texts, streams).score,
        'character_error_rate': edits / characters if characters else nan,
        'word_error_rate': word_edits / words if words else nan,
        'exact_match': exact / len(texts),
        'edit_distance': edits / len(texts),
        'normalised_edit_distance': normalised / len(texts),
        'length_ratio': bleu.sys_len / bleu.ref_len if bleu.ref_len else nan,
    }


def fast_metrics(texts: Sequence[str], references: Sequence[Sequence[str]]) -> dict[str, float]:
    bleu, chrf = BLEU(force=True), CHRF()
    return measuring.measure(counted.count(texts, references, bleu, chrf), bleu, chrf)


@random_cases(40)
@given(st.text('abc', max_size=12), st.text('abc', max_size=12))
def test_edit_distance_against_the_table(first: str, second: str) -> None:
    assert levenshtein(first, second) == slow_levenshtein(first, second)
    assert levenshtein(list(first), list(second)) == levenshtein(second, first)


def test_edit_distance_of_long_texts() -> None:
    random = np.random.default_rng(0)
    first, second = (''.join(random.choice(list('abcd'), 150)) for _ in range(2))
    assert levenshtein(first, second) == slow_levenshtein(first, second)


@random_cases(40)
@given(PAIRS)
def test_metrics_against_sacrebleu_and_loops(pairs: list[tuple[str, list[str]]]) -> None:
    texts, references = [text for text, _ in pairs], [given_texts for _, given_texts in pairs]
    expected = slow_metrics(texts, references)
    assert fast_metrics(texts, references) == pytest.approx(expected, abs=1e-9, nan_ok=True)


@pytest.mark.parametrize('case', EDGES)
def test_edges_against_sacrebleu_and_loops(case: str) -> None:
    expected = slow_metrics(*EDGES[case])
    assert fast_metrics(*EDGES[case]) == pytest.approx(expected, abs=1e-9, nan_ok=True)


def test_resamples_against_scores_of_the_resampled_texts() -> None:
    random = np.random.default_rng(0)
    words = np.array(['a', 'cat', 'sat', 'on', 'the', 'mat'])
    references = [[' '.join(random.choice(words, 6))] for _ in range(12)]
    texts = [' '.join(random.choice(words, 6)) for _ in range(12)]
    bleu, chrf, bootstrap = BLEU(force=True), CHRF(), Bootstrap(100, 0.95, 0)
    resamples = measuring.resample(counted.count(texts, references, bleu, chrf), bleu, chrf, bootstrap)
    for index, counts in enumerate(bootstrap.counts(12)[:5].astype(int)):
        drawn = np.repeat(np.arange(12), counts)
        expected = slow_metrics([texts[row] for row in drawn], [references[row] for row in drawn])
        for name, value in expected.items():
            assert resamples[name][index] == pytest.approx(value, abs=1e-9)


def test_repeated_texts() -> None:
    assert counted.repeated(['a', 'b', 'a', '']).tolist() == [1, 0, 1, 0]
