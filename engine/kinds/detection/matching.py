"""Matches of predicted and true boxes by pycocotools."""

import contextlib
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from engine.kinds.detection.box_lists import BoxList, check, image_ranks
from engine.kinds.detection.matches import ClassMatches
from engine.outputs.outputs import Outputs


@dataclass(frozen=True)
class Matching:
    """How boxes are matched.

    Attributes:
      thresholds: smallest intersections over union of a match, ascending.
      areas: the smallest and the largest area of targets in pixels, by name of the range.
      max_boxes: number of boxes per class and image that are matched, those with the highest scores.
    """

    thresholds: Sequence[float]
    areas: Mapping[str, Sequence[float]]
    max_boxes: int

    def match(self, outputs: Outputs) -> dict[str, list[ClassMatches]]:
        """Returns the matches of each class, by range of areas.

        Raises:
          UserError: there are no targets, or boxes or scores are not valid.
        """
        check(outputs)
        classes, n = number_of_classes(outputs), len(outputs.ids)
        ranks = image_ranks(outputs)  # which decide between equal scores
        order = np.argsort(ranks)
        targets, predictions = (
            _index(BoxList.of(outputs.arrays, prefix), classes, ranks) for prefix in ('target_', '')
        )
        evaluation: Any = COCOeval(targets, predictions, 'bbox')
        evaluation.params.iouThrs = np.array(self.thresholds)
        evaluation.params.areaRng = [list(ends) for ends in self.areas.values()]
        evaluation.params.areaRngLbl = list(self.areas)
        evaluation.params.maxDets = [self.max_boxes]
        with contextlib.redirect_stdout(io.StringIO()):
            evaluation.evaluate()
        images = np.empty(classes * len(self.areas) * n, object)
        images[:] = evaluation.evalImgs
        by_area = images.reshape(classes, len(self.areas), n).swapaxes(0, 1)
        return {
            name: [self._class(results, order) for results in of_classes]
            for name, of_classes in zip(self.areas, by_area, strict=True)
        }

    def _class(self, evaluated: np.ndarray, order: np.ndarray) -> ClassMatches:
        """Returns the matches of a class.

        Args:
          evaluated: result of pycocotools per image, or None, in the order of image ids.
          order: row of each of these images.
        """
        results = [(row, result) for row, result in zip(order, evaluated, strict=True) if result is not None]
        targets = np.zeros(len(order), int)
        for row, result in results:
            targets[row] = np.count_nonzero(np.equal(result['gtIgnore'], 0))
        none = np.zeros((len(self.thresholds), 0), bool)
        matched = np.concatenate([none, *(result['dtMatches'] > 0 for _, result in results)], 1)
        ignored = np.concatenate([none, *(result['dtIgnore'] > 0 for _, result in results)], 1)
        scores = np.concatenate([np.zeros(0), *(result['dtScores'] for _, result in results)])
        boxes = [len(result['dtScores']) for _, result in results]
        rows = np.repeat([row for row, _ in results], boxes).astype(int)
        ranks = np.concatenate([np.zeros(0, int), *map(np.arange, boxes)])
        sure = np.argsort(-scores, kind='stable')
        return ClassMatches((matched & ~ignored)[:, sure], ignored[:, sure], rows[sure], ranks[sure], targets)


def number_of_classes(outputs: Outputs) -> int:
    """Returns the number of classes: of names, of category ids, or of the classes that occur."""
    labels = np.concatenate([outputs.arrays['classes'], outputs.arrays['target_classes']])
    return outputs.classes or int(labels.max(initial=0)) + 1


def _index(boxes: BoxList, classes: int, ranks: np.ndarray) -> COCO:
    """Returns boxes as an index of pycocotools. The id of an image is its rank."""
    coco: Any = COCO()
    columns = (
        ranks[boxes.images],
        boxes.classes,
        np.concatenate([boxes.corners, boxes.sides], axis=1),
        boxes.areas,
        boxes.crowd.astype(int),
        boxes.scores,
    )
    names = ('image_id', 'category_id', 'bbox', 'area', 'iscrowd', 'score')
    rows = zip(*(column.tolist() for column in columns), strict=True)
    coco.dataset = {
        'images': [{'id': rank} for rank in range(len(ranks))],
        'categories': [{'id': label} for label in range(classes)],
        # To pycocotools the id 0 means unmatched.
        'annotations': [
            {'id': place, **dict(zip(names, row, strict=True))} for place, row in enumerate(rows, 1)
        ],
    }
    with contextlib.redirect_stdout(io.StringIO()):
        coco.createIndex()
    return coco
