"""Language modelling with several vocabularies and given tokens, against a loop over tokens."""

import math
from typing import Any

import jax
import numpy as np
import pytest

from engine.interfaces import VALID
from engine.training.logs.metrics import merged
from engine.training.steps import first_state
from tests.engine.parts.language import texts

CASES = [('bytes', 1), ('bpe', 1), ('characters', 3)]


def slow(
    bound: Any, state: Any, batch: Any, given: list[int], start: bool
) -> list[tuple[float, int, list[int]]]:
    """Returns nats, number and tokens of what is predicted of each text, token by token."""
    results, size = [], texts.LENGTH if start else texts.LENGTH - 1
    call = jax.jit(lambda x: bound.network(state['params'], state['model_state'], x)[0])
    for row, length, first in zip(batch['text'].tolist(), batch['length'].tolist(), given, strict=True):
        nats, predicted = 0.0, row[first:length]
        for place in range(first, length):
            fed = [0, *row[:place]] if start else row[:place]
            logits = np.asarray(
                call(np.array([fed + [0] * (size - len(fed))], np.int32))[0, len(fed) - 1], np.float64
            )
            nats -= logits[row[place]] - np.log(np.exp(logits).sum())
        results.append((nats, len(predicted), predicted))
    return results


@pytest.mark.parametrize(('kind', 'given'), CASES)
def test_metrics_and_predictions_against_a_loop(kind: str, given: int) -> None:
    vocabulary = texts.KNOWN[kind]
    bound, batch = texts.bound(texts.spec(kind, given)), texts.batch(vocabulary)
    check(bound, batch, [given] * 4, not given, kind)


def test_each_text_may_state_what_is_given() -> None:
    given = [5, 1, 0, 17]
    batch = texts.batch(texts.KNOWN['characters'], given=np.array(given, np.int32))
    check(texts.bound(texts.spec('characters', 0, field=True)), batch, given, True, 'characters')


def check(bound: Any, batch: Any, given: list[int], start: bool, kind: str) -> None:
    vocabulary, state = texts.KNOWN[kind], first_state(bound, jax.random.key(1))
    batch = batch | {VALID: np.array([True, True, True, False])}
    expected = slow(bound, state, batch, given, start)
    predicted, measures = jax.jit(lambda *x: (bound.predict(*x), bound.evaluate(*x)))(state, batch)
    measured = merged([measures])
    lengths = [len(vocabulary.decode_bytes(tokens)) for _, _, tokens in expected]
    np.testing.assert_allclose(predicted['log_probs'], [-nats for nats, _, _ in expected], rtol=1e-5)
    assert predicted['lengths'].tolist() == lengths
    if kind != 'bytes':
        assert predicted['tokens'].tolist() == [count for _, count, _ in expected]
    nats, counts = sum(row[0] for row in expected[:3]), sum(row[1] for row in expected[:3])
    means = [nats / max(count, 1) for nats, count, _ in expected[:3]]
    result = {'loss': np.mean(means), 'bits_per_byte': nats / math.log(2) / sum(lengths[:3])}
    result |= {'nats_per_token': nats / counts} if kind != 'bytes' else {}
    assert measured == pytest.approx(result, rel=1e-5)


@pytest.mark.parametrize('kind', texts.KNOWN)
def test_the_vocabulary_stands_in_the_manifest_and_decides_the_first_loss(kind: str) -> None:
    description = texts.bound(texts.spec(kind, 1)).describe()
    vocabulary = texts.KNOWN[kind]
    assert description.details == {'vocabulary': f'{kind} {vocabulary.sha256}'}
    assert description.first_loss == pytest.approx(math.log(vocabulary.size))
