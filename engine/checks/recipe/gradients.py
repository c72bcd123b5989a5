"""Checks that gradients reach every parameter that is trained."""

import math
from collections.abc import Callable, Collection
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp

from engine.checks import figures
from engine.checks.experiment_under_test import LOSS, ExperimentUnderTest
from engine.checks.finding import Finding, judged
from engine.interfaces import State
from engine.variables import by_path

STEPS = 5  # every parameter must change within them. A residual branch that starts at zero takes two.
MAX_NAMES = 3  # parameters that the result names


def gradients(experiment: ExperimentUnderTest) -> Finding:
    """Each trained array of parameters has a finite gradient other than zero, and changes in training."""
    first = last = experiment.first_state
    for state, _ in experiment.train(experiment.batches(STEPS), experiment.rates(STEPS)):
        last = state
    trained = by_path(first['params']).keys() - experiment.frozen
    norms = _norms(experiment, [first, last], trained) if experiment.has_loss() else {}
    problems = [
        f'{name} has the gradient {norm:g}' for name, norm in norms.items() if not 0 < norm < math.inf
    ]
    problems = problems or _unchanged(first, last, trained)
    return judged(
        not problems,
        _problem_text(problems) if problems else _success_text(trained, experiment.frozen, norms),
        'Look for a stop_gradient, an optimizer that masks the parameters, a layer that is never called, or '
        'a ReLU that is never positive. To freeze parameters on purpose, name them in `frozen` of the task, '
        'or state an exception.',
        {'Gradients': partial(figures.gradients, norms)} if norms else None,
    )


def _unchanged(first: State, last: State, trained: Collection[str]) -> list[str]:
    changed = jax.tree.map(lambda old, new: bool(jnp.any(old != new)), first['params'], last['params'])
    names = by_path(changed)
    return [f'{name} does not change' for name in names if name in trained and not names[name]]


def _problem_text(problems: list[str]) -> str:
    more = f' ({len(problems)} in all)' if len(problems) > MAX_NAMES else ''
    return '; '.join(problems[:MAX_NAMES]) + more


def _success_text(trained: Collection[str], frozen: Collection[str], norms: dict[str, float]) -> str:
    values = norms.values()
    extent = f'; gradient norms from {min(values):.1e} to {max(values):.1e}' if norms else ''
    others = f'; {len(frozen)} are frozen' if frozen else ''
    return f'all {len(trained)} arrays change in {STEPS} steps{others}{extent}'


def _norms(
    experiment: ExperimentUnderTest, states: list[State], trained: Collection[str]
) -> dict[str, float]:
    """Returns the gradient norm of the training loss by each array, the largest over the states."""

    def loss(params: State, state: State, batch: Any, key: jax.Array) -> jax.Array:
        metric = experiment.task.update(state | {'params': params}, batch, key, 0.0)[1][LOSS]
        return metric.total / metric.count

    gradient: Callable[..., Any] = jax.jit(jax.grad(loss))
    norms: list[dict[str, float]] = []
    for step, (state, batch) in enumerate(zip(states, experiment.batches(len(states)), strict=True)):
        grads = by_path(gradient(state['params'], state, batch, experiment.key(step)))
        norms.append({name: float(jnp.linalg.norm(grads[name])) for name in grads if name in trained})
    return {name: max(by_name[name] for by_name in norms) for name in norms[0]}
