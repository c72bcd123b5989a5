"""Whether the network learns: gradients reach all of it, it starts at chance, it knows one batch by heart."""

import math
from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from engine.checks import figures
from engine.checks.finding import Finding, judged, skipped
from engine.checks.memorisation import FALLEN, RIGHT, STEPS, memory
from engine.checks.subject import LOSS, Subject
from engine.interfaces import State

MOVING = 5  # steps in which every parameter must have moved: a residual branch that begins at zero takes two
NEAR = (0.5, 1.5)  # times the expected loss: normal initialisers add up to half the variance of the logits


def gradients(subject: Subject) -> Finding:
    """Each array of parameters gets a finite gradient that is not zero, and moves."""
    after = subject.first
    for state, _ in subject.train(subject.batches(MOVING), subject.rates(MOVING)):
        after = state
    moved = jax.tree.map(lambda old, new: bool(jnp.any(old != new)), subject.first['params'], after['params'])
    wrong = [f'{name} does not move' for name, each in _named(moved).items() if not each]
    norms = _norms(subject, [subject.first, after]) if subject.has_loss() else {}
    without = [f'{name} has the gradient {each:g}' for name, each in norms.items() if not 0 < each < math.inf]
    wrong = without or wrong
    more = f' ({len(wrong)} in all)' if len(wrong) > 3 else ''
    low = f'; gradient norms of {min(norms.values()):.1e} to {max(norms.values()):.1e}' if norms else ''
    return judged(
        not wrong,
        '; '.join(wrong[:3]) + more
        if wrong
        else f'all {len(_named(moved))} arrays move in {MOVING} steps{low}',
        'Look for a stop_gradient, an optimizer that masks them, a layer that is built and not called, a '
        'ReLU that is never positive. If they are frozen on purpose, state it as an exception.',
        {'Gradients': partial(figures.gradients, norms)} if norms else None,
    )


def _norms(subject: Subject, states: list[State]) -> dict[str, float]:
    """Returns the norm of the gradient of the training loss by each array, the largest in some states."""

    def loss(params: State, state: State, batch: Any, key: jax.Array) -> jax.Array:
        measured = subject.paced.update(state | {'params': params}, batch, key, 0.0)[1][LOSS]
        return measured.total / measured.count

    gradient: Callable[..., Any] = jax.jit(jax.grad(loss))
    found: list[dict[str, float]] = []
    for step, (state, batch) in enumerate(zip(states, subject.batches(len(states)), strict=True)):
        gradients = gradient(state['params'], state, batch, subject.key(step))
        found.append({name: float(jnp.linalg.norm(each)) for name, each in _named(gradients).items()})
    return {name: max(each[name] for each in found) for name in found[0]}


def _named(tree: Any) -> dict[str, Any]:
    leaves, _ = jax.tree_util.tree_flatten_with_path(tree)
    return {jax.tree_util.keystr(path, simple=True, separator='/'): leaf for path, leaf in leaves}


def first_loss(subject: Subject) -> Finding:
    """The loss of a network that has learned nothing is that of guessing."""
    expected = subject.description.first_loss
    if expected is None:
        return skipped('the task does not say what to expect: Description.first_loss')
    found = next(subject.train(subject.batches(1), [0.0]))[1][LOSS]
    return judged(
        NEAR[0] * expected <= found <= NEAR[1] * expected,
        f'{found:.3g}, by guessing {expected:.3g}',
        'Far above: the last layer begins with weights too large, its inputs are not normalised, a sum '
        'stands where a mean should. Far below: a part of the loss is lost, or the answer leaks in.',
    )


def by_heart(subject: Subject) -> Finding:
    """One batch can be learned by heart: the loss falls, and evaluation predicts that very batch right."""
    if not subject.has_loss():
        return skipped("the task measures no 'loss'")
    known = memory(subject)
    start, end = known.looks[0].loss, known.last.loss
    right = '' if known.last.right is None else f', {known.last.right:.0%} predicted right'
    return judged(
        known.is_known,
        f'loss {start:.3g} to {end:.3g} in {known.last.step} steps{right}',
        '' if known.is_known else _why_not_known(known.losses, end, start, known.last.right),
        {'One batch by heart': partial(figures.by_heart, known.losses, known.looks, FALLEN * start)},
    )


def _why_not_known(losses: list[float], end: float, start: float, right: float | None) -> str:
    wanted = f'{FALLEN:.0%} of the first loss' + (f' and {RIGHT:.0%} right' if right is not None else '')
    early, late = losses[0], float(np.mean(losses[-10:]))
    if not math.isfinite(late) or late > 1.2 * early:
        return f'The loss rises ({early:.3g} to {late:.3g}): a wrong sign, or a learning rate far too large.'
    if late <= FALLEN * early and end > FALLEN * start:
        return (
            'Training knows the batch, evaluation does not: inputs or targets are prepared in two ways, or '
            'batch statistics never reach evaluation.'
        )
    if end <= FALLEN * start:
        return (
            f'The loss falls but only {right:.0%} is predicted as the data say: targets and predictions '
            'count classes or places differently, as if off by one.'
        )
    return (
        f'{wanted} were not reached in {STEPS} steps: a second softmax, labels that change from step to '
        'step, a model too small or too strongly regularised, a learning rate that is too small.'
    )
