"""Steps and evaluations of a run, repeated from a checkpoint: they must give the same metrics, to the bit."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from engine.errors import UserError
from engine.interfaces import State
from engine.training import initialisation
from engine.training.checkpointing.checkpoints import Checkpoints
from engine.training.experiment import Experiment
from engine.training.logs.metric_log import BLOCK
from engine.training.logs.metrics import BlockMeans, InFlightMetrics, merged
from engine.training.steps import Compiled, compiled


@dataclass(frozen=True)
class Repeated:
    """What a repeated evaluation, or the repeated steps of a line of the log, gave.

    Attributes:
      step: after which was evaluated, or the last of the steps.
      is_evaluation: whether it is an evaluation.
      metrics: as the log holds them.
    """

    step: int
    is_evaluation: bool
    metrics: dict[str, float]


def saved_state(experiment: Experiment, checkpoints: Checkpoints, step: int, run: Path) -> State:
    """Returns the state after a step.

    Args:
      experiment: of the run.
      checkpoints: of the run.
      step: 0, or one that was saved.
      run: its folder.

    Raises:
      UserError: the step was not saved; or it is 0, and the variables that the run began with are gone.
    """
    if step == 0 and 0 not in checkpoints.steps('latest'):
        return initialisation.first_state(experiment.init_from, experiment.step_functions, run)
    kind, _ = checkpoints.find(str(step))
    if step not in checkpoints.steps('latest'):
        raise UserError(
            f'step {step} is saved as the {kind} checkpoint alone, without the state of the optimizer. '
            f'Take one of these steps: {checkpoints.steps("latest")[::-1] or "none"}.'
        )
    return checkpoints.restore('latest', step, experiment.step_functions.state_shapes)


def saved_block(experiment: Experiment, checkpoints: Checkpoints, step: int, last: int) -> BlockMeans:
    """Returns the means that training has begun at a step that is 0 or saved; a block may be open there.

    Args:
      experiment: of the run.
      checkpoints: of the run.
      step: 0, or a saved step.
      last: the step of the last line of the log, which may be the mean of fewer steps than others.
    """
    record = checkpoints.metadata('latest', step).get(BLOCK, '') if step else ''
    return BlockMeans(experiment.log_every, last, record)


def repeat(
    experiment: Experiment,
    state: State,
    block: BlockMeans,
    start: int,
    stop: int,
    evaluations: Collection[int],
) -> Iterator[Repeated]:
    """Repeats training steps and evaluations in the order of the training.

    Steps are grouped as in training, because the grouping changes the bits. Inside a block of steps whose
    mean is a line of the log, nothing can be compared: the block is compared when it ends.

    Args:
      experiment: of the run.
      state: after `start` steps; its arrays are given away.
      block: the means over blocks of steps, after `start` steps.
      start: the step that the state belongs to.
      stop: the last step to repeat.
      evaluations: the steps, `start` to `stop`, after which to evaluate. One inside a group is left out.
    """
    train_steps = _compiled(experiment)
    evaluate = compiled(experiment.traced.evaluate) if evaluations else None
    step = start
    while True:
        if evaluate and step in evaluations:
            yield Repeated(step, True, _evaluation(experiment, evaluate, state))
        if step >= stop:
            return
        count, in_flight = experiment.events.group(step), InFlightMetrics()
        state, metrics = train_steps[count](state, experiment.source.inputs(step, count), np.int32(step))
        in_flight.add(step, metrics)
        fetched = in_flight.all()
        for number, values in block.add(fetched.until(stop + 1)) if fetched else ():
            yield Repeated(number, False, values)
        step += count


def _evaluation(experiment: Experiment, program: Compiled, state: State) -> dict[str, float]:
    return experiment.measured(lambda batches: merged(program(state, batch) for batch in batches))


def state_before(experiment: Experiment, state: State, start: int, step: int) -> State:
    """Returns the state before a step: by groups as in training, and by single steps inside the last one."""
    train_steps = _compiled(experiment)
    position = start
    while position < step - 1:
        group = experiment.events.group(position)
        count = group if position + group < step else 1
        inputs = experiment.source.inputs(position, count)
        state, _ = train_steps[count](state, inputs, np.int32(position))
        position += count
    return state


def _compiled(experiment: Experiment) -> dict[int, Compiled]:
    return {count: compiled(traced) for count, traced in experiment.traced.train_steps.items()}
