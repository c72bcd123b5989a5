"""Segmentation on a page of predictions: the mask over the image, and the largest classes."""

import numpy as np

from engine.outputs.display.shown import Shown
from engine.outputs.outputs import Outputs
from engine.render import palette, pictures
from engine.render.pictures import Picture

MAX_CLASSES = 3  # in a caption
MAX_LEGEND = 40  # classes in the legend


def shown(outputs: Outputs) -> Shown:
    """Returns masks over their images, with the shares of the largest classes."""
    masks, names = outputs.arrays['masks'], outputs.class_names
    inputs = outputs.arrays.get('inputs')

    def caption(row: int) -> list[str]:
        counts = np.bincount(np.ravel(masks[row]))
        largest = [index for index in np.argsort(-counts, kind='stable')[:MAX_CLASSES] if counts[index]]
        total = counts.sum()
        return [
            f'{names[index] if names else f"class {index}"} {100 * counts[index] / total:.1f} %'
            for index in largest
        ]

    def drawn(row: int) -> list[Picture]:
        title, labels = f'mask of {outputs.ids[row]}', masks[row]
        if inputs is None or not inputs[row].size:
            return [Picture(title, palette.painted(labels))]
        image = pictures.visible(inputs[row])
        return [Picture(f'image of {outputs.ids[row]}', image), Picture(title, image, labels)]

    legend = [(name, pictures.css(index, 256)) for index, name in enumerate(names[:MAX_LEGEND]) if index]
    return Shown(caption, drawn, legend=legend)
