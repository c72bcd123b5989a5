"""Another dataset than that of a run, as the run's task predicts it.

The task stays bound to the dataset that it was trained on. Of the other dataset it needs the fields that
`predict` reads, in the same shapes and dtypes. Images of varying size become inputs by `Trainer.decode` of
the run, or by `Resizing` where the run has none. Labels are matched by the names of their classes.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import jax
import numpy as np

from engine.datasets import load as loading
from engine.datasets.building.labels import is_unlabelled
from engine.datasets.catalogue.names import IMAGES, DatasetName
from engine.datasets.expressions import fitting
from engine.datasets.reading import integrity
from engine.datasets.reading.dataset import Dataset, Examples
from engine.datasets.reading.unusable_images import ANY_SHARE
from engine.errors import UserError
from engine.interfaces import INDEX, VALID
from engine.prediction.class_matching import ClassMatch
from engine.prediction.predicted_data import PredictedSplit
from engine.prediction.resizing import How, Resizing
from engine.runs.text_log import logger
from engine.training import known_truth
from engine.training.batches import decoding
from engine.training.experiment import Experiment


@dataclass(frozen=True)
class OtherData:
    """Another dataset than that of a run.

    Args:
      experiment: of the run.
      data: the other dataset, its images decoded as the run needs them.
      details: how images became inputs, for the manifest.
      suffix: the part of the names of outputs folders after the split.
    """

    experiment: Experiment
    data: Dataset
    details: Mapping[str, str]
    suffix: str = ''

    @property
    def name(self) -> str:
        """The name of the dataset."""
        return self.data.name

    @property
    def fingerprint(self) -> str:
        """The fingerprint of the dataset."""
        return self.data.fingerprint

    @property
    def slug(self) -> str:
        """The name of the dataset as that of a folder."""
        return DatasetName.parse(self.data.name).slug

    def split(self, name: str) -> PredictedSplit:
        """Returns a split, with the labels of classes that the run knows by name.

        Raises:
          UserError: there is no such split, or it lacks a field that `predict` reads.
        """
        examples = self.data.split(name)
        if not len(examples):
            raise UserError(f'{name} of {self.name} has no examples.')
        labels = self._labels(name, examples)
        program, fields = self._program(labels)
        truth = self.experiment.description.truth
        kept = replace(
            examples,
            arrays={field: array for field, array in (examples.arrays | labels).items() if field in fields},
            encoded={field: images for field, images in examples.encoded.items() if field in fields},
        )
        known: dict[str, Any] = {array: labels[field] for array, field in truth.items() if field in labels}
        known |= {
            array: known_truth.pictures(examples.encoded[field])
            for array, field in truth.items()
            if field in examples.encoded and field in self.experiment.data.encoded
        }
        return PredictedSplit(kept, known, program, is_other=True)

    @cached_property
    def _misfits(self) -> dict[str, str]:
        """How each field of the run's dataset differs here; '' for those that do not."""
        own = self.experiment.data
        return {field: fitting.misfit(field, self.data, own) for field in own.spec.example}

    def _labels(self, split: str, examples: Examples) -> dict[str, np.ndarray]:
        """Returns the fields of labels of the run's classes, [n, ...]. Logs the others."""
        labels, spec = {}, self.experiment.data.spec
        for field in dict.fromkeys(self.experiment.description.truth.values()):
            if field not in examples.arrays or is_unlabelled(examples.arrays[field]):
                continue
            if problem := self._misfits[field]:
                logger.warning('%s of %s: no labels: %s.', split, self.name, problem)
                continue
            match = ClassMatch.of(self.data.spec.class_names.get(field, ()), spec.class_names.get(field, ()))
            if problem := match.problem(examples.arrays[field]):
                logger.warning('%s of %s: no labels: its field %r %s.', split, self.name, field, problem)
                continue
            labels[field] = match(examples.arrays[field])
        return labels

    def _program(self, labels: Mapping[str, np.ndarray]) -> tuple[jax.stages.Traced, list[str]]:
        """Returns the program that predicts, and the fields that it takes: labels only if it reads them."""
        truth = {*self.experiment.description.truth.values()}
        fields = [field for field, misfit in self._misfits.items() if not misfit and field not in truth]
        while True:
            try:
                return self.experiment.step_functions.trace_predict(self._batch(fields)), fields
            except KeyError as error:
                field = error.args[0] if error.args else None
                if field not in self._misfits or field in fields:
                    raise
                if field not in labels and (self._misfits[field] or field in self.data.spec.class_names):
                    raise UserError(self._refusal(field)) from None
                fields.append(field)

    def _batch(self, fields: list[str]) -> dict[str, jax.ShapeDtypeStruct]:
        """Returns shape and dtype of the arrays of a batch."""
        example, rows = self.experiment.data.spec.example, self.experiment.batch_size
        shapes = {
            field: jax.ShapeDtypeStruct((rows, *example[field].shape), example[field].dtype)
            for field in fields
        }
        added = {INDEX: np.int32, VALID: np.bool_}
        return shapes | {name: jax.ShapeDtypeStruct((rows,), dtype) for name, dtype in added.items()}

    def _refusal(self, field: str) -> str:
        own = self.experiment.data
        wanted = own.spec.example[field]
        reason = self._misfits[field] or f'it has no labels of these classes in its field {field!r}'
        return (
            f'{self.name} does not fit this run: its task predicts from the field {field!r} of {own.name}, '
            f'{wanted.dtype} {list(wanted.shape)}, but {reason}.'
        )


