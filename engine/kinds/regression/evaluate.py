"""How far predicted numbers are from the true ones: errors in the units of the targets, and R²."""

from dataclasses import dataclass
from functools import partial

import numpy as np
import pandas as pd
from scipy import sparse

from engine.errors import UserError
from engine.evaluation.drawing import figures
from engine.evaluation.labels import external_labels
from engine.evaluation.results.bootstrap import Bootstrap
from engine.evaluation.results.metric import Definition, Metric
from engine.evaluation.results.report import Report
from engine.kinds.regression import scatter
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
        'One minus the squared error over that of the mean of the targets; the mean over the targets that '
        'vary. 1 is perfect, 0 no better than the mean.',
        'Wright, Correlation and Causation, Journal of Agricultural Research 1921',
    ),
}


@dataclass(frozen=True)
class Regression:
    """Evaluates outputs of kind `regression`."""

    def report(self, found: Outputs, bootstrap: Bootstrap) -> Report:
        """Returns all that is said about `found`.

        Raises:
          UserError: there are no targets, or numbers that are not finite.
        """
        values, targets = read_numbers(found)
        resamples = resample(values, targets, bootstrap)
        measured = {
            name: Metric(value, bootstrap.interval(resamples[name]).tolist(), DEFINITIONS[name])
            for name, value in measure(values, targets).items()
        }
        title = figures.subject(found, bootstrap)
        tables = {
            'per_target': per_target(values, targets),
            'per_example': per_example(found, values, targets),
        }
        drawn = {'predictions': partial(scatter.predictions, values, targets, title, measured['rmse'])}
        return Report(found, bootstrap, measured, tuple(measured), tables, drawn, resamples)


def read_numbers(found: Outputs) -> tuple[np.ndarray, np.ndarray]:
    """Returns predictions and targets, each f64 [n, d].

    Raises:
      UserError: there are no targets, no examples, or numbers that are not finite.
    """
    external_labels.require(found, 'targets')
    values, targets = (np.asarray(found.arrays[name], np.float64) for name in ('values', 'targets'))
    if not values.size:
        raise UserError(f'{found.folder} holds no numbers, so there is nothing to evaluate.')
    for name, array in (('values', values), ('targets', targets)):
        bad = np.flatnonzero(~np.isfinite(array).all(1))
        if bad.size:
            raise UserError(
                f'{found.folder}: {name}.npy is not finite for {bad.size} of {len(array)} examples, first of '
                f'them {found.ids[bad[0]]!r}.'
            )
    return values, targets


def measure(values: np.ndarray, targets: np.ndarray) -> dict[str, float]:
    """Returns every metric of predictions [n, d]; no R² where no target varies."""
    metrics = _metrics(_features(values, targets).mean(0))
    return {name: float(value) for name, value in metrics.items() if not np.isnan(value)}


def resample(values: np.ndarray, targets: np.ndarray, bootstrap: Bootstrap) -> dict[str, np.ndarray]:
    """Returns every metric on each resample of the examples, f64 [resamples]."""
    features = _features(values, targets)
    n, *shape = features.shape
    sums = bootstrap.sums({'features': sparse.csr_array(features.reshape(n, -1))}, n)['features']
    return _metrics(sums.reshape(-1, *shape) / n)


def per_target(values: np.ndarray, targets: np.ndarray) -> pd.DataFrame:
    """Returns a row for each target: its errors, its R², mean and standard deviation of its truth."""
    means = _features(values, targets).mean(0)
    of_each = _metrics(means.T[..., np.newaxis])
    table = pd.DataFrame(of_each, pd.RangeIndex(targets.shape[1], name='target'))
    return table.assign(mean=targets.mean(0), standard_deviation=targets.std(0))


def per_example(found: Outputs, values: np.ndarray, targets: np.ndarray) -> pd.DataFrame:
    """Returns a row for each example, the worst first: its absolute and squared error, means over targets."""
    errors = values - targets
    scores = {'absolute_error': np.abs(errors).mean(1), 'squared_error': np.square(errors).mean(1)}
    table = pd.DataFrame(scores, pd.Index(found.ids, name='id'))
    return table.sort_values('squared_error', ascending=False, kind='stable')


def _features(values: np.ndarray, targets: np.ndarray) -> np.ndarray:
    """Returns what all metrics are made of by means, f64 [n, 4, d]: |error|, error², target, target²."""
    errors, centred = values - targets, targets - targets.mean(0)  # or squares would lose digits
    return np.stack([np.abs(errors), np.square(errors), centred, np.square(centred)], 1)


def _metrics(means: np.ndarray) -> dict[str, np.ndarray]:
    """Returns the metrics from means of the features, [..., 4, d]; R² is NaN where no target varies."""
    absolute, squared, first, second = np.moveaxis(means, -2, 0)
    variance = second - np.square(first)
    varies = variance > 1e-12 * second  # what is left of equal numbers by rounding is no variance
    explained = np.where(varies, 1 - squared / np.where(varies, variance, 1), 0).sum(-1)
    count = varies.sum(-1)
    r2 = np.where(count, explained / np.maximum(count, 1), np.nan)
    return {'rmse': np.sqrt(squared.mean(-1)), 'mae': absolute.mean(-1), 'r2': r2}
