"""How well objects are detected: average precision and recall of their boxes, as COCO defines them."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from engine.evaluation.drawing import figures
from engine.evaluation.export_forms import Column, Export, class_names, csv
from engine.evaluation.kind_evaluation import ExampleScore, KindEvaluation
from engine.evaluation.results.bootstrap import Bootstrap
from engine.evaluation.results.metric import Definition, Metric
from engine.evaluation.results.report import Report
from engine.kinds.detection import box_pictures, coco
from engine.kinds.detection.boxes import MAX_BOXES, THRESHOLDS, ClassMatches, match, precision, recall
from engine.outputs.kind import Arrays
from engine.outputs.outputs import Outputs

COCO = 'Lin et al., Microsoft COCO: Common Objects in Context, ECCV 2014; pycocotools, COCOeval'
DEFINITIONS = {
    'ap': Definition(
        'AP',
        'fraction',
        'higher',
        'Average precision: mean over the classes, over 101 recalls, and over ten thresholds of intersection '
        'over union, 0.5 to 0.95, from which on a box counts as found. On few images it comes out too '
        'high, and more so in resamples: its interval is moved down by the bias that these show.',
        COCO,
    ),
    'ap50': Definition(
        'AP at 0.5',
        'fraction',
        'higher',
        'Average precision where half of intersection over union is enough.',
        COCO,
    ),
    'ap75': Definition(
        'AP at 0.75', 'fraction', 'higher', 'Average precision where three quarters are needed.', COCO
    ),
    'ar': Definition(
        'AR',
        'fraction',
        'higher',
        f'Average recall: share of the targets found by at most {MAX_BOXES} boxes of a class in an image; '
        'mean over classes and the ten thresholds.',
        COCO,
    ),
}


@dataclass(frozen=True)
class DetectionEvaluation(KindEvaluation):
    """Evaluates outputs of kind `detection`."""

    kind = 'detection'
    example_score = ExampleScore('found_share', higher_is_better=True)
    class_score = 'ap'
    legend = 'Dashed the targets; solid the surest boxes, as many as there are targets.'
    first_colour = 1

    def report(self, outputs: Outputs, bootstrap: Bootstrap) -> Report:
        """Returns metrics with intervals, tables and figures.

        Raises:
          UserError: there are no targets, or numbers that are no boxes or scores.
        """
        classes, names = match(outputs)
        n = len(outputs.ids)
        resamples = [class_scores(classes, counts) for counts in bootstrap.counts(n)]
        of_classes = {name: np.stack([draw[name] for draw in resamples]) for name in DEFINITIONS}
        means = {name: _means(values) for name, values in of_classes.items()}
        once = class_scores(classes, np.ones(n))
        values = {name: float(np.nanmean(each)) for name, each in once.items()}
        ends = {name: bootstrap.interval(_unbiased(means[name], value)) for name, value in values.items()}
        measured = {
            name: Metric(values[name], ends[name].tolist(), definition)
            for name, definition in DEFINITIONS.items()
        }
        table = _per_class(classes, names, once, of_classes, bootstrap)
        tables = {'per_class': table, 'per_example': per_example(outputs.ids, classes)}
        title = figures.subject(outputs, bootstrap)
        drawn = {
            'per_class_ap': partial(figures.class_scores, table, 'ap', 'AP', 'boxes', title, measured['ap'])
        }
        return Report(outputs, bootstrap, measured, tuple(DEFINITIONS), tables, drawn, means)

    def pictures(self, outputs: Outputs, row: int) -> list[str]:
        """Returns the image of one example with its boxes, as markup."""
        return [box_pictures.picture(outputs, row)]

    def caption(self, example: Mapping[str, Any]) -> str:
        """Returns how many targets of an example were found, and the number of its boxes."""
        return f'{example["found"]} of {example["targets"]} found, {example["boxes"]} boxes'

    def exports(self) -> Mapping[str, Export]:
        """Returns arrays, a table with a row per box, and COCO's results."""
        return {**super().exports(), 'csv': Export('.csv', _as_csv), 'coco': Export('.json', _as_coco)}

    def read_json(self, path: Path, outputs: Outputs) -> tuple[Sequence[str], Arrays]:
        """Reads COCO's annotations of boxes."""
        return coco.read(path, outputs)


