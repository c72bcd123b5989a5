"""Detection on a page of predictions: the likely boxes on the image, and their classes."""

import numpy as np

from engine.kinds.detection import box_pictures
from engine.outputs.display.shown import Shown
from engine.outputs.outputs import Outputs
from engine.render import pictures

MAX_LEGEND = 40  # classes in the legend


def shown(outputs: Outputs) -> Shown:
    """Returns boxes on their images, with classes and scores. Images of low scores come first."""
    arrays, names = outputs.arrays, outputs.class_names

    def caption(row: int) -> list[str]:
        boxes = box_pictures.likely_boxes(outputs, row)
        labels = (names[index] if names else f'class {index}' for index in arrays['classes'][boxes])
        scores = arrays['scores'][boxes]
        return [f'{name} {score:.2f}' for name, score in zip(labels, scores, strict=True)] or ['no box']

    best = np.zeros(len(outputs.ids))
    np.maximum.at(best, arrays['example'], arrays['scores'].astype(np.float64))
    legend = [(name, pictures.css(index + 1, 256)) for index, name in enumerate(names[:MAX_LEGEND])]
    return Shown(
        caption,
        lambda row: [box_pictures.picture(outputs, row)],
        certainty=best,
        measure='best score',
        legend=legend,
    )
