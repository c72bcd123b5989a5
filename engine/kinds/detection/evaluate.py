"""Evaluation of detection: average precision and recall of boxes, as COCO defines them."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from engine.evaluation.drawing import figures
from engine.evaluation.kind_evaluation import ExampleScore, KindEvaluation
from engine.evaluation.results.bootstrap import Bootstrap
from engine.evaluation.results.metric import Definition
from engine.evaluation.results.report import Report
from engine.evaluation.submissions import Column, Export, class_names, csv
from engine.kinds.detection import box_pictures, coco
from engine.kinds.detection.boxes import MAX_BOXES, THRESHOLDS, ClassMatches, match, precision, recall
from engine.outputs.kind import Arrays
from engine.outputs.outputs import Outputs
from engine.render.pictures import Picture

COCO = 'Lin et al., Microsoft COCO: Common Objects in Context, ECCV 2014; pycocotools, COCOeval'
DEFINITIONS = {
    'ap': Definition(
        'AP',
        'fraction',
        'higher',
        'Average precision: mean over the classes, over 101 recalls, and over ten thresholds of intersection '
        'over union, 0.5 to 0.95, above which a box counts as a match. With few images it is biased '
        'upwards, and resamples more so: the interval is corrected for the bias of the resamples.',
        COCO,
    ),
    'ap50': Definition(
        'AP at 0.5',
        'fraction',
        'higher',
        'Average precision at the threshold 0.5 of intersection over union.',
        COCO,
    ),
    'ap75': Definition('AP at 0.75', 'fraction', 'higher', 'Average precision at the threshold 0.75.', COCO),
    'ar': Definition(
        'AR',
        'fraction',
        'higher',
        f'Average recall: share of the targets that match at most {MAX_BOXES} boxes per class and image; '
        'mean over the classes and the ten thresholds.',
        COCO,
    ),
}


@dataclass(frozen=True)
class DetectionEvaluation(KindEvaluation):
    """Evaluates outputs of kind `detection`."""

    kind = 'detection'
    example_score = ExampleScore('found_share', higher_is_better=True)
    class_score = 'ap'
    legend = 'Dashed: targets. Solid: as many predicted boxes, those with the highest scores.'
    first_colour = 1

    def report(self, outputs: Outputs, bootstrap: Bootstrap) -> Report:
        """Returns metrics with intervals, tables and figures.

        Raises:
          UserError: there are no targets, or boxes or scores are not valid.
        """
        classes, names = match(outputs)
        n = len(outputs.ids)
        resamples = [class_scores(classes, counts) for counts in bootstrap.counts(n)]
        of_classes = {name: np.stack([resample[name] for resample in resamples]) for name in DEFINITIONS}
        means = {name: _means(values) for name, values in of_classes.items()}
        once = class_scores(classes, np.ones(n))
        values = {name: float(np.nanmean(scores)) for name, scores in once.items()}
        measured = {
            name: bootstrap.metric(values[name], _unbiased(means[name], values[name]), definition)
            for name, definition in DEFINITIONS.items()
        }
        table = _per_class(classes, names, once, of_classes, bootstrap)
        tables = {'per_class': table, 'per_example': per_example(outputs.ids, classes)}
        title = figures.subject(outputs, bootstrap)
        drawn = {
            'per_class_ap': partial(figures.class_scores, table, 'ap', 'AP', 'boxes', title, measured['ap'])
        }
        return Report(outputs, bootstrap, measured, tuple(DEFINITIONS), tables, drawn, means)

    def explanation(self, outputs: Outputs) -> str:
        """Returns how boxes are drawn, and in which frame where no pictures were saved."""
        if box_pictures.has_images(outputs):
            return self.legend
        x0, y0, x1, y1 = (f'{corner:.0f}' for corner in box_pictures.frame(outputs))
        return (
            f'{self.legend} No pictures were saved (inputs.npy), so their sizes are unknown: the frame holds '
            f'the boxes of all examples, x from {x0} to {x1} and y from {y0} to {y1} pixels.'
        )

    def pictures(self, outputs: Outputs, row: int) -> list[Picture]:
        """Returns the image of one example with its boxes."""
        return [box_pictures.picture(outputs, row)]

    def caption(self, example: Mapping[str, Any]) -> str:
        """Returns the number of found targets, of targets and of boxes."""
        boxes = f'{example["boxes"]} box{"" if example["boxes"] == 1 else "es"}'
        return f'{example["found"]} of {example["targets"]} found, {boxes}'

    def exports(self) -> Mapping[str, Export]:
        """Returns the formats: arrays, a table with a row per box, and results of COCO."""
        return {**super().exports(), 'csv': Export('.csv', _as_csv), 'coco': Export('.json', _as_coco)}

    def read_json(self, path: Path, outputs: Outputs) -> tuple[Sequence[str], Arrays]:
        """Reads annotations of COCO."""
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
    """Returns all metrics of the classes, f64 [K], for images repeated `counts` times, f64 [n]."""
    precisions = np.stack([precision(matched, counts).mean(1) for matched in classes])  # [K, T]
    at = {threshold: int(np.argmin(np.abs(THRESHOLDS - threshold))) for threshold in (0.5, 0.75)}
    return {
        'ap': precisions.mean(1),
        'ap50': precisions[:, at[0.5]],
        'ap75': precisions[:, at[0.75]],
        'ar': np.stack([recall(matched, counts).mean() for matched in classes]),
    }


def per_example(ids: Sequence[str], classes: list[ClassMatches]) -> pd.DataFrame:
    """Returns a row per image, the worst first: numbers of targets, of found targets and of boxes.

    A target is found if a box of its class has an intersection over union of 0.5 or more with it.
    """
    n = len(ids)
    targets = np.sum([matched.targets for matched in classes], 0)
    hits = np.sum([np.bincount(matched.images[matched.hits[0]], minlength=n) for matched in classes], 0)
    boxes = np.sum([np.bincount(matched.images, minlength=n) for matched in classes], 0)
    share = np.where(targets > 0, hits / np.maximum(targets, 1), np.nan)
    columns = {'found_share': share, 'targets': targets, 'found': hits, 'boxes': boxes}
    table = pd.DataFrame(columns, pd.Index(ids, name='id'))
    return table.sort_values(['found_share', 'boxes'], ascending=[True, False], kind='stable')


def _means(values: np.ndarray) -> np.ndarray:
    """Returns the means of values [resamples, K] over classes, f64 [resamples]. Ignores NaN."""
    present = ~np.isnan(values)
    sums = np.where(present, values, 0).sum(1)
    return np.where(present.any(1), sums / np.maximum(present.sum(1), 1), np.nan)


def _unbiased(resamples: np.ndarray, values: np.ndarray | float) -> np.ndarray:
    """Removes the bias from values [resamples, ...], twice: that of the resamples and that of the value.

    Few images increase precision, and repeated images increase it again. The bootstrap assumes that both
    biases are equal.

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
    """Returns a row per class: metrics, interval of AP, numbers of targets and of predicted boxes."""
    ends = np.full((2, len(names)), np.nan)
    present = ~np.isnan(resamples['ap']).all(0)
    ends[:, present] = bootstrap.interval(_unbiased(resamples['ap'][:, present], once['ap'][present]))
    columns = {
        **once,
        'ap_low': ends[0],
        'ap_high': ends[1],
        'support': [int(matched.targets.sum()) for matched in classes],
        'predicted': [len(matched.images) for matched in classes],
    }
    return pd.DataFrame(columns, pd.Index(names, name='class'))


EVALUATION = DetectionEvaluation()
