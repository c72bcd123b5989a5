"""Outputs of kind `image`: an image for each example, such as a restored image."""

from collections.abc import Sequence

import numpy as np

from engine.outputs.joint.averages import mean
from engine.outputs.kind import INPUTS, Arrays, Field, Kind, explained_variance


def agreement(predictions: Arrays, labels: Arrays) -> float:
    """Returns the share of the targets' variance that the images explain."""
    return explained_variance(predictions['images'], labels['targets'])


def ensemble(members: Sequence[Arrays]) -> dict[str, np.ndarray]:
    """Returns the mean of the images, rounded to whole numbers."""
    return {'images': np.rint(mean([arrays['images'] for arrays in members])).astype(np.uint8)}


KIND = Kind(
    arrays={'images': Field('uint8', 'n h w c'), 'targets': Field('uint8', 'n h w c'), **INPUTS},
    needs=(('images',),),
    from_data=('targets',),
    ensemble=ensemble,
    agreement=agreement,
)
