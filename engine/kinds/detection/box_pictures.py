"""Pictures of boxes: targets are dashed, and the predictions with the highest scores solid."""

import re
from collections.abc import Iterator

import numpy as np

from engine.outputs.outputs import Outputs
from engine.render import pictures
from engine.render.pictures import OutlinedBox, Picture

# The detail with the number of pixels of the original picture in a pixel of `inputs`, along one axis.
SHRINK_DETAIL = 'inputs_shrunk'
MAX_BOXES = 10  # of an example without targets


def has_images(outputs: Outputs) -> bool:
    """Whether pictures were saved."""
    return 'inputs' in outputs.arrays and outputs.arrays['inputs'].size > 0


def frame(outputs: Outputs) -> tuple[float, float, float, float]:
    """Returns the least frame around all boxes of the outputs and the origin: x0, y0, x1, y1 in pixels."""
    known = [outputs.arrays[name] for name in ('target_boxes', 'boxes') if name in outputs.arrays]
    boxes = np.concatenate([*known, np.zeros((1, 4))])
    low, high = boxes[:, :2].min(0), boxes[:, 2:].max(0)
    x1, y1 = np.maximum(high, low + 1)
    return float(low[0]), float(low[1]), float(x1), float(y1)


def picture(outputs: Outputs, row: int) -> Picture:
    """Returns an image with its target boxes and as many predicted boxes; a frame if there is no image.

    Without targets, the predicted boxes are those of `likely_boxes`.
    """
    arrays = outputs.arrays
    targets = np.flatnonzero(arrays['target_example'] == row) if 'target_example' in arrays else np.arange(0)
    own = np.flatnonzero(arrays['example'] == row)
    best = own[np.argsort(-arrays['scores'][own], kind='stable')][: max(1, len(targets))]
    best = best if 'target_example' in arrays else likely_boxes(outputs, row)
    boxes = [*(_boxes(outputs, 'target_', targets) if len(targets) else ()), *_boxes(outputs, '', best)]
    title = f'{outputs.ids[row]}: {len(targets)} targets, {len(best)} predicted boxes'
    if has_images(outputs):
        x0, y0, x1, y1 = _view(outputs, row)
        image = pictures.visible(arrays['inputs'][row])
        return Picture(title, image, boxes=boxes, size=(x1 - x0, y1 - y0), origin=(x0, y0))
    x0, y0, x1, y1 = frame(outputs)
    return Picture(title, boxes=boxes, size=(x1 - x0, y1 - y0), origin=(x0, y0))


def likely_boxes(outputs: Outputs, row: int) -> np.ndarray:
    """Returns the indices of the boxes of an example to show without targets, int [k]; the best one first.

    These are the boxes with at least half of the score of the best one, and at most `MAX_BOXES`.
    """
    scores = outputs.arrays['scores']
    own = np.flatnonzero(outputs.arrays['example'] == row)
    best = own[np.argsort(-scores[own], kind='stable')][:MAX_BOXES]
    return best[scores[best] >= scores[best[0]] / 2] if len(best) else best


def _view(outputs: Outputs, row: int) -> tuple[float, float, float, float]:
    """Returns the part of the original image that a thumbnail shows, x0, y0, x1, y1 in its pixels."""
    if 'views' in outputs.arrays:
        x0, y0, x1, y1 = map(float, outputs.arrays['views'][row])
        return x0, y0, x1, y1
    scale, (height, width) = _shrink_factor(outputs), outputs.arrays['inputs'][row].shape[:2]
    return 0, 0, scale * width, scale * height


def _shrink_factor(outputs: Outputs) -> int:
    factor = re.fullmatch('[1-9][0-9]{0,3}', outputs.manifest.details.get(SHRINK_DETAIL, '1'))
    return int(factor[0]) if factor else 1


def _boxes(outputs: Outputs, prefix: str, chosen: np.ndarray) -> Iterator[OutlinedBox]:
    corners, classes = (outputs.arrays[prefix + name][chosen] for name in ('boxes', 'classes'))
    names = outputs.class_names
    for box, label in zip(corners.tolist(), map(int, classes), strict=True):
        name = f'{"target" if prefix else "prediction"}: {names[label] if names else label}'
        # The first colour is black, which images hide.
        yield OutlinedBox(box, pictures.css(label + 1, 256), name, dashed=bool(prefix))
