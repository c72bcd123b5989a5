"""Evaluation of dense values: errors in the units of the targets, relative and logarithmic ones, R²."""

import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from scipy import sparse

from engine.errors import UserError
from engine.evaluation.drawing import example_cards, figures
from engine.evaluation.kind_evaluation import ExampleScore, KindEvaluation
from engine.evaluation.results.bootstrap import Bootstrap
from engine.evaluation.results.metric import Metric
from engine.evaluation.results.report import Report
from engine.kinds.dense import drawing, pixels
from engine.kinds.dense.definitions import HEADLINES, PER_IMAGE, UNKNOWN, definitions
from engine.kinds.dense.pixels import RATIOS, PixelSums
from engine.kinds.dense.shades import Scale
from engine.lists import ListTable
from engine.outputs.kind import Arrays
from engine.outputs.outputs import Outputs
from engine.render.pictures import Picture

UNIT = 'unit'  # the detail of the manifest that names it
Values = dict[str, np.ndarray]


@dataclass(frozen=True)
class DenseEvaluation(KindEvaluation):
    """Evaluates outputs of kind `dense`."""

    kind = 'dense'
    example_score = ExampleScore('rmse', higher_is_better=False)
    legend = 'From left to right: the input, if it was saved, the prediction, the target, the absolute error.'

    def report(self, outputs: Outputs, bootstrap: Bootstrap) -> Report:
        """Returns metrics with intervals, tables and figures.

        Raises:
          UserError: there is no ground truth, or numbers are not finite.
        """
        read, unit = pixels.read(outputs), _unit(outputs)
        values, resamples = measure(read), resample(read, bootstrap)
        measured = {
            name: bootstrap.metric(float(values[name]), resamples[name], definition)
            for name, definition in definitions(unit).items()
            if name in values
        }
        tables = {'by_target': by_target(read), 'per_example': per_example(outputs, read)}
        title = figures.subject(outputs, bootstrap)
        return Report(
            outputs,
            bootstrap,
            measured,
            HEADLINES[read.is_positive],
            tables,
            self._figures(outputs, read, tables, title, measured['rmse']),
            {name: resamples[name] for name in measured},
            notes=_notes(read, outputs),
        )

    def explanation(self, outputs: Outputs) -> str:
        """Returns what is left and right, and what hatched pixels are."""
        return f'{self.legend} Hatched pixels have no ground truth. All pictures share one scale of colours.'

    def colours(self, outputs: Outputs) -> list[tuple[str, str]]:
        """Returns some values and errors, and their CSS colours."""
        legend = Scale.of(outputs, outputs.manifest.details.get(UNIT, '')).legend
        return legend if _is_coloured(outputs) else [chip for chip in legend if chip[0].startswith('error')]

    def pictures(self, outputs: Outputs, row: int) -> list[Picture]:
        """Returns the input, the prediction, the target and the error of one example."""
        return [picture for _, picture in _shown(outputs, Scale.of(outputs, ''), row)]

    def caption(self, example: Mapping[str, Any]) -> str:
        """Returns the error of an example."""
        relative = f', abs rel {example["abs_rel"]:.3g}' if 'abs_rel' in example else ''
        return f'RMSE {example["rmse"]:.4g}{relative}'

    def read_list(self, table: ListTable, outputs: Outputs) -> Arrays:
        """Reads the column `target` or `label`: a `.npy` file per example."""
        shape = outputs.arrays['values'].shape[1:]
        names = table.column('target', 'label')
        return {'targets': np.stack([_target(table.path.parent / name, shape) for name in names])}

    def _figures(
        self,
        outputs: Outputs,
        read: PixelSums,
        tables: Mapping[str, pd.DataFrame],
        title: str,
        headline: Metric,
    ) -> dict[str, Callable[[], Figure]]:
        scale, unit = Scale.of(outputs, _unit(outputs)), _unit(outputs)
        ranked = tables['per_example'].dropna(subset='rmse').index.tolist()
        rows = {'worst': ranked[0], 'median': ranked[len(ranked) // 2], 'best': ranked[-1]}
        chosen = {name: outputs.ids.index(str(each)) for name, each in list(rows.items())[: len(ranked)]}
        shown = [(name, _shown(outputs, scale, row)) for name, row in chosen.items()]
        drawn: dict[str, Callable[[], Figure]] = {}
        drawn['predictions'] = partial(drawing.predictions, read, tables['by_target'], unit, title, headline)
        drawn['images'] = partial(drawing.images, shown, scale, _is_coloured(outputs), unit, title, headline)
        return drawn


def measure(read: PixelSums) -> dict[str, float]:
    """Returns all metrics of all images by name; NaN where undefined."""
    pooled = _metrics({name: sums.sum() for name, sums in read.sums.items()}, read)
    means = {f'{PER_IMAGE}{name}': _mean(each) for name, each in _metrics(read.sums, read).items()}
    return {name: float(value) for name, value in (pooled | means).items()}


def resample(read: PixelSums, bootstrap: Bootstrap) -> Values:
    """Returns all metrics on each resample of the images, f64 [resamples]."""
    n, of_images = len(read.sums['count']), _metrics(read.sums, read)
    known = [~np.isnan(scores) for scores in of_images.values()]
    columns = {
        'sums': np.stack(list(read.sums.values()), axis=1),
        'scores': np.stack([np.nan_to_num(scores) for scores in of_images.values()], axis=1),
        'known': np.stack(known, axis=1).astype(np.float64),
    }
    drawn = bootstrap.sums({name: sparse.csr_array(array) for name, array in columns.items()}, n)
    pooled = _metrics(dict(zip(read.sums, drawn['sums'].T, strict=True)), read)
    means = drawn['scores'] / np.where(drawn['known'] > 0, drawn['known'], np.nan)
    return pooled | {f'{PER_IMAGE}{name}': column for name, column in zip(of_images, means.T, strict=True)}


def by_target(read: PixelSums) -> pd.DataFrame:
    """Returns a row per bin of the targets: its ends, pixels, mean error, mean absolute error and RMSE."""
    errors, absolute, squared, count = read.by_target
    edges, divisor = read.targets.edges, np.where(count > 0, count, np.nan)
    return pd.DataFrame(
        {
            'low': edges[:-1],
            'high': edges[1:],
            'pixels': count.astype(int),
            'bias': errors / divisor,
            'mae': absolute / divisor,
            'rmse': np.sqrt(squared / divisor),
        },
        index=pd.RangeIndex(len(count), name='bin'),
    )


def per_example(outputs: Outputs, read: PixelSums) -> pd.DataFrame:
    """Returns a row per image, the worst first: its errors, and the share of its pixels with ground truth."""
    scores = _metrics(read.sums, read)
    size = max(1, int(np.prod(outputs.arrays['values'].shape[1:])))
    table = pd.DataFrame({**scores, 'known': read.sums['count'] / size}, pd.Index(outputs.ids, name='id'))
    return table.sort_values('rmse', ascending=False, kind='stable')


def _metrics(sums: Mapping[str, Any], read: PixelSums) -> dict[str, Any]:
    """Returns the metrics from sums over pixels, each [...]; NaN where there are none."""
    count = np.where(sums['count'] > 0, sums['count'], np.nan)
    squared = sums['squared'] / count
    spread = sums['target_squared'] / count - np.square(sums['target'] / count)
    varies = spread > 1e-12 * (sums['target_squared'] / count)
    values = {
        'rmse': np.sqrt(squared),
        'mae': sums['absolute'] / count,
        'r2': np.where(varies, 1 - squared / np.where(varies, spread, 1), np.nan),
    }
    if read.is_positive:
        values |= {'abs_rel': sums['relative'] / count, 'sq_rel': sums['relative_squared'] / count}
        values |= {f'delta_{k + 1}': sums[f'delta_{k + 1}'] / count for k in range(len(RATIOS))}
        logs = 'log10' in sums
        values['rmse_log'] = np.sqrt(sums['log_squared'] / count) if logs else count * np.nan
        values['log10'] = sums['log10'] / count if logs else count * np.nan
    return values


def _mean(scores: np.ndarray) -> float:
    with warnings.catch_warnings():
        warnings.simplefilter('ignore', RuntimeWarning)  # of NaN alone
        return float(np.nanmean(scores))


def _unit(outputs: Outputs) -> str:
    return outputs.manifest.details.get(UNIT, '') or UNKNOWN


def _is_coloured(outputs: Outputs) -> bool:
    """Whether values are shown by a colour map, not as red, green and blue."""
    return outputs.arrays['values'].shape[-1] != 3


def _shown(outputs: Outputs, scale: Scale, row: int) -> list[tuple[str, Picture]]:
    name, arrays = outputs.ids[row], outputs.arrays
    if not arrays['values'][row].size:
        return []
    inputs = [('input', each) for each in example_cards.images(outputs, ('inputs',), row)]
    values = np.asarray(arrays['values'][row])
    shown = [*inputs, ('prediction', scale.picture(f'prediction of {name}', values))]
    if 'targets' not in arrays:
        return shown
    targets = np.asarray(arrays['targets'][row])
    error = scale.error_picture(f'error of {name}', values, targets)
    return [*shown, ('target', scale.picture(f'target of {name}', targets)), ('absolute error', error)]


def _notes(read: PixelSums, outputs: Outputs) -> list[str]:
    missing = outputs.arrays['targets'].size - read.targets.count
    empty = int((read.sums['count'] == 0).sum())
    notes = []
    if missing:
        share = 100 * missing / outputs.arrays['targets'].size
        notes.append(f'{share:.1f} % of the targets are NaN: no ground truth. They count in no metric.')
    if empty:
        notes.append(f'{empty:,} images without any ground truth count in no metric.')
    if read.targets.low == 0:
        notes.append(
            'Some targets are 0, so relative and logarithmic errors are left out. If 0 means that there is '
            'no ground truth, write NaN.'
        )
    if read.is_positive and read.below:
        notes.append(f'{read.below:,} predictions are 0 or less. They count as wrong in δ.')
    return notes


def _target(path: Path, shape: tuple[int, ...]) -> np.ndarray:
    """Reads the targets of one example, [h, w] or [h, w, c]."""
    try:
        array = np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise UserError(f'{path} cannot be read as an array of NumPy: {error}.') from error
    array = array[..., np.newaxis] if array.ndim == 2 else array
    if array.shape != shape or array.dtype.kind not in 'biuf':
        raise UserError(
            f'{path} holds {array.dtype} {list(array.shape)}, but numbers {list(shape)} are needed.'
        )
    return array.astype(np.float64 if array.dtype.itemsize > 4 else np.float32)


EVALUATION = DenseEvaluation()