def load(name: str, experiment: Experiment, how: How) -> OtherData:
    """Loads a dataset by its name, and returns it as a run's task predicts it.

    A folder of images needs no classes, and its damaged images are left out.
    """
    is_folder = DatasetName.parse(name).source == IMAGES
    allowed = ANY_SHARE if is_folder else experiment.allow_damaged
    return fit(loading.load(name, allowed, to_predict=True), experiment, how)


def fit(data: Dataset, experiment: Experiment, how: How) -> OtherData:
    """Returns another dataset as a run's task predicts it.

    Args:
      data: the other dataset, as it was loaded.
      experiment: of the run.
      how: images of varying size become inputs if the run has no `Trainer.decode` that makes them.

    Raises:
      UserError: images vary in size and `how` is 'no', words of a vocabulary differ, or files are damaged.
    """
    integrity.check(data.folder)
    own = experiment.data
    for note in own.spec.notes.keys() & data.spec.notes.keys():
        if problem := fitting.other_words(note, data.spec, own.spec):
            raise UserError(f'{data.name} does not fit this run, which was trained on {own.name}: {problem}.')
    inputs = {
        field: own.spec.example[field] for field in data.encoded if _is_image(own.spec.example.get(field))
    }
    fields = replace(data, encoded={})
    if not inputs:
        return OtherData(experiment, fields, {})
    size = _size(data.name, inputs)
    encoded = replace(fields, encoded={field: image.shape[-1] for field, image in inputs.items()})
    if experiment.decode and decoding.size_of(experiment.decode) == size:
        return OtherData(experiment, decoding.bound(encoded, experiment.decode), {})
    if how == 'no':
        raise UserError(
            f'The images of {data.name} vary in size, and this run predicts from images of {size[0]} x '
            f'{size[1]} pixels. Pass --resize=crop or --resize=stretch, or build them in this size.'
        )
    return OtherData(experiment, decoding.bound(encoded, Resizing(size, how)), {'resize': how})


def _is_image(field: Any) -> bool:
    return (
        field is not None and field.dtype == np.uint8 and len(field.shape) == 3 and 1 <= field.shape[-1] <= 4
    )


def _size(name: str, inputs: Mapping[str, jax.ShapeDtypeStruct]) -> tuple[int, int]:
    sizes = {field: image.shape[:2] for field, image in inputs.items()}
    if len({*sizes.values()}) > 1:
        raise UserError(f'The images of {name} vary in size, and this run needs several sizes: {sizes}.')
    height, width = next(iter(sizes.values()))
    return height, width
