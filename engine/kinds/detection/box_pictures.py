"""Pictures of boxes: targets are dashed, and the predictions with the highest scores solid."""

import re
from collections.abc import Iterator

import numpy as np

from engine.outputs.outputs import Outputs
from engine.render import pictures

# The detail with the number of pixels of the original picture in a pixel of `inputs`, along one axis.
SHRINK_DETAIL = 'inputs_shrunk'


def picture(outputs: Outputs, row: int) -> str:
    """Returns an image with its target boxes and as many predicted boxes, as markup."""
    arrays = outputs.arrays
    targets = np.flatnonzero(arrays['target_example'] == row)
    own = np.flatnonzero(arrays['example'] == row)
    best = own[np.argsort(-arrays['scores'][own], kind='stable')][: max(1, len(targets))]
    corners = [arrays['target_boxes'][targets], arrays['boxes'][best]]
    boxes = ''.join(_boxes(corners[0], arrays['target_classes'][targets], 'true'))
    boxes += ''.join(_boxes(corners[1], arrays['classes'][best], 'found'))
    if 'inputs' in arrays and arrays['inputs'][row].size:
        return pictures.picture(pictures.visible(arrays['inputs'][row]), boxes, _shrink_factor(outputs))
    ends = np.concatenate([*corners, np.ones((1, 4))])
    return f'<svg viewBox="0 0 {ends[:, 2].max():.0f} {ends[:, 3].max():.0f}">{boxes}</svg>'


def _shrink_factor(outputs: Outputs) -> int:
    factor = re.fullmatch('[1-9][0-9]{0,3}', outputs.manifest.details.get(SHRINK_DETAIL, '1'))
    return int(factor[0]) if factor else 1


def _boxes(boxes: np.ndarray, classes: np.ndarray, style: str) -> Iterator[str]:
    for (x0, y0, x1, y1), label in zip(boxes.tolist(), classes, strict=True):
        colour = pictures.css(int(label) + 1, 256)  # the first colour is black, which images hide
        yield (
            f'<rect class="{style}" x="{x0:.1f}" y="{y0:.1f}" width="{x1 - x0:.1f}" height="{y1 - y0:.1f}" '
            f'style="stroke:{colour}"/>'
        )
