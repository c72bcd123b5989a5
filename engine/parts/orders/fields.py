"""Fields of the data that hold one number for each training example."""

import numpy as np

from engine.datasets.orders.order import Part
from engine.errors import UserError, did_you_mean

KINDS = {'iub': 'a whole number', 'iubf': 'a number'}  # dtype kinds in words


def one_per_example(part: Part, field: str, setting: str, kinds: str = 'iubf') -> np.ndarray:
    """Returns a field that holds one number for each example, [n].

    Args:
      part: of the training data.
      field: its name.
      setting: what names the field, for messages.
      kinds: the kinds of dtypes that it may have, a key of `KINDS`.

    Raises:
      UserError: there is no such field, or it holds something else.
    """
    arrays, encoded = part.examples.arrays, part.examples.encoded
    fitting = [name for name, array in arrays.items() if array.ndim == 1 and array.dtype.kind in kinds]
    if field in fitting:
        return arrays[field]
    place = f'{setting} = {field!r}'
    if field not in arrays and field not in encoded:
        near = did_you_mean(field, fitting or [*arrays, *encoded])
        raise UserError(f'{place}: {part.title} has no such field. {near}')
    array = arrays.get(field)
    shape = f'{array.dtype} {list(array.shape[1:])}' if array is not None else 'images of varying size'
    others = f'Such fields are: {", ".join(fitting)}.' if fitting else 'There is no such field.'
    raise UserError(f'{place} holds {shape}, but {KINDS[kinds]} for each example is needed. {others}')
