"""Checks of the data that an experiment trains on and evaluates."""

from collections.abc import Mapping
from typing import Any

from engine.datasets.orders.order import MAIN, Part
from engine.datasets.reading import integrity
from engine.errors import UserError
from engine.runs.text_log import logger
from engine.training.preflight import examples


def check(experiment: Any) -> None:
    """Checks the training data and the validation sets of an experiment.

    Raises:
      UserError: data have changed since they were built, a name or a label is wrong, or a batch is too large.
    """
    data, bound = experiment.data, experiment.bound
    for source in data.sources:
        integrity.check(source.folder)
    examples.check_fields(data)
    main = experiment.parts[MAIN]
    examples.check('train', data, main.examples, bound, main.batch_size)
    for name, part in data.parts.items():
        examples.check_fields(part)
        _check_part(name, part.name, experiment.parts[name], data.spec.example)
    if experiment.dataset is not None and main.batch_size > len(main.examples):
        logger.warning(
            'Trainer.batch_size = %d: a batch holds examples several times, for train has %d. Lower it.',
            main.batch_size,
            len(main.examples),
        )
    for each in experiment.validation.sets:
        for source in each.data.sources:
            integrity.check(source.folder)
        examples.check(each.name, each.data, each.examples, bound, experiment.batch_size)


def _check_part(name: str, dataset: str, part: Part, fields: Mapping[str, Any]) -> None:
    """Raises `UserError` if a further part of the batch has a name that is taken, or no examples."""
    if name in (*fields, *examples.RESERVED):
        raise UserError(
            f'Named.{name}: the part {name!r} of each batch has the name of a field. Give it another name.'
        )
    examples.check_rows(f'train of {dataset}, the part {name!r}', part.examples, part.batch_size)
