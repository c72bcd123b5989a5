"""Metrics of tags against scikit-learn and against conlleval's rules, token by token."""

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn import metrics as sklearn_metrics

from engine.evaluation.results.bootstrap import Bootstrap
from engine.kinds.tagging import measuring
from engine.kinds.tagging.spans import SpanTags
from engine.kinds.tagging.tagged import Tagged
from tests.engine.random_cases import random_cases

IOB = ('O', 'B-PER', 'I-PER', 'B-LOC', 'I-LOC')
IOBES = (*IOB, 'E-PER', 'S-PER', 'E-LOC', 'S-LOC')
Span = tuple[int, int, int, str]


@st.composite
def sequences(draw: st.DrawFn, tags: int) -> list[tuple[list[int], list[int]]]:
    lengths = draw(st.lists(st.integers(0, 9), min_size=1, max_size=5).filter(any))
    row = st.integers(0, tags - 1)
    return [
        (draw(st.lists(row, min_size=n, max_size=n)), draw(st.lists(row, min_size=n, max_size=n)))
        for n in lengths
    ]


def tagged_of(pairs: Sequence[tuple[list[int], list[int]]], names: tuple[str, ...]) -> Tagged:
    rows = np.repeat(np.arange(len(pairs)), [len(targets) for targets, _ in pairs])
    targets, predicted = (np.array([tag for pair in pairs for tag in pair[k]], int) for k in (0, 1))
    return Tagged(rows, targets, predicted, len(pairs), names)


def slow_spans(row: int, tags: Sequence[str]) -> set[Span]:
    """Returns the spans of one sequence by the rules of conlleval, as seqeval's default mode applies them."""
    found, start, before, before_type = set(), 0, 'O', ''
    for place, tag in enumerate([*tags, 'O']):
        prefix, _, kind = tag.partition('-')
        ends = (
            before in ('E', 'S')
            or (before in ('B', 'I') and prefix in ('B', 'S', 'O'))
            or (before != 'O' and before_type != kind)
        )
        begins = (
            prefix in ('B', 'S')
            or (before in ('E', 'S', 'O') and prefix in ('E', 'I'))
            or (prefix != 'O' and before_type != kind)
        )
        if ends and before != 'O':
            found.add((row, start, place - 1, before_type))
        start = place if begins else start
        before, before_type = prefix, kind
    return found


def slow_span_scores(pairs: Sequence[tuple[list[int], list[int]]], names: Sequence[str]) -> dict[str, float]:
    true, predicted = set(), set()
    for row, (targets, tags) in enumerate(pairs):
        true |= slow_spans(row, [names[tag] for tag in targets])
        predicted |= slow_spans(row, [names[tag] for tag in tags])
    hits, nan = len(true & predicted), float('nan')
    both = len(true) + len(predicted)
    return {
        'span_f1': 2 * hits / both if both else nan,
        'span_precision': hits / len(predicted) if predicted else nan,
        'span_recall': hits / len(true) if true else nan,
    }


def scikit_learn(tagged: Tagged) -> dict[str, float]:
    names = tagged.class_names
    occurring = {*tagged.targets.tolist(), *tagged.predicted.tolist()}
    tags = sorted(tag for tag in occurring if names[tag] != 'O')
    scores = {'token_accuracy': sklearn_metrics.accuracy_score(tagged.targets, tagged.predicted)}
    for average in ('micro', 'macro'):
        scores[f'{average}_f1'] = (
            sklearn_metrics.f1_score(
                tagged.targets,
                tagged.predicted,
                labels=tags,
                average=average,
                zero_division=0,  # type: ignore[arg-type]
            )
            if tags
            else float('nan')
        )
    return scores


def fast(tagged: Tagged) -> dict[str, float]:
    counts = measuring.count(tagged, SpanTags.of(tagged.class_names))
    return measuring.measure(counts, measuring.counted_tags(tagged))


@pytest.mark.parametrize('names', [IOB, IOBES, ('noun', 'verb', 'O')])
@random_cases(25)
@given(draw=st.data())
def test_metrics_against_scikit_learn_and_a_loop(names: tuple[str, ...], draw: st.DataObject) -> None:
    pairs = draw.draw(sequences(len(names)))
    tagged = tagged_of(pairs, names)
    expected = scikit_learn(tagged)
    filled = [pair for pair in pairs if pair[0]]
    expected['exact_match'] = np.mean([targets == tags for targets, tags in filled])
    if 'B-PER' in names:
        expected |= slow_span_scores(pairs, names)
    assert fast(tagged) == pytest.approx(expected, abs=1e-9, nan_ok=True)


@pytest.mark.parametrize(
    ('tags', 'spans'),
    [
        ('B-PER I-PER O', {(0, 0, 1, 'PER')}),
        ('I-PER I-PER', {(0, 0, 1, 'PER')}),
        ('B-PER I-LOC', {(0, 0, 0, 'PER'), (0, 1, 1, 'LOC')}),
        ('B-PER B-PER', {(0, 0, 0, 'PER'), (0, 1, 1, 'PER')}),
        ('S-PER E-PER I-PER', {(0, 0, 0, 'PER'), (0, 1, 1, 'PER'), (0, 2, 2, 'PER')}),
        ('O O', set()),
    ],
)
def test_rules_of_spans(tags: str, spans: set[Span]) -> None:
    """The loop has them from conlleval; the numbers of right spans follow from equal ones."""
    assert slow_spans(0, tags.split()) == spans
    row = [IOBES.index(tag) for tag in tags.split()]
    counts = measuring.count(tagged_of([(row, row)], IOBES), SpanTags.of(IOBES))
    assert counts['span_hits'].sum() == counts['span_predicted'].sum() == len(spans)


def test_spans_end_with_their_sequence() -> None:
    tagged = tagged_of([([1, 2], [1, 2]), ([2, 2], [2, 2])], IOB)
    assert measuring.count(tagged, SpanTags.of(IOB))['span_hits'].sum() == 2


def test_resamples_against_metrics_of_the_resampled_sequences() -> None:
    random = np.random.default_rng(0)
    pairs = [tuple(random.integers(0, 5, (2, 6)).tolist()) for _ in range(10)]
    tagged = tagged_of(pairs, IOB)  # type: ignore[arg-type]
    bootstrap, tags = Bootstrap(100, 0.95, 0), measuring.counted_tags(tagged)
    resamples, _ = measuring.resample(measuring.count(tagged, SpanTags.of(IOB)), tags, bootstrap)
    for index, counts in enumerate(bootstrap.counts(10)[:5].astype(int)):
        drawn = [pairs[row] for row in np.repeat(np.arange(10), counts)]
        for name, value in fast(tagged_of(drawn, IOB)).items():  # type: ignore[arg-type]
            assert resamples[name][index] == pytest.approx(value, abs=1e-9)


@pytest.mark.parametrize('names', [('O', 'B', 'I'), ('B-PER', 'I-LOC'), ('I-PER', 'O'), ()])
def test_other_names_have_no_spans(names: tuple[str, ...]) -> None:
    assert SpanTags.of(names) is None