def _as_csv(outputs: Outputs) -> bytes:
    arrays, classes = outputs.arrays, outputs.arrays['classes']
    names = class_names(outputs, int(classes.max(initial=0)) + 1)
    columns: dict[str, Column] = {
        'id': [outputs.ids[index] for index in arrays['example']],
        'class': [names[index] for index in classes],
        'score': arrays['scores'],
    }
    return csv(columns | dict(zip(('x0', 'y0', 'x1', 'y1'), arrays['boxes'].T, strict=True)))


def _as_coco(outputs: Outputs) -> bytes:
    return json.dumps(coco.box_results(outputs)).encode()


def class_scores(classes: list[ClassMatches], counts: np.ndarray) -> dict[str, np.ndarray]:
    """Returns every metric of each class, f64 [K], for images that count so often, f64 [n]."""
    precisions = np.stack([precision(each, counts).mean(1) for each in classes])  # [K, T]
    at = {share: int(np.argmin(np.abs(THRESHOLDS - share))) for share in (0.5, 0.75)}
    return {
        'ap': precisions.mean(1),
        'ap50': precisions[:, at[0.5]],
        'ap75': precisions[:, at[0.75]],
        'ar': np.stack([recall(each, counts).mean() for each in classes]),
    }


def per_example(ids: Sequence[str], classes: list[ClassMatches]) -> pd.DataFrame:
    """Returns a row per image, the worst first: its targets, how many were found, its boxes.

    A target is found by a box of its class that covers half of both together.
    """
    n = len(ids)
    targets = np.sum([each.targets for each in classes], 0)
    hits = np.sum([np.bincount(each.images[each.hits[0]], minlength=n) for each in classes], 0)
    boxes = np.sum([np.bincount(each.images, minlength=n) for each in classes], 0)
    share = np.where(targets > 0, hits / np.maximum(targets, 1), np.nan)
    columns = {'found_share': share, 'targets': targets, 'found': hits, 'boxes': boxes}
    table = pd.DataFrame(columns, pd.Index(ids, name='id'))
    return table.sort_values(['found_share', 'boxes'], ascending=[True, False], kind='stable')


def _means(values: np.ndarray) -> np.ndarray:
    """Averages values [resamples, K] over the classes that occur: f64 [resamples], NaN for none."""
    there = ~np.isnan(values)
    sums = np.where(there, values, 0).sum(1)
    return np.where(there.any(1), sums / np.maximum(there.sum(1), 1), np.nan)


def _unbiased(resamples: np.ndarray, values: np.ndarray | float) -> np.ndarray:
    """Removes from values [resamples, ...] the bias that they show, and the equal bias of the value itself.

    Few images raise precision, and repeated ones raise it again: by as much, as the bootstrap supposes.

    Source: Efron and Tibshirani, An Introduction to the Bootstrap, 1993, chapter 10.
    """
    bias = np.nanmean(resamples, 0) - values
    return np.clip(resamples - 2 * bias, 0, 1)


def _per_class(
    classes: list[ClassMatches],
    names: tuple[str, ...],
    once: dict[str, np.ndarray],
    resamples: dict[str, np.ndarray],
    bootstrap: Bootstrap,
) -> pd.DataFrame:
    """Returns a row per class: its metrics, the interval of AP, boxes in targets and predictions."""
    ends = np.full((2, len(names)), np.nan)
    there = ~np.isnan(resamples['ap']).all(0)
    ends[:, there] = bootstrap.interval(_unbiased(resamples['ap'][:, there], once['ap'][there]))
    columns = {
        **once,
        'ap_low': ends[0],
        'ap_high': ends[1],
        'support': [int(each.targets.sum()) for each in classes],
        'predicted': [len(each.images) for each in classes],
    }
    return pd.DataFrame(columns, pd.Index(names, name='class'))


EVALUATION = DetectionEvaluation()
