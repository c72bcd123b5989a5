"""Outputs of kind `image`: an image for each example, such as a restored image."""

from collections.abc import Sequence
from functools import partial

import numpy as np

from engine.outputs.joint.averages import mean
from engine.outputs.kind import INPUTS, Arrays, Field, Kind, explained_variance
from engine.outputs.pictures.cropping import SIZES, counted, crop, trial_sizes
from engine.outputs.pictures.sequence import joined_rows


def agreement(predictions: Arrays, labels: Arrays) -> float:
    """Returns the share of the targets' variance that the images explain."""
    images, targets = counted(predictions['images'], labels['targets'], predictions.get(SIZES))
    return explained_variance(images, targets)


def ensemble(members: Sequence[Arrays]) -> dict[str, np.ndarray]:
    """Returns the mean of the images, rounded to whole numbers."""
    return {'images': joined_rows(_mean, [arrays['images'] for arrays in members])}


def _mean(images: Sequence[np.ndarray]) -> np.ndarray:
    return np.rint(mean(images)).astype(images[0].dtype)


KIND = Kind(
    arrays={
        'images': Field('uint8', 'n h w c', also='uint16', may_vary=True),
        'targets': Field('uint8', 'n h w c', also='uint16', may_vary=True),
        **INPUTS,
    },
    needs=(('images',),),
    from_data=('targets',),
    pack=partial(crop, predicted='images'),
    trial=partial(trial_sizes, predicted='images'),
    ensemble=ensemble,
    agreement=agreement,
)
