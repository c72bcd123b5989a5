"""Outputs of kind `detection`: any number of boxes for each example, with classes and scores."""

import numpy as np

from engine.outputs.kind import INPUTS, Arrays, Field, Kind


def pack(arrays: Arrays) -> dict[str, np.ndarray]:
    """Lists the boxes of all examples one after the other.

    A task under `jax.jit` returns k boxes for every example and says how many of them count. The boxes of the
    labels may come in the same way, as `target_boxes`, `target_classes` and `target_counts`.

    Args:
      arrays: `boxes` f32 [n, k, 4], `scores` f32 [n, k], `classes` i32 [n, k] and `counts` int [n]. Arrays
        without `counts` beside them, or `target_counts`, stay as they are.

    Returns:
      `boxes` f32 [m, 4], `scores` f32 [m], `classes` i32 [m], and `example` i32 [m]: the row of each box.
    """
    packed = dict(arrays)
    for prefix in ('', 'target_'):
        if f'{prefix}counts' in packed:
            packed |= _listed(packed, prefix, packed.pop(f'{prefix}counts'))
    return packed


def _listed(arrays: Arrays, prefix: str, counts: np.ndarray) -> dict[str, np.ndarray]:
    names = [prefix + name for name in ('boxes', 'classes', 'scores') if prefix + name in arrays]
    counted = np.arange(arrays[names[0]].shape[1]) < counts[:, np.newaxis]
    owners = np.nonzero(counted)[0].astype(np.int32)
    return {name: arrays[name][counted] for name in names} | {f'{prefix}example': owners}


KIND = Kind(
    arrays={
        'boxes': Field('float32', 'm 4'),
        'scores': Field('float32', 'm'),
        'classes': Field('int32', 'm', below='classes'),
        'example': Field('int32', 'm', below='n'),
        'target_boxes': Field('float32', 't 4'),
        'target_classes': Field('int32', 't', below='classes'),
        'target_example': Field('int32', 't', below='n'),
        **INPUTS,
    },
    needs=(('boxes',), ('scores',), ('classes',), ('example',)),
    from_data=('target_boxes', 'target_classes', 'target_example'),
    pack=pack,
)
