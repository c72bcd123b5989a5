"""The parameters to evaluate: a moving average, or the average that a schedule-free optimizer keeps.

Schedule-free optimizers take gradients at one point and evaluate another one, an average. Defazio et al.
2024, https://arxiv.org/abs/2405.15682.
"""

from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
from optax.contrib import ReduceLROnPlateauState, ScheduleFreeState, schedule_free_eval_params

from engine.interfaces import State
from engine.variables import by_path, joined


def has_average(opt_state: Any) -> bool:
    """Returns whether an optimizer's state holds an average of the parameters, to be evaluated."""
    return bool(nodes(opt_state, ScheduleFreeState))


def evaluation_params(state: State) -> State:
    """Returns the parameters to evaluate: an average of them if the state holds one, else `params`.

    >>> import optax
    >>> params = {'w': jnp.ones(2)}
    >>> state = {'params': params, 'opt_state': optax.adam(0.1).init(params)}
    >>> evaluation_params(state) is params
    True

    Args:
      state: as `minimizer.Minimizer` makes it.
    """
    if 'ema_params' in state:
        return joined(state['params'], state['ema_params'])  # which lacks frozen parameters
    params, averages = by_path(state['params']), {}
    for node in nodes(state['opt_state'], ScheduleFreeState):
        averages |= _averages(node, params)
    if not averages:
        return state['params']
    leaves = [averages.get(path, leaf) for path, leaf in params.items()]
    return jax.tree.unflatten(jax.tree.structure(state['params']), leaves)


def _averages(state: Any, params: Mapping[str, jax.Array]) -> dict[str, jax.Array]:
    """Returns the average of each parameter of an optimizer or of a group of it, by its path."""
    z = by_path(state.z)  # without the parameters of other groups, and frozen ones
    y = {path: params[path] for path in z}
    averages = schedule_free_eval_params(state._replace(z=z), y)
    # Where both points are the same, as at step 0, so is the average. The formula would round it.
    return {path: jnp.where(y[path] == z[path], y[path], averages[path]) for path in z}


def rate_factor(opt_state: Any) -> jax.Array | float:
    """Returns the factor by which `optax.contrib.reduce_on_plateau` has lowered the learning rate, f32 []."""
    states = nodes(opt_state, ReduceLROnPlateauState)
    return states[0].scale if len(states) == 1 else 1.0  # groups have learning rates of their own


def nodes(opt_state: Any, kind: type | tuple[type, ...]) -> list[Any]:
    """Returns the parts of an optimizer's state that are of a class, or of one of several."""
    leaves = jax.tree.leaves(opt_state, is_leaf=lambda node: isinstance(node, kind))
    return [leaf for leaf in leaves if isinstance(leaf, kind)]
