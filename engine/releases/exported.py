"""The prediction of a task as one portable program, (variables, inputs) -> predictions, for any batch size.

The program holds all that happens between the fields of the dataset and the predictions, such as the scaling
of images. The variables are arguments, so the file stays small and XLA does not fold them.
"""

from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import export

from engine import errors
from engine.errors import UserError
from engine.interfaces import INDEX, VALID, BoundTask, Spec
from engine.releases import variables
from engine.releases.variables import Variables
from engine.training.checkpointing import read_arrays

PLATFORMS = ('cpu', 'cuda', 'tpu')
Predict = Callable[[Mapping[str, Any], Mapping[str, Any]], dict[str, jax.Array]]


def read_fields(bound: BoundTask, shapes: Any, spec: Spec) -> list[str]:
    """Returns the fields of a batch that the prediction reads.

    Args:
      bound: the task.
      shapes: of its state.
      spec: of the dataset.
    """
    batch = _batch(spec, 2)
    program = jax.jit(lambda batch, state: bound.predict(state, batch)).trace(batch, shapes)
    read = read_arrays.paths(program, batch)
    return [name for name in batch if name in read and name != VALID]


def _batch(spec: Spec, rows: Any) -> dict[str, jax.ShapeDtypeStruct]:
    fields = {
        name: jax.ShapeDtypeStruct((rows, *field.shape), field.dtype) for name, field in spec.example.items()
    }
    added = {INDEX: np.int32, VALID: np.bool_}
    return fields | {name: jax.ShapeDtypeStruct((rows,), dtype) for name, dtype in added.items()}


def exported(bound: BoundTask, shapes: Any, spec: Spec, released: Variables) -> export.Exported:
    """Exports the prediction with a symbolic batch size, for all platforms that it can be lowered for.

    Args:
      bound: the task.
      shapes: of its state.
      spec: of the dataset.
      released: the variables.

    Raises:
      UserError: the prediction is not one program for any batch size.
    """
    (rows,) = export.symbolic_shape('batch')
    batch, fields = _batch(spec, rows), read_fields(bound, shapes, spec)
    if not fields:
        raise UserError('the prediction of this task reads no field of a batch, so it cannot be exported.')
    others = {name: leaf for name, leaf in batch.items() if name not in fields}

    def predict(arrays: Mapping[str, Any], inputs: Mapping[str, Any]) -> dict[str, jax.Array]:
        count = inputs[fields[0]].shape[0]
        filled = {name: jnp.ones((count, *leaf.shape[1:]), leaf.dtype) for name, leaf in others.items()}
        return bound.predict(variables.state(shapes, released.places, arrays), {**filled, **inputs})

    arguments = released.shapes, {name: batch[name] for name in fields}
    return _lowered(jax.jit(predict), arguments)


def _lowered(program: Any, arguments: tuple) -> export.Exported:
    """Returns the program for all platforms, or else for those that it can be lowered for one by one."""
    try:
        return export.export(program, platforms=PLATFORMS)(*arguments)
    except Exception as error:  # of any library, or of the user's own code
        failure = error
    fitting = [platform for platform in PLATFORMS if _can_lower(program, arguments, platform)]
    if not fitting:
        raise UserError(_refusal(failure)) from failure
    return export.export(program, platforms=fitting)(*arguments)


def _can_lower(program: Any, arguments: tuple, platform: str) -> bool:
    try:
        export.export(program, platforms=[platform])(*arguments)
    except Exception:  # as above
        return False
    return True


def _refusal(error: Exception) -> str:
    where = errors.own_code_failure(error) or f'{type(error).__name__}: {errors.reason(error)}'
    return (
        'the prediction of this task cannot be exported as one program for any batch size. '
        f'{where}\nIn the code that predicts, take sizes from `x.shape`, not from `len(x)` or `int(...)`, '
        'and let no branch of Python depend on the batch size.'
    )


def loaded(content: bytes) -> Predict:
    """Returns the function of an exported program."""
    return jax.jit(export.deserialize(bytearray(content)).call)
