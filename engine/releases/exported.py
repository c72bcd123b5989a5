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
from engine.releases import equations, variables
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

    Raises:
      UserError: the prediction cannot be exported.
    """
    batch = _batch(spec, 2)
    try:
        program = jax.jit(lambda batch, state: bound.predict(state, batch)).trace(batch, shapes)
    except Exception as error:  # of the user's own code
        raise UserError(_refusal(error)) from error
    _check_calls(program)
    read = read_arrays.paths(program, batch)
    fields = [name for name in batch if name in read and name != VALID]
    if not fields:
        raise UserError(
            'the prediction of this task reads no field of a batch, so it cannot be exported. '
            'Nothing was released.'
        )
    return fields


def _check_calls(program: jax.stages.Traced) -> None:
    """Raises `UserError` if a program calls Python while it runs, as `jax.debug.print` does."""
    names = {equation.primitive.name for equation in equations.of_program(program.jaxpr.jaxpr)}
    calls = sorted(name for name in names if 'callback' in name or name.startswith('debug_'))
    if calls:
        raise UserError(
            f'the prediction of this task calls Python while it runs ({", ".join(calls)}), as '
            'jax.debug.print and jax.pure_callback do, so it cannot be exported. Remove such calls from the '
            'code that predicts. Nothing was released.'
        )


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
        return _of_one_device(export.export(program, platforms=PLATFORMS)(*arguments))
    except UserError:
        raise
    except Exception as error:  # of any library, or of the user's own code
        failure = error
    fitting = [platform for platform in PLATFORMS if _can_lower(program, arguments, platform)]
    if not fitting:
        raise UserError(_refusal(failure)) from failure
    return _of_one_device(export.export(program, platforms=fitting)(*arguments))


def _of_one_device(program: export.Exported) -> export.Exported:
    if program.nr_devices > 1:
        raise UserError(
            f'the code that predicts names {program.nr_devices} devices, as jax.lax.with_sharding_constraint '
            'does, so its export would run on as many alone. Place arrays by Trainer.parallelism, not in the '
            'model. Nothing was released.'
        )
    return program


def _can_lower(program: Any, arguments: tuple, platform: str) -> bool:
    try:
        export.export(program, platforms=[platform])(*arguments)
    except Exception:  # as above
        return False
    return True


def _refusal(error: Exception) -> str:
    first, *others = errors.own_code_failure(error).splitlines() or [
        f'{type(error).__name__}: {errors.reason(error).partition(chr(10))[0]}'
    ]
    places = ''.join(
        f'{line}\n' for line in others if line.startswith(' ')
    )  # not what JAX explains at length
    return (
        'the prediction of this task cannot be exported as one program for any batch size, and nothing was '
        f'released. {first}\n{places}In the code that predicts, take sizes from `x.shape`, not from `len(x)` '
        'or `int(...)`, and let no loop or branch of Python depend on the batch size.'
    )


def loaded(content: bytes) -> Predict:
    """Returns the function of an exported program."""
    return jax.jit(export.deserialize(bytearray(content)).call)
