"""Outputs of kind `segmentation`: a class for each pixel."""

from collections.abc import Sequence
from functools import partial

import numpy as np

from engine.outputs.joint.averages import vote
from engine.outputs.kind import INPUTS, Arrays, Field, Kind
from engine.outputs.pictures.cropping import SIZES, counted, crop, trial_sizes
from engine.outputs.pictures.sequence import joined_rows


def pixel_accuracy(predictions: Arrays, labels: Arrays) -> float:
    """Returns the share of pixels whose predicted class is the class of the target.

    Pixels of the target that do not count are none of the predicted classes, so that they count as wrong.
    """
    masks, targets = counted(predictions['masks'], labels['targets'], predictions.get(SIZES))
    return float(np.mean(masks == targets))


def ensemble(members: Sequence[Arrays]) -> dict[str, np.ndarray]:
    """Returns the class of each pixel that most members predict; of equally frequent ones the lowest."""
    return {'masks': joined_rows(vote, [arrays['masks'] for arrays in members])}


KIND = Kind(
    arrays={
        'masks': Field('uint8', 'n h w', below='classes', also='uint16', may_vary=True),
        'targets': Field('uint8', 'n h w', below='classes', also='uint16', may_ignore=True, may_vary=True),
        **INPUTS,
    },
    needs=(('masks',),),
    from_data=('targets',),
    pack=partial(crop, predicted='masks'),
    trial=partial(trial_sizes, predicted='masks'),
    ensemble=ensemble,
    agreement=pixel_accuracy,
)
