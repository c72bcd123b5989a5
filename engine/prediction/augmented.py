"""Test-time augmentation: each example is predicted under several random augmentations of its inputs.

The augmentation is the one that the task trains with. The kind of the outputs joins the predictions, as it
joins those of an ensemble. They are a function of checkpoint, data, seed and number of augmentations.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import jax
import numpy as np

from engine import sharding
from engine.errors import UserError
from engine.interfaces import INDEX, Batch, State
from engine.outputs import kind_folders
from engine.outputs.check_arrays import packed
from engine.outputs.joint.ensemble import joined, rule
from engine.outputs.pictures import cropping
from engine.prediction.predicted_data import PredictedData, PredictedSplit, Predictor
from engine.runs.text_log import logger
from engine.training.batches.evaluation import evaluation_batches
from engine.training.experiment import Experiment
from engine.training.steps import AUGMENTATIONS, compiled, key

DETAIL = 'augmentations'


@dataclass(frozen=True)
class AugmentedData:
    """A dataset that is predicted under several augmentations.

    Attributes:
      data: the dataset.
      experiment: of the run.
      count: number of augmentations, at least 1.
    """

    data: PredictedData
    experiment: Experiment
    count: int

    def __post_init__(self) -> None:
        """Raises `UserError` if there are no augmentations."""
        if self.count < 1:
            raise UserError(f'--augmentations={self.count}: it must be at least 1.')

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
        return self.data.slug

    @property
    def suffix(self) -> str:
        """What follows the split in the name of an outputs folder, such as '+8augmentations'."""
        return f'+{self.count}augmentation{"s" * (self.count > 1)}'

    @property
    def details(self) -> Mapping[str, str]:
        """What the manifest says of the inputs."""
        return {**self.data.details, DETAIL: str(self.count)}

    def split(self, name: str) -> PredictedSplit:
        """Returns a split.

        Raises:
          UserError: there is no such split, or the task or the kind of its outputs cannot do this.
        """
        part, experiment = self.data.split(name), self.experiment
        rule(experiment.description.kind)
        batch = next(evaluation_batches(part.examples, experiment.batch_size, experiment.parallelism.mesh))
        try:
            program = trace(experiment, batch)
        except KeyError as error:
            if not error.args or error.args[0] not in experiment.data.spec.example:
                raise
            raise UserError(
                f'{self.name} lacks the field {error.args[0]!r}, which the augmentation of '
                f'{type(experiment.task).__name__} needs. Predict it without --augmentations.'
            ) from None
        if cropping.SIZES in program.out_info:
            raise UserError(
                f'{type(experiment.task).__name__} predicts pictures of varying size, which cannot be joined '
                'over augmentations. Predict without --augmentations.'
            )
        return AugmentedSplit(
            part.examples, part.truth, program, part.is_other, count=self.count, experiment=experiment
        )


def trace(experiment: Experiment, batch: Mapping[str, np.ndarray]) -> jax.stages.Traced:
    """Traces the prediction of a batch under an augmentation: (state, batch, its number) -> predictions.

    Raises:
      UserError: the task has no `predict_augmented`, or it refuses.
    """
    predict = getattr(experiment.bound, 'predict_augmented', None)
    if predict is None:
        raise UserError(
            f'{type(experiment.task).__name__} cannot predict with augmentations: its bound task has no '
            'method `predict_augmented(state, batch, key)`.'
        )

    def program(state: State, batch: Batch, number: jax.Array) -> dict[str, jax.Array]:
        return predict(state, batch, key(experiment.seed, AUGMENTATIONS, number))

    mesh = experiment.parallelism.mesh
    rows, whole = sharding.batch_sharding(mesh), sharding.replicated(mesh)
    given = (
        experiment.step_functions.state_shapes,
        sharding.abstract_sharded(batch, rows),
        sharding.abstract_sharded(np.int32(0), whole),
    )
    return experiment.parallelism.trace(program, given, rows)


@dataclass(frozen=True, kw_only=True)
class AugmentedSplit(PredictedSplit):
    """A split whose program also takes the number of an augmentation.

    Attributes:
      count: number of augmentations.
      experiment: of the run.
    """

    count: int
    experiment: Experiment

    def predictor(self) -> Predictor:
        """Compiles the program. A call predicts a batch under each augmentation and joins the predictions."""
        program, description = compiled(self.program), self.experiment.description
        declared = kind_folders.declaration(description.kind)
        left_out = [name for name in description.predictions if name not in declared.arrays]
        if left_out:
            logger.warning(
                'not saved, because only arrays of the kind can be joined: %s', ', '.join(left_out)
            )

        def predict(state: State, batch: Batch) -> dict[str, np.ndarray]:
            predictions = [
                sharding.fetch(program(state, batch, np.int32(number))) for number in range(self.count)
            ]
            rows = [str(row) for row in range(len(batch[INDEX]))]
            members = [packed(declared, arrays, rows, description.decode) for arrays in predictions]
            return joined(description.kind, members)

        return predict
