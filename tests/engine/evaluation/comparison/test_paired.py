"""Each test of a difference against a slow, obvious loop or a closed form."""

import math

import numpy as np
import pytest
from scipy import stats
from sklearn.datasets import make_moons
from sklearn.model_selection import RepeatedStratifiedKFold, cross_val_score
from sklearn.svm import SVC

from engine import outputs
from engine.evaluation.comparison import paired
from engine.evaluation.evaluator import Evaluator
from engine.evaluation.results.bootstrap import Bootstrap
from tests.engine.random_logits import random_logits


def slow_bootstrap_p(first: np.ndarray, second: np.ndarray, bootstrap: Bootstrap) -> float:
    """Draws examples, the same of both methods, and counts on which side of 0 the difference falls."""
    below = above = 0
    for counts in bootstrap.counts(len(first)).astype(int):
        drawn = np.repeat(np.arange(len(first)), counts)
        difference = sum(first[index] - second[index] for index in drawn)
        below += difference <= 0
        above += difference >= 0
    p = 2 * min(below + 1, above + 1) / (bootstrap.resamples + 1)
    return min(1, max(p, 0.5 ** (len(first) - 1)))


@pytest.mark.parametrize('seed', range(5))
def test_bootstrap_of_accuracies_against_a_loop(save, seed: int):
    logits, labels = random_logits(seed, examples=40)
    noise = np.random.default_rng(seed).normal(size=logits.shape)
    evaluator = Evaluator(resamples=500, seed=seed)
    one, two = (
        evaluator.report(save(scores, labels, name)) for name, scores in (('a', logits), ('b', noise))
    )
    result = paired.bootstrap_p(one.resamples['accuracy'] - two.resamples['accuracy'], 40)
    first, second = ((scores.argmax(1) == labels).astype(int) for scores in (logits, noise))
    assert result == slow_bootstrap_p(first, second, one.bootstrap)


def test_bootstrap_agrees_with_theory():
    """Of many examples it is a test of the mean difference, whose p is known."""
    differences = stats.zscore(np.random.default_rng(0).normal(size=2000)) + 0.045
    resamples = Bootstrap(10000, 0.95, 0).counts(2000) @ differences / 2000
    expected = 2 * stats.norm.sf(0.045 * np.sqrt(2000))
    assert 0.01 < expected < 0.1
    assert paired.bootstrap_p(resamples, 2000) == pytest.approx(expected, rel=0.1)
    assert paired.bootstrap_p(-resamples, 2000) == paired.bootstrap_p(resamples, 2000)


def test_bootstrap_of_equal_methods():
    assert paired.bootstrap_p(np.zeros(1000), 50) == 1


def test_bootstrap_leaves_out_what_has_no_value():
    resamples = np.array([1.0] * 9 + [-1.0] + [math.nan] * 90)
    assert paired.bootstrap_p(resamples, 50) == pytest.approx(4 / 11)
    assert paired.bootstrap_p(np.full(10, math.nan), 50) == 1


@pytest.mark.parametrize(('examples', 'p'), [(1, 1), (2, 0.5), (5, 0.0625), (30, 2 / 1001)])
def test_bootstrap_is_never_surer_than_so_few_examples_allow(examples: int, p: float):
    assert paired.bootstrap_p(np.ones(1000), examples) == pytest.approx(p)


def slow_mcnemar_p(first: np.ndarray, second: np.ndarray) -> float:
    """Sums the binomial probabilities of all splits of the discordant pairs that are as rare, or rarer."""
    one = sum(a and not b for a, b in zip(first, second, strict=True))
    n = sum(a != b for a, b in zip(first, second, strict=True))
    chances = [math.comb(n, k) / 2**n for k in range(n + 1)]
    return sum(chance for chance in chances if chance <= chances[one] * (1 + 1e-9))


@pytest.mark.parametrize('seed', range(8))
def test_mcnemar_against_a_loop(seed: int):
    random = np.random.default_rng(seed)
    first, second = random.random(60) < 0.8, random.random(60) < 0.6
    assert paired.mcnemar_p(first, second) == pytest.approx(slow_mcnemar_p(first, second), abs=1e-12)
    assert paired.mcnemar_p(second, first) == pytest.approx(paired.mcnemar_p(first, second))


@pytest.mark.parametrize(
    ('first', 'second', 'p'),
    [
        ([True], [True], 1),  # one example, on which they agree
        ([True], [False], 1),  # one on which they do not
        ([True, False, True], [True, False, True], 1),
        ([True, False], [False, True], 1),  # a tie
        ([True] * 6, [False] * 6, 2 / 2**6),
    ],
)
def test_mcnemar_on_edges(first: list[bool], second: list[bool], p: float):
    assert paired.mcnemar_p(np.array(first), np.array(second)) == pytest.approx(p)


