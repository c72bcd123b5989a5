"""The random augmentation of a batch to predict, and the tasks that cannot have one."""

from typing import Any

import jax

from engine.errors import UserError
from engine.interfaces import Batch
from engine.parts.subclasses import returned

HOOK, TRAINING_HOOK = 'augment_inputs', 'augment_batch'


def augmented(task: Any, batch: Batch, key: jax.Array) -> Batch:
    """Returns a batch under a random augmentation of its inputs.

    Raises:
      UserError: the task has no augmentation that leaves targets as they are.
    """
    _check_hooks(task)
    result = returned.batch(task, HOOK, task.augment_inputs(batch, key), batch)
    _check_change(task, batch, result)
    return result


def _check_hooks(task: Any) -> None:
    """Raises `UserError` if a subclass changes how training augments, and not what prediction does."""
    classes = type(task).__mro__
    hooks = [cls for cls in classes if HOOK in vars(cls)]
    training = next(cls for cls in classes if TRAINING_HOOK in vars(cls))
    calls_training_hook = hooks[0] is hooks[-1]  # that of `Supervised`
    if not calls_training_hook and classes.index(training) < classes.index(hooks[0]):
        raise UserError(
            f'{type(task).__name__} overrides `{TRAINING_HOOK}` and inherits `{HOOK}` of '
            f'{hooks[0].__name__}, which augments in another way. Override `{HOOK}` too: it returns the '
            'batch with augmented inputs, not mixed, and with its targets as they are.'
        )


def _check_change(task: Any, before: Batch, after: Batch) -> None:
    """Raises `UserError` unless an augmentation changes the inputs of a batch and none of its targets.

    It compares arrays by identity, before and after, while the program is traced.
    """
    name = type(task).__name__
    moved = [field for field in task.describe().truth.values() if after.get(field) is not before.get(field)]
    if moved:
        raise UserError(
            f'{name} moves the target {moved[0]!r} together with the input, so that predictions under '
            'different augmentations do not fit onto each other. Predict without --augmentations.'
        )
    if all(after[field] is before.get(field) for field in after):
        raise UserError(
            f'{name} trains without a random augmentation of its inputs, so that all predictions would be '
            f'the same. Bind its `augment` and train with it, or override `{HOOK}`.'
        )
