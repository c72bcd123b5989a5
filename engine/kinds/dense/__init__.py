"""Outputs of kind `dense`: numbers for each pixel, such as its depth. Ground truth may have gaps."""

from collections.abc import Sequence

import numpy as np

from engine.errors import UserError
from engine.outputs.joint.averages import mean
from engine.outputs.kind import INPUTS, Arrays, Field, Kind


def pack(arrays: Arrays) -> dict[str, np.ndarray]:
    """Returns a task's arrays with a channel axis, and NaN in the targets where there is no ground truth.

    >>> depth = np.ones((1, 1, 2), np.float32)
    >>> pack({'values': depth, 'targets': depth, 'valid': np.array([[[True, False]]])})['targets'].tolist()
    [[[[1.0], [nan]]]]

    Args:
      arrays: `values` and `targets` [n, h, w] or [n, h, w, c], and `valid`, bool [n, h, w] or [n, h, w, 1 or
        c]: the pixels with ground truth; by default those whose target is not NaN.

    Raises:
      UserError: `valid` does not fit the targets.
    """
    packed = {name: _with_channels(name, array) for name, array in arrays.items()}
    valid = packed.pop('valid', None)
    if valid is None or 'targets' not in packed:
        return packed
    targets = packed['targets']
    if valid.ndim != 4 or targets.ndim != 4 or valid.shape not in (targets.shape, (*targets.shape[:3], 1)):
        raise UserError(
            f'valid has shape {list(valid.shape)}, but the targets have {list(targets.shape)}. Give whether '
            'each pixel has ground truth, bool [n, h, w].'
        )
    dtype = np.promote_types(targets.dtype, np.float32)
    return packed | {'targets': np.where(valid.astype(bool), targets.astype(dtype), np.array(np.nan, dtype))}


def _with_channels(name: str, array: np.ndarray) -> np.ndarray:
    is_image = name in ('values', 'targets', 'valid') and array.ndim == 3
    return array[..., np.newaxis] if is_image else array


def ensemble(members: Sequence[Arrays]) -> dict[str, np.ndarray]:
    """Returns the mean of the predicted values, in float64."""
    return {'values': mean([arrays['values'] for arrays in members])}


def agreement(predictions: Arrays, labels: Arrays) -> float:
    """Returns the share of the variance of the known targets that the predicted values explain."""
    packed = pack({**predictions, **labels})
    targets = packed['targets'].astype(np.float64)
    known = ~np.isnan(targets)
    errors = (packed['values'] - targets)[known]
    variance = max(float(np.var(targets[known])), 1e-12) if known.any() else 1.0
    return 1 - float(np.square(errors).sum() / max(errors.size, 1)) / variance


KIND = Kind(
    arrays={
        'values': Field('float32', 'n h w c', also='float16'),
        'targets': Field('float32', 'n h w c', also='float16'),
        **INPUTS,
    },
    needs=(('values',),),
    from_data=('targets',),
    pack=pack,
    takes='values and targets [n, h, w], with NaN or the array valid, bool [n, h, w], for gaps',
    ensemble=ensemble,
    agreement=agreement,
)
