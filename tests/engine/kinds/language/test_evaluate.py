"""Metrics of texts against slow, obvious loops and against training's own."""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import jax
import numpy as np
import optax
import pytest

from engine import outputs
from engine.errors import UserError
from engine.evaluation.evaluator import Evaluator
from engine.evaluation.results.bootstrap import Bootstrap
from engine.interfaces import INDEX, VALID, Spec
from engine.kinds.language.evaluate import LanguageEvaluation
from engine.parts import language
from engine.training.logs.metrics import merged
from engine.training.steps import first_state
from research.models.transformer import Transformer

BOOTSTRAP = Bootstrap(200, 0.95, 0)


def random_texts(seed: int, n: int = 30) -> tuple[np.ndarray, np.ndarray]:
    """Returns log-probabilities and lengths of texts, of one to four bits per byte."""
    random = np.random.default_rng(seed)
    lengths = random.integers(1, 200, n)
    return -lengths * random.uniform(1, 4, n) * math.log(2), lengths


CASES = {
    'many': random_texts(0),
    'one text': random_texts(1, n=1),
    'a text without bytes': ([-3.0, 0.0, -2.0], [2, 0, 4]),
    'certain of all': ([0.0, 0.0], [3, 5]),
}


@pytest.fixture
def save(tmp_path: Path):
    """Writes outputs of kind `language`: save(log_probs, lengths) -> folder."""

    def write(log_probs: Sequence[float] | np.ndarray, lengths: Sequence[int] | np.ndarray) -> Path:
        outputs.write(
            tmp_path / 'it',
            outputs.Manifest('language', dataset='books', split='test'),
            {'log_probs': np.asarray(log_probs, np.float32), 'lengths': np.asarray(lengths, np.int32)},
            [f'text {index}' for index in range(len(lengths))],
            {'log_probs': 'of the test', 'lengths': 'of the test'},
        )
        return tmp_path / 'it'

    return write


def report(folder: Path) -> Any:
    return LanguageEvaluation().report(outputs.read(folder), BOOTSTRAP)


def slow_metrics(log_probs: Any, lengths: Any) -> dict[str, float]:
    """Returns the metrics, text by text."""
    bits, count = 0.0, 0
    for log_prob, length in zip(log_probs, lengths, strict=True):
        bits -= math.log2(math.e) * log_prob
        count += length
    return {'bits_per_byte': bits / count, 'perplexity': math.exp(bits / count * math.log(2))}


@pytest.mark.parametrize('case', CASES)
def test_metrics_against_a_loop(save, case: str):
    result = {name: metric.value for name, metric in report(save(*CASES[case])).metrics.items()}
    assert result == pytest.approx(slow_metrics(*CASES[case]), rel=1e-6)


