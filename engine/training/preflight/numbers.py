"""Checks the numbers of an experiment, before anything is built."""

from typing import Any

from engine.datasets.orders.order import Shuffled
from engine.errors import UserError

COUNTS = (
    *('steps', 'batch_size', 'steps_per_dispatch', 'log_every', 'samples'),
    *('save_every', 'keep_every', 'evaluate_every', 'validation_batches', 'pictures_every'),
)


def check(experiment: Any) -> None:
    """Raises `UserError` if a number of an experiment is out of its range, or missing without a dataset."""
    for name in COUNTS:
        value = getattr(experiment, name)
        if value is not None and value < 1:
            raise UserError(f'Trainer.{name} = {value}: it must be at least 1.')
    if experiment.steps >= 2**31:  # the steps on the devices are int32
        raise UserError(f'Trainer.steps = {experiment.steps}: it must be below {2**31}.')
    if not 0 <= experiment.seed < 2**32:  # JAX's keys would wrap larger seeds around
        raise UserError(f'Trainer.seed = {experiment.seed}: it must be from 0 to {2**32 - 1}.')
    if experiment.dataset is None:
        _check_without_dataset(experiment)


def _check_without_dataset(experiment: Any) -> None:
    if experiment.samples is None:
        raise UserError(
            'Trainer.dataset is None, so nothing says how many samples the task makes in evaluation and '
            'prediction: bind `trainer.Trainer.samples`, such as 1000.'
        )
    if experiment.evaluate_every is None:
        raise UserError(
            'Trainer.dataset is None, so there are no epochs whose ends could be evaluated: bind '
            '`trainer.Trainer.evaluate_every`, in steps.'
        )
    if experiment.order != Shuffled():
        raise UserError(
            f'Trainer.order: {type(experiment.order).__name__} orders examples, but Trainer.dataset is None. '
            'Remove that binding: the task draws from the key of each step.'
        )
    if experiment.decode is not None:
        raise UserError(
            f'Trainer.decode: {type(experiment.decode).__name__} decodes images of a dataset, but '
            'Trainer.dataset is None. Remove that binding.'
        )
