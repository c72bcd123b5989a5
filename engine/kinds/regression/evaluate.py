"""Evaluation of regression: errors in the units of the targets, and R²."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial

import numpy as np
import pandas as pd
from scipy import sparse

from engine.errors import UserError
from engine.evaluation.drawing import example_cards, figures
from engine.evaluation.drawing.example_cards import Card
from engine.evaluation.kind_evaluation import ExampleScore, KindEvaluation, require
from engine.evaluation.labels import label_cells
from engine.evaluation.results.bootstrap import Bootstrap
from engine.evaluation.results.metric import Definition
from engine.evaluation.results.report import Report
from engine.evaluation.submissions import Export, csv
from engine.kinds.regression import scatter
from engine.lists import ListTable
from engine.outputs.kind import Arrays
from engine.outputs.outputs import Outputs

DEFINITIONS = {
    'rmse': Definition(
        'root mean squared error',
        'units of the targets',
        'lower',
        'Square root of the mean of the squared differences between prediction and target, over all targets.',
        'Gauss, Theoria combinationis observationum erroribus minimis obnoxiae, 1823',
    ),
    'mae': Definition(
        'mean absolute error',
        'units of the targets',
        'lower',
        'Mean of the absolute differences between prediction and target, over all targets.',
        'Willmott and Matsuura, Advantages of the mean absolute error, Climate Research 2005',
    ),
    'r2': Definition(
        'R²',
        'share of the variance',
        'higher',
        'One minus the mean squared error over the variance of the target; mean over the targets that are '
        'not constant. 1 is perfect; 0 is as good as predicting the mean.',
        'Wright, Correlation and Causation, Journal of Agricultural Research 1921',
    ),
}


@dataclass(frozen=True)
class RegressionEvaluation(KindEvaluation):
    """Evaluates outputs of kind `regression`."""

    kind = 'regression'
    pooled_metrics = tuple(DEFINITIONS)
    example_score = ExampleScore('squared_error', higher_is_better=False)

    def report(self, outputs: Outputs, bootstrap: Bootstrap) -> Report:
        """Returns metrics with intervals, tables and figures.

        Raises:
          UserError: there are no targets, or numbers are not finite.
        """
        values, targets = read_numbers(outputs)
        resamples = resample(values, targets, bootstrap)
        measured = {
            name: bootstrap.metric(value, resamples[name], DEFINITIONS[name])
            for name, value in measure(values, targets).items()
        }
        title = figures.subject(outputs, bootstrap)
        tables = {
            'per_target': per_target(values, targets),
            'per_example': per_example(outputs, values, targets),
        }
        drawn = {'predictions': partial(scatter.predictions, values, targets, title, measured['rmse'])}
        return Report(outputs, bootstrap, measured, tuple(measured), tables, drawn, resamples)

    def gallery(self, report: Report) -> dict[str, list[Card]]:
        """Returns the worst examples, with target and prediction."""
        outputs, cards = report.outputs, []
        if not self.pictures(outputs, 0):
            return {}
        for name in map(str, report.tables['per_example'].head(example_cards.SHOWN).index):
            row = outputs.ids.index(name)
            target, value = (_digits(outputs.arrays[array][row]) for array in ('targets', 'values'))
            cards.append(Card(name, self.pictures(outputs, row), f'{name}\n{target} → {value}'))
        return {'Worst: target → prediction': cards}

    def exports(self) -> Mapping[str, Export]:
        """Returns the formats: arrays, and a table with the column names that `--labels` reads."""
        return {**super().exports(), 'csv': Export('.csv', _as_csv)}

    def read_list(self, table: ListTable, outputs: Outputs) -> Arrays:
        """Reads the column `target`, or `target_0`, `target_1`, ..."""
        return {'targets': label_cells.read_numbers(table, outputs, outputs.arrays['values'].shape[1])}


def _as_csv(outputs: Outputs) -> bytes:
    values = outputs.arrays['values']
    names = ['target'] if values.shape[1] == 1 else [f'target_{index}' for index in range(values.shape[1])]
    return csv({'id': outputs.ids, **dict(zip(names, values.T, strict=True))})


def _digits(values: np.ndarray) -> str:
    more = ' …' if len(values) > 3 else ''
    return ', '.join(f'{value:.3g}' for value in values[:3]) + more


def read_numbers(outputs: Outputs) -> tuple[np.ndarray, np.ndarray]:
    """Returns predictions and targets, each f64 [n, d].

    Raises:
      UserError: there are no targets, no numbers, or numbers that are not finite.
    """
    require(outputs, 'targets')
    values, targets = (np.asarray(outputs.arrays[name], np.float64) for name in ('values', 'targets'))
    if not values.size:
        raise UserError(f'{outputs.folder} holds no numbers, so there is nothing to evaluate.')
    for name, array in (('values', values), ('targets', targets)):
        bad = np.flatnonzero(~np.isfinite(array).all(1))
        if bad.size:
            raise UserError(
                f'{outputs.folder}: {name}.npy is not finite for {bad.size} of {len(array)} examples, the '
                f'first of them {outputs.ids[bad[0]]!r}.'
            )
    return values, targets


def measure(values: np.ndarray, targets: np.ndarray) -> dict[str, float]:
    """Returns all metrics of predictions [n, d]. There is no R² if all targets are constant."""
    metrics = _metrics(_features(values, targets).mean(0))
    return {name: float(value) for name, value in metrics.items() if not np.isnan(value)}


def resample(values: np.ndarray, targets: np.ndarray, bootstrap: Bootstrap) -> dict[str, np.ndarray]:
    """Returns all metrics on each resample of the examples, f64 [resamples]."""
    features = _features(values, targets)
    n, *shape = features.shape
    sums = bootstrap.sums({'features': sparse.csr_array(features.reshape(n, -1))}, n)['features']
    return _metrics(sums.reshape(-1, *shape) / n)


def per_target(values: np.ndarray, targets: np.ndarray) -> pd.DataFrame:
    """Returns a row per target: errors and R², and mean and standard deviation of the target."""
    means = _features(values, targets).mean(0)
    metrics = _metrics(means.T[..., np.newaxis])
    table = pd.DataFrame(metrics, pd.RangeIndex(targets.shape[1], name='target'))
    return table.assign(mean=targets.mean(0), standard_deviation=targets.std(0))


def per_example(outputs: Outputs, values: np.ndarray, targets: np.ndarray) -> pd.DataFrame:
    """Returns a row per example, the worst first: mean absolute and squared error over the targets."""
    errors = values - targets
    scores = {'absolute_error': np.abs(errors).mean(1), 'squared_error': np.square(errors).mean(1)}
    table = pd.DataFrame(scores, pd.Index(outputs.ids, name='id'))
    return table.sort_values('squared_error', ascending=False, kind='stable')


def _features(values: np.ndarray, targets: np.ndarray) -> np.ndarray:
    """Returns features whose means give all metrics, f64 [n, 4, d]: |error|, error², target, target²."""
    errors, centred = values - targets, targets - targets.mean(0)  # centring keeps digits of the squares
    return np.stack([np.abs(errors), np.square(errors), centred, np.square(centred)], 1)


def _metrics(means: np.ndarray) -> dict[str, np.ndarray]:
    """Returns the metrics from means of the features, [..., 4, d]. R² is NaN if all targets are constant."""
    absolute, squared, first, second = np.moveaxis(means, -2, 0)
    variance = second - np.square(first)
    varies = variance > 1e-12 * second  # a smaller variance is a rounding error of equal numbers
    explained = np.where(varies, 1 - squared / np.where(varies, variance, 1), 0).sum(-1)
    count = varies.sum(-1)
    r2 = np.where(count, explained / np.maximum(count, 1), np.nan)
    return {'rmse': np.sqrt(squared.mean(-1)), 'mae': absolute.mean(-1), 'r2': r2}


EVALUATION = RegressionEvaluation()
