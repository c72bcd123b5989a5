"""Predictions of another tool as the arrays of a kind of outputs."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

MEANINGS = {
    'logits': 'scores before softmax',
    'probabilities': 'probabilities of the classes',
    'predicted': 'predicted class',
    'labels': 'true class',
    'embeddings': 'vectors of the examples',
    'values': 'predicted numbers',
    'targets': 'true values',
    'masks': 'predicted class of each pixel',
    'boxes': 'predicted boxes (x0, y0, x1, y1) in pixels',
    'scores': 'confidence of each predicted box',
    'classes': 'class of each predicted box',
    'example': 'row of the example of each predicted box',
    'sides': 'width and height of each predicted box, exactly as in the file',
    'target_boxes': 'true boxes (x0, y0, x1, y1) in pixels',
    'target_classes': 'class of each true box',
    'target_example': 'row of the example of each true box',
    'target_sides': 'width and height of each true box, exactly as in the file',
    'target_areas': 'area of each true object in pixels',
    'target_crowd': 'whether a true box surrounds a crowd',
    'image_ids': 'id of each image in the file',
}


@dataclass(frozen=True)
class Converted:
    """Predictions of another tool, as `engine.outputs.write` takes them.

    Attributes:
      kind: name of the kind.
      arrays: the arrays of the kind by name.
      ids: one id per example.
      class_names: names of the classes, or ().
      notes: sentences on what was taken from where, and on what was assumed.
      category_ids: the number of each class in COCO's files, or ().
    """

    kind: str
    arrays: Mapping[str, np.ndarray]
    ids: Sequence[str]
    class_names: Sequence[str] = ()
    notes: Sequence[str] = field(default=())
    category_ids: Sequence[int] = ()


def numbered(count: int) -> list[str]:
    """Returns ids for examples that have none: their numbers from 0.

    >>> numbered(3)
    ['0', '1', '2']
    """
    return [str(index) for index in range(count)]
