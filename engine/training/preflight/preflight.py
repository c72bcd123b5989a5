"""Runs all checks of a traced experiment."""

from collections.abc import Sequence

from engine.training.experiment import Experiment
from engine.training.preflight import examples, finite_data, network_inputs, order, predictions, resources


def check(experiment: Experiment, predict: Sequence[str]) -> None:
    """Finds mistakes that would otherwise show during or after the training.

    Args:
      experiment: a traced experiment.
      predict: names of the splits whose predictions are saved.

    Raises:
      UserError: describes the first mistake.
    """
    order.check(experiment)
    data, bound = experiment.data, experiment.bound
    for name in predict:
        examples.check(name, data, data.split(name), bound, experiment.batch_size, needs_labels=False)
    network_inputs.check(experiment)
    predictions.check(experiment, predict)
    resources.check_memory(experiment, predict)
    finite_data.check(experiment)
