"""The whole state of a task from a checkpoint, to look into or to train on by hand, as in a notebook."""

from collections.abc import Mapping
from typing import Any

import jax

from engine.interfaces import State
from engine.training import steps
from engine.training.checkpointing.checkpoints import Checkpoints
from engine.training.checkpointing.state_layout import PARAMS
from engine.training.experiment import Experiment
from engine.variables import by_path


def restored(experiment: Experiment, checkpoints: Checkpoints, kind: str, step: int) -> State:
    """Returns the state after a step.

    A best checkpoint holds only what is evaluated. The rest, such as the state of the optimizer, begins anew
    from its parameters, as at the start of a training.

    Args:
      experiment: of the run.
      checkpoints: of the run.
      kind: of the checkpoint, "latest" or "best".
      step: that was saved.

    Raises:
      UserError: the checkpoint is damaged, or its arrays are not those of the present code.
    """
    shapes = experiment.step_functions.state_shapes
    if kind == 'latest':
        return checkpoints.restore(kind, step, shapes)
    stored = checkpoints.stored(kind, step)
    parts = {
        path: leaf for path, leaf in by_path(shapes).items() if path in stored or path.startswith(PARAMS)
    }
    arrays = checkpoints.restore(kind, step, parts, is_part=True)

    def completed(arrays: Mapping[str, Any]) -> State:
        params, model_state = experiment.bound.init_model(steps.key(experiment.seed, steps.INIT))
        model = _replaced({'params': params, 'model_state': model_state}, arrays)
        state = experiment.bound.init_training(model['params'], model['model_state'])
        return _replaced(state, arrays)

    shardings = jax.tree.map(lambda leaf: leaf.sharding, shapes)
    return jax.jit(completed, out_shardings=shardings)(arrays)


def _replaced(tree: State, arrays: Mapping[str, Any]) -> State:
    """Returns a tree with arrays in place of its leaves at the same paths.

    >>> _replaced({'params': {'bias': 1, 'kernel': 2}}, {'params/bias': 3, 'steps': 4})
    {'params': {'bias': 3, 'kernel': 2}}
    """
    leaves = [arrays.get(path, leaf) for path, leaf in by_path(tree).items()]
    return jax.tree.unflatten(jax.tree.structure(tree), leaves)
