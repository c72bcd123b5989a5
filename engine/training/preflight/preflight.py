"""The checks of a traced experiment, in their order."""

from collections.abc import Sequence

from engine.training.experiment import Experiment
from engine.training.preflight import examples, finite_data, network_inputs, predictions, resources


def check(experiment: Experiment, predict: Sequence[str]) -> None:
    """Checks what would fail during or after the training, as far as it is known now.

    Args:
      experiment: a traced experiment.
      predict: names of the splits whose predictions are saved.

    Raises:
      UserError: with the first mistake.
    """
    data, bound = experiment.data, experiment.bound
    for name in predict:
        examples.check(name, data, data.split(name), bound, experiment.batch_size, needs_labels=False)
    network_inputs.check(experiment)
    predictions.check(experiment, predict)
    resources.check_memory(experiment, predict)
    finite_data.check(experiment)