def test_tokens_give_nats_per_token(tmp_path: Path):
    log_probs, lengths = CASES['many']
    tokens = np.maximum(lengths // 3, 1)
    arrays = {'log_probs': log_probs, 'lengths': lengths, 'tokens': tokens}
    arrays = {name: np.asarray(a, 'f4' if name == 'log_probs' else 'i4') for name, a in arrays.items()}
    manifest = outputs.Manifest('language', details={'vocabulary': 'bpe c0ffee'})
    ids = [f'text {index}' for index in range(len(lengths))]
    outputs.write(tmp_path / 'it', manifest, arrays, ids, dict.fromkeys(arrays, 'of the test'))
    result = report(tmp_path / 'it')
    values = {name: metric.value for name, metric in result.metrics.items()}
    expected = slow_metrics(log_probs, lengths) | {'nats_per_token': -sum(log_probs) / sum(tokens)}
    assert values == pytest.approx(expected, rel=1e-6)
    assert 'bpe c0ffee' in result.conditions['nats_per_token']
    arrays['tokens'][3] = 0
    outputs.write(tmp_path / 'no', manifest, arrays, ids, dict.fromkeys(arrays, 'of the test'))
    with pytest.raises(UserError, match=r'tokens\.npy .* 1 of 30 .* at least 1 where a text has bytes'):
        report(tmp_path / 'no')


def test_intervals_against_a_loop(save):
    log_probs, lengths = CASES['many']
    hardest_first = np.argsort(log_probs / lengths)
    log_probs, lengths = log_probs[hardest_first], lengths[hardest_first]
    resamples = BOOTSTRAP.counts(len(lengths)).astype(int)
    resampled = [slow_metrics(np.repeat(log_probs, row), np.repeat(lengths, row)) for row in resamples]
    for name, metric in report(save(log_probs, lengths)).metrics.items():
        expected = np.quantile([each[name] for each in resampled], [0.025, 0.975])
        np.testing.assert_allclose(metric.interval, expected, rtol=1e-6)
        assert metric.interval[0] < metric.value < metric.interval[1]


def test_each_text_is_told_the_hardest_first(save):
    table = report(save([-3.0, 0.0, -8.0, -1.0], [2, 0, 4, 1])).tables['per_example']
    assert table.index.tolist() == ['text 2', 'text 0', 'text 3']
    np.testing.assert_allclose(table['bits_per_byte'], np.array([2, 1.5, 1]) / math.log(2))
    np.testing.assert_allclose(table['bits'], np.array([8, 3, 1]) / math.log(2))
    assert table['bytes'].tolist() == [4, 2, 1]


def test_of_one_text_nothing_is_uncertain(save):
    for metric in report(save(*CASES['one text'])).metrics.values():
        assert list(metric.interval) == pytest.approx([metric.value] * 2)


def test_a_uniform_guess_takes_eight_bits(save):
    result = report(save([-math.log(256) * 7], [7])).metrics
    assert result['bits_per_byte'].value == pytest.approx(8)
    assert result['perplexity'].value == pytest.approx(256)


@pytest.mark.parametrize('bad', [math.nan, -math.inf, math.inf, 0.5])
def test_what_is_no_log_probability_is_refused(save, bad: float):
    with pytest.raises(UserError, match=r"log_probs\.npy holds wrong log-probabilities .* 1 of 2.*'text 1'"):
        report(save([-1.0, bad], [2, 2]))


def test_what_is_no_length_is_refused(save):
    with pytest.raises(UserError, match=r"lengths\.npy holds wrong lengths .* 1 of 2.*'text 0'"):
        report(save([-1.0, -1.0], [-2, 2]))


def test_no_bytes_are_refused(save):
    with pytest.raises(UserError, match='no bytes'):
        report(save([0.0, 0.0], [0, 0]))


@pytest.mark.parametrize('case', CASES)
def test_the_figure_is_drawn_with_title_and_labelled_axes(save, tmp_path: Path, case: str):
    figure = report(save(*CASES[case])).figures['per_text']()
    n = len(CASES[case][0])
    assert figure.get_suptitle().startswith(f'books, test, n = {n}, 95 % intervals\nbits per byte ')
    assert all(axes.get_xlabel() and axes.get_ylabel() for axes in figure.axes)
    figure.savefig(tmp_path / 'it.png')


def test_the_evaluator_knows_the_kind(save):
    folder = save(*CASES['many'])
    result = Evaluator(resamples=100).evaluate(folder)
    expected = slow_metrics(*CASES['many'])
    assert result['metrics']['bits_per_byte']['value'] == pytest.approx(expected['bits_per_byte'])
    assert (folder / 'evaluation/figures/per_text.png').read_bytes().startswith(b'\x89PNG')
    assert (folder / 'evaluation/per_example.csv').read_text().startswith('id,bits_per_byte,bits,bytes\n')


def test_it_says_what_training_says(save):
    length, n = 16, 6
    spec = Spec(
        {'text': jax.ShapeDtypeStruct((length,), np.uint8), 'length': jax.ShapeDtypeStruct((), np.int32)}
    )
    task = language.Language(
        model=lambda **given: Transformer(width=16, depth=1, heads=2, **given),
        optimizer=optax.adamw,
        learning_rate=0.01,
    )
    random = np.random.default_rng(0)
    batch: dict[str, Any] = {
        'text': random.integers(0, 256, (n, length)).astype(np.uint8),
        'length': random.integers(1, length + 1, n).astype(np.int32),
        INDEX: np.arange(n, dtype=np.int32),
        VALID: np.ones(n, bool),
    }
    bound = task.bind(spec)
    state = first_state(bound, jax.random.key(0))
    trained = merged([bound.evaluate(state, batch)])
    predicted = bound.predict(state, batch)
    evaluated = report(save(predicted['log_probs'], predicted['lengths']))
    assert evaluated.metrics['bits_per_byte'].value == pytest.approx(trained['bits_per_byte'], abs=1e-6)
