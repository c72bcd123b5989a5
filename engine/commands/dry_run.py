"""What `train.sh --dry_run` shows, as text and as a JSON document."""

from collections.abc import Sequence
from typing import Any

from engine.commands import answers
from engine.config.config import Config
from engine.hardware import limits
from engine.training.cost import memory
from engine.training.experiment import Experiment


def show(experiment: Experiment, config: Config, notes: Sequence[str], loaded: str) -> dict[str, Any]:
    """Prints the config, notes, groups of parameters, loaded variables, and memory.

    Args:
      experiment: what the config describes.
      config: the config.
      notes: on bindings that may be unused.
      loaded: a table of the variables that the training starts from; '' if it starts from none.

    Returns:
      The same as a JSON document.

    Raises:
      TooLittleMemoryError: the devices have less memory than the compiled programs need.
    """
    tables = filter(None, [experiment.parameter_groups(), loaded])
    print('\n'.join([config.explain(), *(f'note: {note}' for note in notes), *tables]), flush=True)
    needed, (limit, of) = memory.of_experiment(experiment), limits.device_memory()
    memory.check(needed, limit, of)
    print(memory.table(needed, limit, of))
    print('Everything is in order. Nothing was trained.')
    values = {name: {'value': value, 'origin': origin} for name, (value, origin) in config.origins().items()}
    return {
        'config': values,
        'notes': notes,
        'parameter_groups': getattr(experiment.bound, 'parameter_groups', dict)(),
        'init_from': loaded or None,
        'memory': answers.of_memory(needed, limit, of),
    }
