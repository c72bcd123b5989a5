"""How well the class of each pixel was found: intersection over union, Dice, accuracy."""

from dataclasses import dataclass
from functools import partial

import numpy as np
import pandas as pd
from scipy import sparse

from engine.evaluation.drawing import figures
from engine.evaluation.results.bootstrap import Bootstrap
from engine.evaluation.results.metric import Definition, Metric
from engine.evaluation.results.report import Report
from engine.kinds.segmentation import mask_sheet
from engine.kinds.segmentation.pixels import Pixels, count_pixels, scores
from engine.outputs.outputs import Outputs

DEFINITIONS = {
    'mean_iou': Definition(
        'mean IoU',
        'fraction',
        'higher',
        'Mean over the classes, background too, of the pixels of a class in both target and prediction over '
        'those in either, of all images together; a class in neither is left out.',
        'Everingham et al., The PASCAL Visual Object Classes Challenge: A Retrospective, IJCV 2015; '
        'the same as scikit-learn, jaccard_score of all pixels with average="macro"',
    ),
    'mean_dice': Definition(
        'mean Dice',
        'fraction',
        'higher',
        'Mean over the classes, background too, of twice the pixels of a class in both target and prediction '
        'over those of the target and those of the prediction; a class in neither is left out.',
        'Dice, Measures of the Amount of Ecologic Association Between Species, Ecology 1945; '
        'the same as scikit-learn, f1_score of all pixels with average="macro"',
    ),
    'pixel_accuracy': Definition(
        'pixel accuracy',
        'fraction',
        'higher',
        'Share of all pixels whose predicted class is that of the target.',
        'scikit-learn, accuracy_score',
    ),
}


@dataclass(frozen=True)
class Segmentation:
    """Evaluates outputs of kind `segmentation`."""

    def report(self, found: Outputs, bootstrap: Bootstrap) -> Report:
        """Returns all that is said about `found`.

        Raises:
          UserError: the targets are missing, or the masks have no pixels.
        """
        pixels = count_pixels(found)
        resamples = resample(pixels, bootstrap)
        measured = {
            name: Metric(value, bootstrap.interval(resamples[name]).tolist(), DEFINITIONS[name])
            for name, value in measure(pixels).items()
        }
        classes = pd.Index(pixels.class_names, name='label')
        tables = {
            'per_class': _per_class(pixels, bootstrap, resamples),
            'confusion_matrix': pd.DataFrame(pixels.confusion, classes, list(pixels.class_names)),
            'per_example': per_example(found, pixels),
        }
        title = figures.subject(found, bootstrap)
        headline = measured['mean_iou']
        drawn = {
            'per_class_iou': partial(
                figures.class_scores, tables['per_class'], 'iou', 'IoU', 'pixels', title, headline
            ),
            'confusion_matrix': partial(
                figures.confusion_matrix,
                tables['confusion_matrix'],
                title,
                measured['pixel_accuracy'],
                in_percent=True,
            ),
            'examples': partial(
                mask_sheet.draw, found, pixels.class_names, image_scores(pixels), title, headline
            ),
        }
        resamples = {name: resamples[name] for name in measured}
        return Report(found, bootstrap, measured, tuple(DEFINITIONS), tables, drawn, resamples)


def measure(pixels: Pixels) -> dict[str, float]:
    """Returns every metric, in the order in which they are told."""
    sums = (each.sum(0) for each in (pixels.hits, pixels.targets, pixels.predicted))
    return {name: float(value) for name, value in _means(*sums).items()}


def resample(pixels: Pixels, bootstrap: Bootstrap) -> dict[str, np.ndarray]:
    """Returns every metric on each resample, f64 [resamples]; `iou` and `dice`, f64 [resamples, classes]."""
    counts = {'hits': pixels.hits, 'targets': pixels.targets, 'predicted': pixels.predicted}
    features = {name: sparse.csr_array(each.astype(np.float64)) for name, each in counts.items()}
    sums = bootstrap.sums(features, len(pixels.hits))
    return _means(**sums) | scores(**sums)


def image_scores(pixels: Pixels) -> np.ndarray:
    """Returns the mean IoU of each image by itself, over the classes in either of its masks, f64 [n]."""
    return np.nanmean(scores(pixels.hits, pixels.targets, pixels.predicted)['iou'], axis=1)


def per_example(found: Outputs, pixels: Pixels) -> pd.DataFrame:
    """Returns a row per image, the worst first: its mean IoU and Dice and its pixel accuracy."""
    scores = _means(pixels.hits, pixels.targets, pixels.predicted)
    return pd.DataFrame(scores, pd.Index(found.ids, name='id')).sort_values('mean_iou', kind='stable')


def _means(hits: np.ndarray, targets: np.ndarray, predicted: np.ndarray) -> dict[str, np.ndarray]:
    """Returns the metrics from pixels of each class, each [..., classes]."""
    found = scores(hits, targets, predicted)
    return {
        'mean_iou': np.nanmean(found['iou'], axis=-1),
        'mean_dice': np.nanmean(found['dice'], axis=-1),
        'pixel_accuracy': hits.sum(-1) / targets.sum(-1),
    }


def _per_class(pixels: Pixels, bootstrap: Bootstrap, resamples: dict[str, np.ndarray]) -> pd.DataFrame:
    """Returns a row per class: IoU and Dice with intervals, pixels in target and prediction."""
    targets, predicted = pixels.targets.sum(0), pixels.predicted.sum(0)
    columns = {}
    for name, values in scores(pixels.hits.sum(0), targets, predicted).items():
        low, high = _interval(bootstrap, resamples[name])
        columns |= {name: values, f'{name}_low': low, f'{name}_high': high}
    index = pd.Index(pixels.class_names, name='class')
    return pd.DataFrame({**columns, 'support': targets, 'predicted': predicted}, index=index)


def _interval(bootstrap: Bootstrap, resamples: np.ndarray) -> np.ndarray:
    """Returns low and high ends [2, classes]; NaN for a class that no resample holds."""
    there = ~np.isnan(resamples).all(0)
    ends = np.full((2, resamples.shape[1]), np.nan)
    ends[:, there] = bootstrap.interval(resamples[:, there])
    return ends
