"""Padded pictures of a task under `jax.jit`, cut to the size of each example."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from engine.errors import ExampleError, UserError
from engine.outputs.kind import Arrays
from engine.outputs.pictures.sequence import Pictures

SIZES, TARGET_SIZES, TARGETS, INPUTS = 'sizes', 'target_sizes', 'targets', 'inputs'


def crop(arrays: Mapping[str, Any], predicted: str) -> dict[str, Any]:
    """Cuts padded pictures to their sizes, if a task returns `sizes`.

    >>> masks, sizes = np.zeros((2, 8, 8), np.uint8), np.array([[3, 4], [8, 2]])
    >>> [mask.shape for mask in crop({'masks': masks, 'sizes': sizes}, 'masks')['masks']]
    [(3, 4), (8, 2)]

    Args:
      arrays: the predicted pictures [n, H, W] or [n, H, W, c], of which the upper left counts; `sizes` int
        [n, 2], height and width of each; and, if known, `targets` of the same form, cut to `target_sizes` or
        else to `sizes`, and small copies of padded `inputs`, cut to the same share.
      predicted: the name of the predicted pictures.

    Raises:
      UserError: shapes do not fit, or a size is larger than the array.
    """
    cropped = dict(arrays)
    sizes = cropped.pop(SIZES, None)
    of_targets = cropped.pop(TARGET_SIZES, sizes)
    if sizes is not None:
        shape = np.shape(cropped.get(predicted, ()))[1:3]
        cropped[predicted] = _cropped(predicted, SIZES, cropped.get(predicted), sizes)
        if INPUTS in cropped:
            cropped[INPUTS] = _cropped_inputs(cropped[INPUTS], sizes, shape)
    if of_targets is not None and TARGETS in cropped:
        name = TARGET_SIZES if TARGET_SIZES in arrays else SIZES
        cropped[TARGETS] = _cropped(TARGETS, name, cropped[TARGETS], of_targets)
    return cropped


def of_batch(arrays: Mapping[str, Any], predicted: str, ids: Sequence[str]) -> dict[str, Any]:
    """Cuts the padded pictures of the first rows of a batch, as `crop` does.

    Args:
      arrays: of the batch, [B, ...].
      predicted: the name of the predicted pictures.
      ids: of its examples. Further rows are padding.

    Raises:
      UserError: as `crop`; names the example.
    """
    try:
        return crop({name: array[: len(ids)] for name, array in arrays.items()}, predicted)
    except ExampleError as error:
        raise UserError(f'{ids[error.row]!r}: {error}') from None


def counted(
    predicted: np.ndarray, targets: np.ndarray, sizes: np.ndarray | None
) -> tuple[np.ndarray, np.ndarray]:
    """Returns the pixels of padded pictures that lie inside the sizes, [pixels, ...]; all without sizes."""
    if sizes is None or predicted.shape[:3] != targets.shape[:3]:
        return predicted, targets
    rows, columns = (
        np.arange(length) < sizes[:, axis, np.newaxis] for axis, length in enumerate(predicted.shape[1:3])
    )
    inside = rows[:, :, np.newaxis] & columns[:, np.newaxis]
    return predicted[inside], targets[inside]


def trial_sizes(arrays: Arrays, truth: Arrays, predicted: str) -> dict[str, Any]:
    """Returns predictions of zeros with sizes that may occur: those of the targets, or the whole pictures."""
    tried: dict[str, Any] = dict(arrays)
    if SIZES not in tried or predicted not in tried:
        return tried
    targets: Any = truth.get(TARGETS)
    whole = np.broadcast_to(tried[predicted].shape[1:3], (len(tried[predicted]), 2))
    sizes = targets.sizes if isinstance(targets, Pictures) else truth.get(TARGET_SIZES, whole)
    is_form_right = tried[SIZES].shape == whole.shape and tried[SIZES].dtype.kind in 'iu'
    return tried | ({SIZES: np.asarray(sizes)} if is_form_right else {})


def _cropped(name: str, of: str, array: Any, sizes: np.ndarray) -> Any:
    if isinstance(array, Pictures) or array is None:
        return array
    if sizes.shape != (len(array), 2) or sizes.dtype.kind not in 'iu' or array.ndim not in (3, 4):
        raise UserError(
            f'{of} is {sizes.dtype} {list(sizes.shape)} and {name} {list(array.shape)}, but whole numbers '
            '[n, 2] and pictures [n, H, W] or [n, H, W, c] are needed.'
        )
    height, width = array.shape[1:3]
    for row in np.flatnonzero(((sizes < 1) | (sizes > (height, width))).any(1))[:1]:
        raise ExampleError(
            int(row),
            f'{of} is {sizes[row].tolist()}, but {name} has room for a height from 1 to {height} and a width '
            f'from 1 to {width}.',
        )

    def load(row: int) -> np.ndarray:
        height, width = sizes[row]
        return array[row, :height, :width]

    return Pictures(load, sizes, array.dtype, array.shape[3] if array.ndim == 4 else None)


def _cropped_inputs(inputs: Any, sizes: np.ndarray, padded: Sequence[int]) -> Any:
    """Cuts thumbnails of padded inputs to the same share. Inputs of other proportions stay whole."""
    if isinstance(inputs, Pictures) or 0 in inputs.shape[1:3]:
        return inputs
    scale = np.array(inputs.shape[1:3]) / padded
    if abs(scale[0] - scale[1]) * max(padded) > 1:
        return inputs
    shares = np.clip(np.round(sizes * scale), 1, inputs.shape[1:3]).astype(int)
    return _cropped(INPUTS, SIZES, inputs, shares)
