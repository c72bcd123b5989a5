"""Checks the order of the training examples: what it gives, and that it is a pure function."""

import inspect
import math
from collections.abc import Mapping, Sequence
from numbers import Real
from typing import Any

import numpy as np

from engine.datasets.orders.order import BOUND_METHODS, MAIN
from engine.errors import UserError, is_own_file, kind_of
from engine.training.batches.training import part_orders
from engine.training.experiment import Experiment

HINT = 'docs/orders.md shows one.'
Indices = dict[int, dict[str, np.ndarray]]  # by step and part


def check(experiment: Experiment) -> None:
    """Asks the order for the first steps and the last one, twice.

    Raises:
      UserError: the order has no `bind`, gives something else than indices of examples, or others when it is
        asked again; or what it says of its files is not text.
    """
    order = experiment.order
    title = f'Trainer.order: {type(order).__name__}'
    if not callable(getattr(order, 'bind', None)):
        raise UserError(f'{title} has no `bind(parts, seed)`. {HINT}')
    _check_files(title, experiment.order_files)
    bound, steps = experiment.bound_order, sorted({0, 1, experiment.steps - 1})
    for name in BOUND_METHODS:
        if not callable(getattr(bound, name, None)):
            raise UserError(f'{title}.bind() returns {kind_of(bound)} without {name}(). {HINT}')
    _check_epochs(title, bound, experiment.steps)
    first = _indices(title, experiment, bound, steps)
    # Another order of the steps and, for a class of the user's own, another binding show what is remembered.
    other = order.bind(experiment.parts, experiment.seed) if _is_own(order) else bound
    again = _indices(title, experiment, other, steps[::-1])
    for step in steps:
        if any((first[step][name] != again[step][name]).any() for name in experiment.parts):
            raise UserError(
                f'{title} gives other examples for step {step} when it is asked again, so that a run could '
                'not be resumed. Let the seed and the step alone decide, and make random numbers by '
                '`generator(seed, number)` of engine.datasets.orders.streams.'
            )


def _check_files(title: str, files: Any) -> None:
    """Raises `UserError` unless an order gives texts by names."""
    if not isinstance(files, Mapping) or not all(isinstance(text, str) for text in (*files, *files.values())):
        raise UserError(
            f'{title}: origin() returns {files!r}, but the sha256 of each file by its name is needed.'
        )


def _indices(title: str, experiment: Experiment, bound: Any, steps: Sequence[int]) -> Indices:
    """Returns the checked indices of steps, by step and part."""
    orders = part_orders(experiment.parts, bound, experiment.seed)
    for step in steps:
        given = bound.indices(step)
        if not isinstance(given, Mapping) or given.keys() != orders.keys():
            names = f'{[*given]} as parts' if isinstance(given, Mapping) else kind_of(given)
            raise UserError(
                f'{title}: indices({step}) returns {names}, but a dict with the indices of each part is '
                f'needed. The parts are {[*orders]}; the main one is called {MAIN!r}.'
            )
    return {step: {name: each.indices(step) for name, each in orders.items()} for step in steps}


def _check_epochs(title: str, bound: Any, steps: int) -> None:
    """Raises `UserError` unless an order counts epochs."""
    epochs, ends = bound.epoch(steps), bound.ends_epoch(1)
    if not isinstance(epochs, Real) or not math.isfinite(epochs) or epochs < 0:
        raise UserError(f'{title}: epoch({steps}) returns {epochs!r}, but a number of epochs is needed.')
    if not isinstance(ends, bool | np.bool_):
        raise UserError(f'{title}: ends_epoch(1) returns {ends!r}, but True or False is needed.')


def _is_own(order: Any) -> bool:
    """Whether the class of an order is the user's, not the engine's."""
    return is_own_file(inspect.getfile(type(order)))
