"""What is predicted: a split of the dataset that a run was trained on, or of another one (other_data.py)."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

import jax
import numpy as np

from engine import sharding
from engine.datasets.reading.dataset import Examples
from engine.interfaces import Batch, State
from engine.training import known_truth
from engine.training.experiment import Experiment
from engine.training.steps import compiled

Predictor = Callable[[State, Batch], dict[str, np.ndarray]]  # returns whole arrays on the host, [B, ...]


@dataclass(frozen=True)
class PredictedSplit:
    """A split to predict.

    Attributes:
      examples: its examples, with the fields that the program takes.
      truth: the arrays of known labels by their names in the outputs, each [n, ...], or `Pictures`.
      program: predicts a batch of a state, traced and not yet compiled.
      is_other: whether it belongs to another dataset than that of the run.
    """

    examples: Examples
    truth: Mapping[str, Any]
    program: jax.stages.Traced
    is_other: bool = False

    def predictor(self) -> Predictor:
        """Compiles the program. A call predicts a batch."""
        program = compiled(self.program)
        return lambda state, batch: sharding.fetch(program(state, batch))


class PredictedData(Protocol):
    """A dataset to predict.

    Attributes:
      name: of the dataset.
      fingerprint: of the dataset.
      slug: the part of the names of outputs folders before the split; '' for the dataset of the run.
      suffix: the part after the split; '' if examples are predicted once.
      details: what the manifest says of how images became inputs.
    """

    @property
    def name(self) -> str: ...  # noqa: D102

    @property
    def fingerprint(self) -> str: ...  # noqa: D102

    @property
    def slug(self) -> str: ...  # noqa: D102

    @property
    def suffix(self) -> str: ...  # noqa: D102

    @property
    def details(self) -> Mapping[str, str]: ...  # noqa: D102

    def split(self, name: str) -> PredictedSplit:
        """Returns a split. Raises `UserError` if there is no such split."""
        ...


@dataclass(frozen=True)
class OwnData:
    """The dataset that a run was trained on."""

    experiment: Experiment
    slug: str = ''
    suffix: str = ''
    details: Mapping[str, str] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """The name of the dataset."""
        return self.experiment.data.name

    @property
    def fingerprint(self) -> str:
        """The fingerprint of the dataset."""
        return self.experiment.data.fingerprint

    def split(self, name: str) -> PredictedSplit:
        """Returns a split."""
        examples = self.experiment.data.split(name)
        truth = known_truth.arrays(examples, self.experiment.description)
        return PredictedSplit(examples, truth, self.experiment.traced.predict)