def slow_holm(ps: list[float]) -> list[float]:
    """Takes for each p the largest of what it and each smaller one comes to, and of equals the earlier."""
    corrected = []
    for place, p in enumerate(ps):
        smaller = [(q, other) for other, q in enumerate(ps) if (q, other) <= (p, place)]
        values = [q * sum((r, n) >= (q, other) for n, r in enumerate(ps)) for q, other in smaller]
        corrected.append(min(1, max(values)))
    return corrected


@pytest.mark.parametrize('ps', [[], [0.3], [0.01, 0.04, 0.03, 0.005], [0.2, 0.2, 0.2], [1.0, 0.6, 0.001]])
def test_holm_against_a_loop(ps: list[float]):
    assert paired.holm(ps) == pytest.approx(slow_holm(ps))


def test_holm_as_published():
    assert paired.holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])


def test_the_corrected_resampled_t_test_as_published() -> None:
    """The example of scikit-learn's guide: t = 0.750, and a one-sided p of 0.227.

    Source: scikit-learn, Statistical comparison of models using grid search.
    """
    x, y = make_moons(noise=0.352, random_state=1, n_samples=100)
    folds = RepeatedStratifiedKFold(n_splits=10, n_repeats=10, random_state=0)
    scores = [
        cross_val_score(SVC(kernel=kernel, random_state=0), x, y, scoring='roc_auc', cv=folds)
        for kernel in ('rbf', 'linear')
    ]
    differences = scores[0] - scores[1]
    assert differences.mean() / paired.corrected_resampled_error(differences, 1 / 9) == pytest.approx(
        0.750, abs=5e-4
    )
    assert paired.corrected_resampled_p(differences, 1 / 9) / 2 == pytest.approx(0.227, abs=5e-4)


def slow_corrected_p(differences: list[float], test_over_train: float) -> float:
    """Integrates the density of Student's t beyond the statistic, in small steps."""
    n = len(differences)
    mean = math.fsum(differences) / n
    variance = math.fsum((each - mean) ** 2 for each in differences) / (n - 1)
    t, freedom = abs(mean) / math.sqrt((1 / n + test_over_train) * variance), n - 1
    scale = math.gamma(n / 2) / math.sqrt(freedom * math.pi) / math.gamma(freedom / 2)
    steps = np.linspace(0, t, 200_001)
    density = scale * (1 + steps**2 / freedom) ** (-n / 2)
    return 1 - 2 * float(np.trapezoid(density, steps))


@pytest.mark.parametrize('folds', [3, 5, 10])
def test_the_corrected_resampled_t_test_against_a_loop(folds: int) -> None:
    random = np.random.default_rng(folds)
    for _ in range(5):
        differences, ratio = random.normal(0.5, 1, folds), 1 / (folds - 2)
        p = paired.corrected_resampled_p(differences, ratio)
        assert p == pytest.approx(slow_corrected_p(differences.tolist(), ratio), abs=1e-9)
        assert paired.corrected_resampled_p(-differences, ratio) == p
        low, high = paired.corrected_resampled_interval(differences, ratio, 1 - p)
        assert min(abs(low), abs(high)) == pytest.approx(0, abs=1e-9)  # the interval that just reaches 0
        _, usual = stats.ttest_1samp(differences, 0)
        assert paired.corrected_resampled_p(differences, 0) == pytest.approx(usual, abs=1e-12)


def test_the_corrected_resampled_t_test_on_edges() -> None:
    assert paired.corrected_resampled_p(np.zeros(5), 1 / 3) == 1
    assert paired.corrected_resampled_p(np.full(5, 0.25), 1 / 3) == 0
    assert math.isnan(paired.corrected_resampled_p(np.array([1.0, math.nan, 0.0]), 1))


def test_draws_of_texts_are_paired_whatever_is_hard(tmp_path):
    """Two models of which one needs a bit more per byte of each text: so it does in each resample."""
    random = np.random.default_rng(0)
    lengths = random.integers(1, 50, 20).astype(np.int32)
    bits = random.uniform(1, 4, 20)
    resamples = []
    for name, more in (('a', 0), ('b', 1)):
        outputs.write(
            tmp_path / name,
            outputs.Manifest('language'),
            {
                'log_probs': (-(bits + more) * lengths * math.log(2)).astype(np.float32),
                'lengths': lengths,
            },
            [f'text {index}' for index in range(20)],
            {'log_probs': 'of the test', 'lengths': 'of the test'},
        )
        resamples.append(Evaluator(resamples=100).report(tmp_path / name).resamples['bits_per_byte'])
    assert resamples[1] - resamples[0] == pytest.approx(np.ones(100), abs=1e-5)
