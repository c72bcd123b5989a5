"""Steps of a run, repeated from a checkpoint: they must give the same metrics, to the bit."""

from collections.abc import Iterator

import numpy as np

from engine.interfaces import State
from engine.training.checkpoints import Checkpoints
from engine.training.experiment import Experiment
from engine.training.metrics import InFlightMetrics
from engine.training.steps import Compiled, compiled


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

    Steps are grouped as in training, because the grouping changes the bits.

    Args:
      experiment: of the run.
      state: after `start` steps; its arrays are given away.
      start: the step that the state belongs to.
      stop: the last step to repeat.
    """
    train_steps = _compiled(experiment)
    step = start
    while step < stop:
        count, in_flight = experiment.group(step), InFlightMetrics()
        state, metrics = train_steps[count](state, experiment.source.inputs(step, count), np.int32(step))
        in_flight.add(step, metrics)
        fetched = in_flight.all()
        yield from (line for line in (fetched.lines() if fetched else ()) if line[0] <= stop)
        step += count


def state_before(experiment: Experiment, state: State, start: int, step: int) -> State:
    """Returns the state before a step: by groups as in training, and by single steps inside the last one."""
    train_steps = _compiled(experiment)
    position = start
    while position < step - 1:
        group = experiment.group(position)
        count = group if position + group < step else 1
        inputs = experiment.source.inputs(position, count)
        state, _ = train_steps[count](state, inputs, np.int32(position))
        position += count
    return state


def _compiled(experiment: Experiment) -> dict[int, Compiled]:
    return {count: compiled(traced) for count, traced in experiment.traced.train_steps.items()}
