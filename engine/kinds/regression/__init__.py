"""Outputs of kind `regression`: one or more numbers for each example."""

from collections.abc import Sequence

import numpy as np

from engine.outputs.joint.averages import mean
from engine.outputs.kind import INPUTS, Arrays, Field, Kind, explained_variance


def agreement(predictions: Arrays, labels: Arrays) -> float:
    """Returns the share of the targets' variance that the predicted values explain."""
    return explained_variance(predictions['values'], labels['targets'])


def ensemble(members: Sequence[Arrays]) -> dict[str, np.ndarray]:
    """Returns the mean of the predicted values, in float64."""
    return {'values': mean([arrays['values'] for arrays in members])}


KIND = Kind(
    arrays={'values': Field('float32', 'n d'), 'targets': Field('float32', 'n d'), **INPUTS},
    needs=(('values',),),
    from_data=('targets',),
    ensemble=ensemble,
    agreement=agreement,
)
