"""Outputs of kind `regression`: one or more numbers for each example."""

from collections.abc import Sequence

import numpy as np

from engine.outputs.joint.averages import mean
from engine.outputs.kind import INPUTS, Arrays, Field, Kind, explained_variance


def agreement(predictions: Arrays, labels: Arrays) -> float:
    """Returns the share of the targets' variance that the predicted values explain."""
    return explained_variance(predictions['values'], labels['targets'])


def predictions_table(
    arrays: Arrays, ids: Sequence[str], class_names: Sequence[str]
) -> dict[str, Sequence[str]]:
    """Returns the columns of predictions.csv: id, each value, and each target if known.

    >>> predictions_table({'values': np.array([[0.25]], np.float32)}, ['a'], ())
    {'id': ['a'], 'value': ['0.25']}
    """
    columns: dict[str, Sequence[str]] = {'id': ids}
    for name in ('values', 'targets'):
        numbers = np.asarray(arrays[name]).T if name in arrays else ()
        for index, column in enumerate(numbers):
            title = name.removesuffix('s') + (f'_{index}' if len(numbers) > 1 else '')
            columns[title] = [f'{number:.9g}' for number in column]
    return columns


def ensemble(members: Sequence[Arrays]) -> dict[str, np.ndarray]:
    """Returns the mean of the predicted values, in float64."""
    return {'values': mean([arrays['values'] for arrays in members])}


KIND = Kind(
    arrays={'values': Field('float32', 'n d'), 'targets': Field('float32', 'n d'), **INPUTS},
    needs=(('values',),),
    from_data=('targets',),
    table=predictions_table,
    ensemble=ensemble,
    agreement=agreement,
)
