"""Steps of a run, done again from a checkpoint: they must come out as they did, to the bit."""

from collections.abc import Iterator

import numpy as np

from engine.interfaces import State
from engine.training.checkpoints import Checkpoints
from engine.training.experiment import Experiment
from engine.training.metrics import Pending
from engine.training.steps import compiled


def saved_state(experiment: Experiment, checkpoints: Checkpoints, step: int) -> State:
    """Returns the state after a step that is 0 or was saved; raises `UserError` if it was not."""
    if step == 0:
        return experiment.step_functions.init()
    kind, step = checkpoints.find(str(step))
    return checkpoints.restore(kind, step, experiment.step_functions.state_shapes)


def metrics(
    experiment: Experiment, state: State, start: int, stop: int
) -> Iterator[tuple[int, dict[str, float]]]:
    """Yields (step, its metrics) for each step after `start` up to `stop`.

    Steps are grouped as in training, for the grouping is part of the bits.

    Args:
      experiment: of the run.
      state: after `start` steps; it is used up.
      start: what the state has behind it.
      stop: the last step to do.
    """
    update = {count: compiled(each) for count, each in experiment.traced.train_steps.items()}
    step = start
    while step < stop:
        count, pending = experiment.group(step), Pending()
        state, found = update[count](state, experiment.source.inputs(step, count), np.int32(step))
        pending.add(step, found)
        yield from (line for line in pending.all() if line[0] <= stop)
        step += count


def state_before(experiment: Experiment, state: State, start: int, step: int) -> State:
    """Returns the state that a step is given: by groups as in training, and single steps inside the last."""
    update = {count: compiled(each) for count, each in experiment.traced.train_steps.items()}
    done = start
    while done < step - 1:
        count = experiment.group(done) if done + experiment.group(done) < step else 1
        state, _ = update[count](state, experiment.source.inputs(done, count), np.int32(done))
        done += count
    return state
