"""Checks that predictions can be saved as outputs of the task's kind: the writer's own checks, on shapes.

The predictions are zeros of the traced shapes and dtypes, the truth is that of some examples of the split.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import jax.numpy as jnp
import numpy as np

from engine import errors
from engine.datasets.reading.dataset import Examples
from engine.errors import UserError
from engine.interfaces import Description
from engine.outputs import kind_folders
from engine.outputs.check_arrays import checked, packed
from engine.outputs.kind import ADDITIONAL, Decode, Field, Kind
from engine.outputs.manifest import Manifest
from engine.outputs.pictures.sequence import Pictures
from engine.training import known_truth, outputs_manifest
from engine.training.experiment import Experiment
from engine.training.preflight import hooks
from engine.training.preflight.examples import check_class_indices, spaced

MAX_EXAMPLES, MAX_BYTES = 64, 2**23  # of a split that are tried


def check(experiment: Experiment, splits: Iterable[str]) -> None:
    """Checks the predictions and the truth of some splits.

    Args:
      experiment: a traced experiment.
      splits: names of splits.

    Raises:
      UserError: the outputs of a split could not be written.
    """
    description, shapes = experiment.description, experiment.traced.predict.out_info
    declared = _declared(experiment, description)
    check_dtypes(experiment, declared, shapes)
    _check_names(experiment, description, shapes)
    _check_views(experiment, declared, shapes)
    _check_samples(experiment, declared)
    for split in splits:
        _check_split(experiment, split, declared, shapes)


def _check_samples(experiment: Experiment, declared: Kind) -> None:
    """Raises `UserError` if a number of samples is asked for where each prediction belongs to an example."""
    if experiment.samples is not None and experiment.dataset is not None and not declared.is_unpaired:
        raise UserError(
            f'Trainer.samples = {experiment.samples}: the kind {experiment.description.kind!r} has a '
            'prediction for each example of a split, so their number is not free. Remove the binding.'
        )


def _predict(experiment: Experiment) -> str:
    return hooks.named(experiment.bound, 'predict', 'predictions')


def _declared(experiment: Experiment, description: Description) -> Kind:
    try:
        return kind_folders.declaration(description.kind)
    except UserError as error:
        raise UserError(f'{hooks.named(experiment.bound, "describe")}: {error}') from None


def check_dtypes(experiment: Experiment, declared: Kind, shapes: Mapping[str, Any]) -> None:
    """Raises `UserError` unless every number of each predicted dtype fits into the outputs."""
    kind, classes = experiment.description.kind, len(experiment.class_names)
    for name, array in shapes.items():
        field, dtype = declared.field(name), jnp.dtype(array.dtype)
        if not _fits(dtype, field):
            wanted = 'plain numbers are' if field is ADDITIONAL else f'{field.dtypes_in_words} is'
            advice = '' if field is ADDITIONAL else f' Let it end with `.astype(jnp.{field.dtype})`.'
            raise UserError(
                f'{_predict(experiment)} returns {name!r} as {dtype.name}, but {wanted} needed for the kind '
                f'{kind!r}.{advice} {_needs(kind, declared)}'
            )
        limit = np.iinfo(dtype).max if dtype.kind in 'iu' else classes
        if (
            field.below == 'classes'
            and min(limit, max(np.iinfo(name).max for name in field.dtypes)) < classes - 1
        ):
            raise UserError(
                f'{_predict(experiment)} returns {name!r} as {dtype.name}, and the kind {kind!r} stores '
                f'{field.dtypes_in_words}, but the indices of {classes} classes do not fit.'
            )


def _fits(dtype: np.dtype, field: Field) -> bool:
    if field is ADDITIONAL:
        return dtype.kind in 'biuf'
    if field.below:
        return dtype.kind in 'biu'
    plain = 'iu' if field.dtype == 'uint8' else 'biuf'  # the range of images of booleans is another one
    return dtype.kind in plain and any(np.can_cast(dtype, name) for name in field.dtypes)


def _check_names(experiment: Experiment, description: Description, shapes: Mapping[str, Any]) -> None:
    """Raises `UserError` unless describe() states the meaning of each array that predict() returns."""
    describe = hooks.named(experiment.bound, 'describe')
    for name in shapes:
        if name not in description.predictions:
            raise UserError(
                f'{_predict(experiment)} returns {name!r}, but {describe} does not state its meaning. Add it '
                f"to the `predictions` of the description: {{{name!r}: 'what it is'}}."
            )
    for name in description.predictions:
        if name not in shapes:
            raise UserError(
                f'{describe} states the meaning of {name!r}, but {_predict(experiment)} returns: '
                f'{", ".join(shapes) or "nothing"}. {errors.did_you_mean(name, shapes)}'
            )
        if name in description.truth:
            raise UserError(
                f'{describe} states {name!r} in `predictions` and in `truth`. Rename one of them.'
            )


def _check_views(experiment: Experiment, declared: Kind, shapes: Mapping[str, Any]) -> None:
    """Raises `UserError` if the kind needs to know how images were resized, and the task does not say it."""
    description, data = experiment.description, experiment.data
    resized = [repr(name) for name in data.encoded if name not in description.truth.values()]
    if declared.views and resized and declared.views not in shapes:
        raise UserError(
            f'The images {", ".join(resized)} of {data.name} are resized when they are read, and the kind '
            f'{description.kind!r} measures in pixels of the original images. Let {_predict(experiment)} map '
            f'its boxes back to them, and return {declared.views!r}, f32 [B, 4]: the part of the original '
            'image that the model sees, x0, y0, x1, y1 in its pixels.'
        )


def _check_split(experiment: Experiment, split: str, declared: Kind, shapes: Mapping[str, Any]) -> None:
    """Raises `UserError` unless the outputs of a split could be written."""
    examples, description = experiment.data.split(split), experiment.description
    labelled = known_truth.arrays(examples, description)
    rows = _rows(examples, [*labelled.values(), *shapes.values()])
    predicted = {name: np.zeros((len(rows), *array.shape[1:]), array.dtype) for name, array in shapes.items()}
    truth = {name: array[rows] for name, array in labelled.items()}
    predicted = declared.trial(predicted, truth)
    manifest, ids = _manifest(experiment, split), [examples.ids[row] for row in rows]
    try:
        arrays = checked(
            experiment.data.folder / split,
            manifest,
            _packed(declared, predicted | truth, ids, description.decode),
            len(rows),
        )
    except UserError as error:
        raise UserError(_explained(experiment, split, str(error), declared, predicted, truth)) from None
    classes = manifest.classes or _classes(declared, arrays)
    for name, labels in labelled.items():
        is_class = declared.field(name).below == 'classes' and not declared.field(name).may_ignore
        if is_class and labels.ndim == 1 and classes:
            check_class_indices(
                f'{split} of {experiment.data.name}', examples, description.truth[name], classes
            )


def _rows(examples: Examples, arrays: Iterable[Any]) -> np.ndarray:
    """Returns the indices of some evenly spaced examples whose arrays are small."""
    size = sum(_numbers(array) * jnp.dtype(array.dtype).itemsize for array in arrays)
    return spaced(len(examples), min(MAX_EXAMPLES, MAX_BYTES // max(1, size)))


def _numbers(array: Any) -> int:
    """Returns how many numbers an example has; the mean for pictures of varying size."""
    if isinstance(array, Pictures):
        return array.size // max(1, len(array))
    return int(np.prod(array.shape[1:]))


def _packed(
    declared: Kind, arrays: Mapping[str, np.ndarray], ids: Sequence[str], decode: Decode | None
) -> Mapping[str, np.ndarray]:
    try:
        return packed(declared, arrays, ids, decode)
    except UserError:
        raise
    except Exception as error:  # a kind's code, with arrays that it does not expect
        if errors.own_code_failure(error):
            raise
        raise UserError(f'they cannot be packed: {type(error).__name__}: {errors.reason(error)}') from error


def _manifest(experiment: Experiment, split: str) -> Manifest:
    """Returns the manifest of a split, as far as it is known; raises `UserError` if it is not valid."""
    names, describe = experiment.class_names, hooks.named(experiment.bound, 'describe')
    manifest = outputs_manifest.manifest(experiment.description, experiment.data.name, split, names)
    texts = [text for pair in manifest.details.items() for text in pair]
    if not all(isinstance(text, str) for text in texts):
        raise UserError(f'{describe}: details maps names to text, but is {dict(manifest.details)}.')
    try:
        manifest.check(Path(split))
        json.dumps(manifest.as_json())
    except (UserError, TypeError) as error:
        raise UserError(f'{describe}: its description cannot be written: {error}') from None
    return manifest


def _classes(declared: Kind, arrays: Mapping[str, np.ndarray]) -> int:
    """Returns the number of classes that an array implies, 0 if none does."""
    for name, array in arrays.items():
        axes = declared.field(name).axes.split()
        if 'classes' in axes:
            return array.shape[axes.index('classes')]
    return 0


def _explained(
    experiment: Experiment,
    split: str,
    problem: str,
    declared: Kind,
    predicted: Mapping[str, np.ndarray],
    truth: Mapping[str, np.ndarray],
) -> str:
    """Returns a message of the writer, with what the task returns and what the kind needs."""
    kind, task = (
        experiment.description.kind,
        type(getattr(experiment.bound, 'task', experiment.bound)).__name__,
    )
    problem = problem.removeprefix(f'{experiment.data.folder / split}: ').rstrip('.')
    fields = ', '.join(f'{field!r}' for field in experiment.description.truth.values())
    return '\n'.join(
        [
            f'{task}: the outputs of {split}, tried with {len(next(iter(predicted.values()), ()))} examples, '
            f'do not fit the kind {kind!r}: {problem}.',
            f'  {_predict(experiment)} returns {hooks.in_words(predicted)}.',
            *([f'  The truth from {fields} of the dataset is {hooks.in_words(truth)}.'] if truth else []),
            f'  {_needs(kind, declared)}',
        ]
    )


def _needs(kind: str, declared: Kind) -> str:
    """Returns what a kind needs of a task, and where it is declared."""
    groups = [' or '.join(_field(name, declared.field(name)) for name in group) for group in declared.needs]
    padded = f', or, for `pack`, {declared.takes}' if declared.takes else ''
    return f'{kind} needs {"; ".join(groups)}{padded}: see {kind_folders.file(kind)}.'


def _field(name: str, field: Field) -> str:
    return f'{name} {field.dtypes_in_words} [{", ".join(field.axes.split())}]'
