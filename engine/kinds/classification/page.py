"""Classification on a page of predictions: the predicted class, its probability, the second class."""

import numpy as np

from engine.kinds.classification import likely_classes, predicted_classes
from engine.outputs.display.shown import Shown
from engine.outputs.outputs import Outputs
from engine.render.names import isolated


def shown(outputs: Outputs) -> Shown:
    """Returns captions by class and probability. Examples of low probability come first."""
    arrays = outputs.arrays
    predictions, (classes, probabilities) = predicted_classes(arrays), likely_classes(arrays, 2)
    names = [isolated(name) for name in outputs.class_names] or [
        str(index) for index in range(outputs.classes or int(predictions.max()) + 1)
    ]

    def caption(row: int) -> list[str]:
        lines = [names[predictions[row]]]
        for place, rank in enumerate(('', 'or ')[: classes.shape[1]]):
            name = f'{rank}{names[classes[row, place]]} ' if rank else ''
            lines.append(f'{name}{100 * probabilities[row, place]:.1f} %')
        if 'labels' in arrays:
            label = arrays['labels'][row]
            lines.append('✓' if label == predictions[row] else f'✗ labelled {names[label]}')
        return lines

    certainty = probabilities[:, 0] if classes.shape[1] else None
    return Shown(caption, certainty=certainty, groups=[names[index] for index in np.asarray(predictions)])
