"""Labels and predictions of classification, on which all of its metrics are computed."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class ProbabilityFacts:
    """What metrics need to know of the predicted probabilities of each example.

    Attributes:
      confidences: probability of the predicted class, f64 [n].
      ranks: number of classes that are more probable than the label, int [n].
      log_losses: -ln of the probability of the label, f64 [n].
      brier_scores: squared error of the probability of the second of two classes; of more classes, the sum
        of the squared errors of all probabilities. f64 [n].
    """

    confidences: np.ndarray
    ranks: np.ndarray
    log_losses: np.ndarray
    brier_scores: np.ndarray


@dataclass(frozen=True)
class ClassPredictions:
    """Predictions and labels.

    Attributes:
      labels: true class, int [n].
      predictions: most probable class, int [n]; the first of equally probable ones.
      class_names: one per class.
      probable: facts about probabilities; None if outputs hold the predicted classes alone.
    """

    labels: np.ndarray
    predictions: np.ndarray
    class_names: tuple[str, ...]
    probable: ProbabilityFacts | None = None

    @property
    def correct(self) -> np.ndarray:
        """Whether each prediction is the label, bool [n]."""
        return self.predictions == self.labels
