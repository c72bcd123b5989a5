"""Evaluation of segmentation: intersection over union, Dice, pixel accuracy."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import pandas as pd

from engine.evaluation.drawing import confusion, figures
from engine.evaluation.kind_evaluation import ExampleScore, KindEvaluation
from engine.evaluation.labels.label_cells import read_images
from engine.evaluation.results.bootstrap import Bootstrap
from engine.evaluation.results.metric import Definition
from engine.evaluation.results.report import Report
from engine.evaluation.submissions import Export
from engine.kinds.classification import mistakes
from engine.kinds.detection import coco
from engine.kinds.segmentation.pixels import Pixels, count_pixels, scores
from engine.lists import ListTable
from engine.outputs.kind import Arrays
from engine.outputs.outputs import Outputs
from engine.outputs.pictures.sequence import Pictures
from engine.render import palette, pictures
from engine.render.names import isolated
from engine.render.pictures import Picture

DEFINITIONS = {
    'mean_iou': Definition(
        'mean IoU',
        'fraction',
        'higher',
        'Mean over the classes, with background, of intersection over union: the pixels of a class in both '
        'target and prediction over those in either, in all images together. Absent classes are left out.',
        'Everingham et al., The PASCAL Visual Object Classes Challenge: A Retrospective, IJCV 2015; '
        'the same as scikit-learn, jaccard_score of all pixels with average="macro"',
    ),
    'mean_dice': Definition(
        'mean Dice',
        'fraction',
        'higher',
        'Mean over the classes, with background, of twice the pixels of a class in both target and '
        'prediction over the sum of those in the target and those in the prediction. Absent classes are left '
        'out.',
        'Dice, Measures of the Amount of Ecologic Association Between Species, Ecology 1945; '
        'the same as scikit-learn, f1_score of all pixels with average="macro"',
    ),
    'pixel_accuracy': Definition(
        'pixel accuracy',
        'fraction',
        'higher',
        'Share of all pixels that count whose predicted class is the class of the target.',
        'scikit-learn, accuracy_score',
    ),
}

IGNORED = 'ignored (hatched)'
BLOCK = 256  # images that are measured at once


@dataclass(frozen=True)
class SegmentationEvaluation(KindEvaluation):
    """Evaluates outputs of kind `segmentation`."""

    kind = 'segmentation'
    pooled_metrics = tuple(DEFINITIONS)
    example_score = ExampleScore('mean_iou', higher_is_better=True)
    class_score = 'iou'
    legend = 'Left the target, right the prediction.'
    first_colour = 0

    def report(self, outputs: Outputs, bootstrap: Bootstrap) -> Report:
        """Returns metrics with intervals, tables and figures.

        Raises:
          UserError: the targets are missing, or the masks have no pixels.
        """
        pixels = count_pixels(outputs)
        resamples = resample(pixels, bootstrap)
        measured = {
            name: bootstrap.metric(value, resamples[name], DEFINITIONS[name])
            for name, value in measure(pixels).items()
        }
        tables = {
            'per_class': _per_class(pixels, bootstrap, resamples),
            **_confusion(pixels),
            'per_example': per_example(outputs, pixels),
        }
        title = figures.subject(outputs, bootstrap)
        headline = measured['mean_iou']
        drawn = {
            'per_class_iou': partial(
                figures.class_scores, tables['per_class'], 'iou', 'IoU', 'pixels', title, headline
            ),
            'confusion_matrix': partial(
                confusion.matrix,
                pixels.confusion,
                pixels.class_names,
                title,
                measured['pixel_accuracy'],
                in_percent=True,
            ),
        }
        resamples = {name: resamples[name] for name in measured}
        return Report(outputs, bootstrap, measured, tuple(DEFINITIONS), tables, drawn, resamples)

    def explanation(self, outputs: Outputs) -> str:
        """Returns what is left and right, and whether pictures lie below the masks."""
        ignored = ' Hatched pixels of the target count in no metric.' if _has_ignored(outputs) else ''
        if 'inputs' in outputs.arrays:
            first = f', {isolated(outputs.class_names[0])},' if outputs.class_names else ''
            transparent = f' The first class{first} has no colour.'
            return f'{self.legend}{transparent}{ignored} Point at a picture to see it without its mask.'
        return f'{self.legend}{ignored} No pictures were saved (inputs.npy), so the masks stand alone.'

    def colours(self, outputs: Outputs) -> list[tuple[str, str]]:
        """Returns name and CSS colour of ignored pixels, if any, and of each class with a colour."""
        ignored = [(IGNORED, palette.GREY)] if _has_ignored(outputs) else []
        return ignored + super().colours(outputs)[int('inputs' in outputs.arrays) :]

    def pictures(self, outputs: Outputs, row: int) -> list[Picture]:
        """Returns target and prediction over the image of one example."""
        return [_mask(outputs, name, row) for name in ('targets', 'masks') if name in outputs.arrays]

    def caption(self, example: Mapping[str, Any]) -> str:
        """Returns the mean IoU of an example."""
        return f'{100 * example["mean_iou"]:.1f} %'

    def exports(self) -> Mapping[str, Export]:
        """Returns the formats: arrays, and results of COCO with run lengths of each class in each mask."""
        return {**super().exports(), 'coco': Export('.json', _as_coco)}

    def read_list(self, table: ListTable, outputs: Outputs) -> Arrays:
        """Reads the column `mask` or `label`: a PNG file of class indices per example."""
        return {'targets': read_images(table, ('mask', 'label'), outputs.arrays['masks'])}


def measure(pixels: Pixels) -> dict[str, float]:
    """Returns all metrics, in the order in which reports list them."""
    return {name: float(value) for name, value in _means(*_sums(pixels)).items()}


def resample(pixels: Pixels, bootstrap: Bootstrap) -> dict[str, np.ndarray]:
    """Returns all metrics on each resample, f64 [resamples], and `iou` and `dice` of each class."""
    counts = {'hits': pixels.hits, 'targets': pixels.targets, 'predicted': pixels.predicted}
    sums = bootstrap.sums(counts, len(pixels.hits.indptr) - 1)
    return _means(**sums) | scores(**sums)


def per_example(outputs: Outputs, pixels: Pixels) -> pd.DataFrame:
    """Returns a row per image, the worst first: mean IoU, mean Dice and pixel accuracy."""
    parts = []
    for start in range(0, len(outputs.ids), BLOCK):  # dense numbers of all images and classes may be large
        rows = slice(start, start + BLOCK)
        counts = (matrix[rows].toarray() for matrix in (pixels.hits, pixels.targets, pixels.predicted))
        parts.append(pd.DataFrame(_means(*counts)))
    scores = pd.concat(parts).set_axis(pd.Index(outputs.ids, name='id'))
    return scores.sort_values('mean_iou', kind='stable')


def _has_ignored(outputs: Outputs) -> bool:
    targets = outputs.arrays.get('targets', ())
    values = [targets.values] if isinstance(targets, Pictures) else targets
    return any(outputs.manifest.is_ignored(some).any() for some in values)


def _mask(outputs: Outputs, name: str, row: int) -> Picture:
    """Returns a mask over its image, which hides while the pointer is on it; the mask alone without image."""
    labels, title = outputs.arrays[name][row], f'{name.removesuffix("s")} of {outputs.ids[row]}'
    ignored = outputs.manifest.is_ignored(labels) & (name == 'targets')
    if 'inputs' not in outputs.arrays or not outputs.arrays['inputs'][row].size:
        return Picture(title, pictures.hatched(palette.painted(labels), ignored))
    return Picture(title, pictures.visible(outputs.arrays['inputs'][row]), labels, ignored)


def _as_coco(outputs: Outputs) -> bytes:
    return json.dumps(coco.mask_results(outputs)).encode()


def _means(hits: np.ndarray, targets: np.ndarray, predicted: np.ndarray) -> dict[str, np.ndarray]:
    """Returns the metrics from numbers of pixels per class, [..., classes]."""
    of_classes = scores(hits, targets, predicted)
    return {
        'mean_iou': _mean(of_classes['iou']),
        'mean_dice': _mean(of_classes['dice']),
        'pixel_accuracy': hits.sum(-1) / np.where(targets.sum(-1) > 0, targets.sum(-1), np.nan),
    }


def _mean(scores: np.ndarray) -> np.ndarray:
    """Returns the mean over the classes, f64 [...], of scores [..., classes]; NaN if no pixel counts."""
    known = ~np.isnan(scores)
    number = known.sum(-1)
    return np.where(known, scores, 0).sum(-1) / np.where(number > 0, number, np.nan)


def _per_class(pixels: Pixels, bootstrap: Bootstrap, resamples: dict[str, np.ndarray]) -> pd.DataFrame:
    """Returns a row per class: IoU and Dice with intervals, and pixels in target and prediction."""
    hits, targets, predicted = _sums(pixels)
    columns = {}
    for name, values in scores(hits, targets, predicted).items():
        low, high = bootstrap.interval(resamples[name])
        columns |= {name: values, f'{name}_low': low, f'{name}_high': high}
    index = pd.Index(pixels.class_names, name='class')
    columns |= {'support': targets.astype(int), 'predicted': predicted.astype(int)}
    return pd.DataFrame(columns, index=index)


def _confusion(pixels: Pixels) -> dict[str, pd.DataFrame]:
    """Returns the confusion matrix, unless it is huge, and of many classes the pairs confused most."""
    tables = mistakes.tables(pixels.confusion, pixels.class_names)
    few = len(pixels.class_names) <= confusion.NUMBERED
    return {name: table for name, table in tables.items() if name == 'confusion_matrix' or not few}


def _sums(pixels: Pixels) -> list[np.ndarray]:
    """Returns the pixels of each class in both masks, in targets and in predictions, f64 [classes]."""
    return [np.asarray(counts.sum(0)) for counts in (pixels.hits, pixels.targets, pixels.predicted)]


EVALUATION = SegmentationEvaluation()
