"""Variables of PyTorch for models of Flax: other names and other orders of the axes."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from engine.errors import UserError
from engine.stored_trees.on_devices import Shapes
from engine.variables import matching

_NAMES = {'running_mean': ('mean',), 'running_var': ('var',), 'weight': ('kernel', 'scale', 'embedding')}
_IGNORED = 'num_batches_tracked'


@dataclass(frozen=True, kw_only=True)
class PyTorch:
    """Gives variables of PyTorch the names and the order of axes of Flax.

    | PyTorch                         | Flax                                             |
    |---------------------------------|--------------------------------------------------|
    | weight of a linear layer        | kernel; [O, I] becomes [I, O]                    |
    | weight of a convolution         | kernel; [O, I, H, W] becomes [H, W, I, O]        |
    | weight of a normalisation       | scale                                            |
    | weight of an embedding          | embedding                                        |
    | running_mean, running_var       | mean, var                                        |
    | num_batches_tracked             | left out                                         |

    A linear layer may be split into heads in Flax, as [I, heads, O / heads].

    >>> import jax
    >>> arrays = {'head/weight': np.zeros((10, 64)), 'head/bias': np.zeros(10)}
    >>> model = {'head/kernel': jax.ShapeDtypeStruct((64, 10), 'float32')}
    >>> {name: array.shape for name, array in PyTorch()(arrays, model).items()}
    {'head/kernel': (64, 10), 'head/bias': (10,)}

    Args:
      conv_transpose: patterns of paths of the model that are kernels of `nnx.ConvTranspose`. PyTorch stores
        them as [I, O, H, W] and applies them turned around: they become [H, W, I, O] with H and W reversed.
        A `nnx.ConvTranspose(transpose_kernel=True)` does so itself: do not name it here.
    """

    conv_transpose: tuple[str, ...] = ()

    def __call__(self, arrays: Mapping[str, np.ndarray], model: Shapes) -> dict[str, np.ndarray]:
        """Returns the arrays by the names that the model has for them.

        Args:
          arrays: those of the source, by their paths.
          model: shapes and dtypes of the model, by their paths.

        Raises:
          UserError: kernels fit as those of `nnx.ConvTranspose` alone, and are not named as such.
        """
        transposed = matching(self.conv_transpose, model, 'PyTorch.conv_transpose')
        named = {_name(path, model): array for path, array in arrays.items() if not path.endswith(_IGNORED)}
        others = sorted(named.keys() - transposed)
        unnamed = [name for name in others if _fits_transposed_alone(named[name], name, model)]
        if unnamed:
            patterns = (*self.conv_transpose, *(f'^{re.escape(name)}$' for name in unnamed))
            raise UserError(
                f'{", ".join(unnamed)}: these fit as kernels of nnx.ConvTranspose alone. If they are, write '
                f'PyTorch.conv_transpose = {patterns!r}.'
            )
        return {name: _arranged(array, name, model, name in transposed) for name, array in named.items()}


def _name(path: str, model: Shapes) -> str:
    """Returns the name of the model for a variable; the first possible one if the model has none of them."""
    module, slash, last = path.rpartition('/')
    names = [f'{module}{slash}{name}' for name in _NAMES.get(last, (last,))]
    return next((name for name in names if name in model), names[0])


def _fits_transposed_alone(array: np.ndarray, name: str, model: Shapes) -> bool:
    if name not in model or not _is_kernel(name) or array.ndim < 3:
        return False
    return _convolution(array).shape != model[name].shape == _transposed_convolution(array).shape


def _is_kernel(name: str) -> bool:
    return name.rpartition('/')[2] == 'kernel'


def _convolution(array: np.ndarray) -> np.ndarray:
    """Returns [O, I, ...] as [..., I, O]."""
    return array.transpose(*range(2, array.ndim), 1, 0)


def _transposed_convolution(array: np.ndarray) -> np.ndarray:
    """Returns [I, O, ...] as [..., I, O], with the axes of the picture reversed."""
    moved = array.transpose(*range(2, array.ndim), 0, 1)
    return np.flip(moved, tuple(range(array.ndim - 2)))


def _arranged(array: np.ndarray, name: str, model: Shapes, is_transposed: bool) -> np.ndarray:
    if _is_kernel(name) and array.ndim > 1:
        array = _transposed_convolution(array) if is_transposed else _convolution(array)
    wanted = model[name].shape if name in model else array.shape
    return array.reshape(wanted) if _is_split(array.shape, wanted) else array


def _is_split(shape: tuple[int, ...], wanted: tuple[int, ...]) -> bool:
    """Whether an axis of a linear layer, [O] or [I, O], is split into heads."""
    if shape == wanted or len(shape) > 2 or len(wanted) != len(shape) + 1:
        return False
    return any(
        (*wanted[:axis], wanted[axis] * wanted[axis + 1], *wanted[axis + 2 :]) == shape
        for axis in range(len(shape))
    )
