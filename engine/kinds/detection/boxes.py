"""Matches of predicted and true boxes by pycocotools, and average precision from the matches.

Letters: T thresholds of intersection over union, K classes, D predicted boxes of a class.
"""

import contextlib
import io
from dataclasses import dataclass
from typing import Any

import numpy as np
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from engine.errors import UserError
from engine.evaluation.kind_evaluation import require
from engine.outputs.outputs import Outputs

THRESHOLDS = np.linspace(0.5, 0.95, 10)
RECALLS = np.linspace(0, 1, 101)
MAX_BOXES = 100  # evaluated boxes per class and image, those with the highest scores
TARGET_ARRAYS = ('target_boxes', 'target_classes', 'target_example')


@dataclass(frozen=True)
class ClassMatches:
    """The boxes of one class in all images.

    Attributes:
      hits: whether a predicted box matches a target, by threshold, highest score first, bool [T, D].
      images: images of the predicted boxes, int [D].
      targets: number of targets per image, int [n].
    """

    hits: np.ndarray
    images: np.ndarray
    targets: np.ndarray


def match(outputs: Outputs) -> tuple[list[ClassMatches], tuple[str, ...]]:
    """Returns the matches of the classes, and the names of the classes.

    Raises:
      UserError: there are no targets, or boxes or scores are not valid.
    """
    _check(outputs)
    arrays = outputs.arrays
    names = outputs.class_names or tuple(map(str, range(_largest_class(outputs) + 1)))
    evaluation: Any = COCOeval(
        _index(
            outputs, len(names), arrays['target_boxes'], arrays['target_classes'], arrays['target_example']
        ),
        _index(outputs, len(names), arrays['boxes'], arrays['classes'], arrays['example'], arrays['scores']),
        'bbox',
    )
    evaluation.params.areaRng, evaluation.params.areaRngLbl = [[0, np.inf]], ['all']
    evaluation.params.maxDets = [MAX_BOXES]
    with contextlib.redirect_stdout(io.StringIO()):
        evaluation.evaluate()
    n = len(outputs.ids)
    images = np.array(evaluation.evalImgs, object).reshape(len(names), n)
    return [_class(results, n) for results in images], names


def _index(
    outputs: Outputs,
    classes: int,
    boxes: np.ndarray,
    labels: np.ndarray,
    images: np.ndarray,
    scores: np.ndarray | None = None,
) -> COCO:
    """Returns boxes as an index of pycocotools."""
    sides = boxes[:, 2:].astype(np.float64) - boxes[:, :2]
    coco: Any = COCO()
    coco.dataset = {
        'images': [{'id': image} for image in range(len(outputs.ids))],
        'categories': [{'id': label} for label in range(classes)],
        'annotations': [
            {
                'id': place + 1,  # to pycocotools 0 means unmatched
                'image_id': int(images[place]),
                'category_id': int(labels[place]),
                'bbox': [*map(float, boxes[place, :2]), *sides[place].tolist()],
                'area': float(sides[place].prod()),
                'iscrowd': 0,
                'score': 0.0 if scores is None else float(scores[place]),
            }
            for place in range(len(boxes))
        ],
    }
    with contextlib.redirect_stdout(io.StringIO()):
        coco.createIndex()
    return coco


def _class(evaluated: np.ndarray, n: int) -> ClassMatches:
    """Returns the matches of a class from the results of pycocotools per image, which may be None."""
    results = [(image, result) for image, result in enumerate(evaluated) if result is not None]
    targets = np.zeros(n, int)
    for image, result in results:
        targets[image] = len(result['gtIds'])
    matches = [result['dtMatches'] > 0 for _, result in results]
    hits = np.concatenate([np.zeros((len(THRESHOLDS), 0), bool), *matches], 1)
    scores = np.concatenate([np.zeros(0), *(result['dtScores'] for _, result in results)])
    boxes = [len(result['dtScores']) for _, result in results]
    images = np.repeat([image for image, _ in results], boxes).astype(int)
    order = np.argsort(-scores, kind='stable')
    return ClassMatches(hits[:, order], images[order], targets)


def precision(matched: ClassMatches, counts: np.ndarray) -> np.ndarray:
    """Returns precision at the `RECALLS`, f64 [T, 101]: the largest at this or a higher recall.

    NaN without targets. Equal to `accumulate` of pycocotools (Lin et al. 2014,
    https://arxiv.org/abs/1405.0312), but images can be repeated.

    Args:
      matched: matches of a class.
      counts: number of repetitions of the images, f64 [n].
    """
    positives = matched.targets @ counts
    if not positives:
        return np.full((len(THRESHOLDS), len(RECALLS)), np.nan)
    weights = counts[matched.images]
    hits = np.cumsum(matched.hits * weights, 1)
    boxes = np.maximum(np.cumsum(weights), np.finfo(float).tiny)
    best = np.maximum.accumulate((hits / boxes)[:, ::-1], 1)[:, ::-1]
    padded = np.pad(best, ((0, 0), (0, 1)))  # precision is 0 beyond the largest recall
    places = np.stack([np.searchsorted(row, RECALLS * positives - 1e-9 * positives) for row in hits])
    return np.take_along_axis(padded, places, 1)


def recall(matched: ClassMatches, counts: np.ndarray) -> np.ndarray:
    """Returns the share of the targets that predicted boxes match, f64 [T]; NaN without targets."""
    positives = matched.targets @ counts
    return (
        (matched.hits @ counts[matched.images]) / positives if positives else np.full(len(THRESHOLDS), np.nan)
    )


def _largest_class(outputs: Outputs) -> int:
    labels = np.concatenate([outputs.arrays['classes'], outputs.arrays['target_classes']])
    return int(labels.max(initial=0))


def _check(outputs: Outputs) -> None:
    require(outputs, *TARGET_ARRAYS)
    if not len(outputs.arrays['target_boxes']):
        raise UserError(f'{outputs.folder}: target_boxes.npy is empty, so there is nothing to evaluate.')
    if not np.all(np.isfinite(outputs.arrays['scores'])):
        raise UserError(f'{outputs.folder}: scores.npy holds NaN or infinity.')
    for name, image in (('boxes', 'example'), ('target_boxes', 'target_example')):
        boxes = outputs.arrays[name]
        wrong = np.flatnonzero(~np.isfinite(boxes).all(1) | (boxes[:, 2:] < boxes[:, :2]).any(1))
        if wrong.size:
            which = outputs.ids[outputs.arrays[image][wrong[0]]]
            raise UserError(
                f'{outputs.folder}: {name}.npy holds {boxes[wrong[0]].tolist()} for {which!r}, which is not '
                'a box: it must be (x0, y0, x1, y1) with x0 <= x1 and y0 <= y1.'
            )
