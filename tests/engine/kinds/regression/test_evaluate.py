"""Errors of numbers against scikit-learn, on random and edge cases, and against training's own."""

from pathlib import Path
from typing import Any

import jax.numpy as jnp
import numpy as np
import optax
import pytest
from sklearn.metrics import mean_absolute_error, r2_score, root_mean_squared_error

from engine import outputs
from engine.errors import UserError
from engine.evaluation.evaluator import Evaluator
from engine.evaluation.results.bootstrap import Bootstrap
from engine.kinds.regression.evaluate import RegressionEvaluation
from engine.parts import regression as tasks
from research.models import mlp

BOOTSTRAP = Bootstrap(200, 0.95, 0)


def numbers(seed: int, n: int, d: int, shift: float = 0.0) -> tuple[np.ndarray, np.ndarray]:
    """Returns predictions and targets, each f32 [n, d], the targets of various scales."""
    random = np.random.default_rng(seed)
    targets = random.normal(shift, 10.0 ** np.arange(d), (n, d))
    return (targets + random.normal(0, 0.5, (n, d))).astype(np.float32), targets.astype(np.float32)


CASES = {
    'one target': numbers(0, 50, 1),
    'three targets': numbers(1, 40, 3),
    'far from zero': numbers(2, 40, 2, shift=1e4),
    'two examples': numbers(3, 2, 2),
    'perfect': (numbers(4, 10, 2)[1], numbers(4, 10, 2)[1]),
}


@pytest.fixture
def save(tmp_path: Path):
    """Writes outputs of kind `regression`: save(values, targets) -> folder."""

    def write(values: Any, targets: Any) -> Path:
        arrays = {'values': np.asarray(values, np.float32)}
        if targets is not None:
            arrays['targets'] = np.asarray(targets, np.float32)
        outputs.write(
            tmp_path / 'it',
            outputs.Manifest('regression', dataset='houses', split='test'),
            arrays,
            [f'example {index}' for index in range(len(values))],
            dict.fromkeys(arrays, 'of the test'),
        )
        return tmp_path / 'it'

    return write


def report(folder: Path) -> Any:
    return RegressionEvaluation().report(outputs.read(folder), BOOTSTRAP)


@pytest.mark.parametrize('case', CASES)
def test_metrics_against_scikit_learn(save, case: str) -> None:
    values, targets = (each.astype(np.float64) for each in CASES[case])
    result = {name: metric.value for name, metric in report(save(values, targets)).metrics.items()}
    assert result == pytest.approx(
        {
            'rmse': np.sqrt(np.mean(root_mean_squared_error(targets, values, multioutput='raw_values') ** 2)),
            'mae': mean_absolute_error(targets, values),
            'r2': r2_score(targets, values),
        },
        rel=1e-6,
        abs=1e-9,
    )


def test_a_target_that_does_not_vary_has_no_r2(save) -> None:
    values, targets = numbers(5, 30, 2)
    targets[:, 1] = 0.1
    result = report(save(values, targets))
    assert result.metrics['r2'].value == pytest.approx(r2_score(targets[:, 0], values[:, 0]), rel=1e-6)
    assert result.tables['per_target']['r2'].isna().tolist() == [False, True]


def test_where_no_target_varies_there_is_no_r2(save) -> None:
    assert report(save([[1.0], [2.0]], [[3.0], [3.0]])).metrics.keys() == {'rmse', 'mae'}


def test_one_example(save) -> None:
    metrics = report(save([[1.0, 2.0]], [[4.0, 6.0]])).metrics
    assert metrics['mae'].value == 3.5
    assert metrics['rmse'].value == pytest.approx(np.sqrt(12.5))
    assert 'r2' not in metrics


def test_intervals_against_a_loop(save) -> None:
    values, targets = (each.astype(np.float64) for each in CASES['three targets'])
    counts = BOOTSTRAP.counts(len(values)).astype(int)
    drawn = [r2_score(targets.repeat(each, 0), values.repeat(each, 0)) for each in counts]
    expected = np.quantile(drawn, [0.025, 0.975])
    assert report(save(values, targets)).metrics['r2'].interval == pytest.approx(expected, rel=1e-6)


def test_training_measures_the_same(save) -> None:
    values, targets = CASES['three targets']
    task = tasks.Regression(model=mlp.MLP, optimizer=optax.sgd, learning_rate=0.1)
    sums = task.per_example(jnp.asarray(values), {'targets': jnp.asarray(targets)})
    metrics = report(save(values, targets)).metrics
    assert float(sums['loss'].mean()) == pytest.approx(metrics['rmse'].value ** 2, rel=1e-6)
    assert float(sums['absolute_error'].mean()) == pytest.approx(metrics['mae'].value, rel=1e-6)


def test_the_worst_example_comes_first(save) -> None:
    table = report(save([[0.0], [5.0], [1.0]], [[0.0], [0.0], [0.0]])).tables['per_example']
    assert table.index.tolist() == ['example 1', 'example 2', 'example 0']
    assert table['absolute_error'].tolist() == [5, 1, 0]


@pytest.mark.parametrize(
    ('values', 'targets', 'message'),
    [
        ([[1.0]], None, r'no targets\.npy'),
        (np.zeros((3, 0)), np.zeros((3, 0)), 'nothing to evaluate'),
        ([[1.0], [np.nan]], [[1.0], [1.0]], r"values\.npy is not finite for 1 of 2 .*'example 1'"),
        ([[1.0]], [[np.inf]], r'targets\.npy is not finite'),
    ],
)
def test_what_cannot_be_evaluated_is_refused(save, values: Any, targets: Any, message: str) -> None:
    with pytest.raises(UserError, match=message):
        report(save(values, targets))


def test_all_is_written(save) -> None:
    folder = save(*CASES['three targets'])
    Evaluator(resamples=100).evaluate(folder)
    for name in ('metrics.json', 'per_target.csv', 'per_example.csv', 'figures/predictions.png'):
        assert (folder / 'evaluation' / name).stat().st_size > 100
