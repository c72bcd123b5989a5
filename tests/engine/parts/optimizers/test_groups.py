"""Groups of parameters against separate optimizers, and the messages of wrong rules."""

import re
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from engine.errors import UserError
from engine.parts.optimizers import Groups
from engine.training.steps import first_state
from tests.engine import tiny

PARAMS = {
    'encoder': {0: {'kernel': jnp.arange(6.0).reshape(2, 3), 'bias': jnp.ones(3)}},
    'head': {'kernel': jnp.full((3, 2), 0.5), 'bias': jnp.zeros(2)},
}
GRADS = jax.tree.map(lambda leaf: jnp.cos(leaf + 1), PARAMS)
DECAYED = partial(optax.adamw, weight_decay=0.1)


def after(optimizer: optax.GradientTransformation, params: Any, grads: Any, steps: int = 3) -> Any:
    """Returns parameters after steps with the same gradients."""
    state = optimizer.init(params)
    for _ in range(steps):
        updates, state = optimizer.update(grads, state, params)
        params = optax.apply_updates(params, updates)
    return params


def test_each_group_is_trained_as_by_an_optimizer_of_its_own() -> None:
    def half(step: Any) -> Any:
        return 0.01 * 0.5**step

    rules = (
        ('bias$', {'weight_decay': 0.0}),
        ('^encoder/', {'learning_rate_factor': 0.1}),
        ('head/bias', {'optimizer': optax.sgd, 'learning_rate': half, 'momentum': 0.9}),
    )
    result = after(Groups(DECAYED, rules)(0.01), PARAMS, GRADS)
    expected = {
        ('encoder', 0, 'kernel'): optax.adamw(0.001, weight_decay=0.1),
        ('encoder', 0, 'bias'): optax.adamw(0.001, weight_decay=0.0),
        ('head', 'kernel'): optax.adamw(0.01, weight_decay=0.1),
        ('head', 'bias'): optax.sgd(half, momentum=0.9),
    }
    for path, optimizer in expected.items():
        trees = PARAMS, GRADS, result
        for key in path:
            trees = tuple(tree[key] for tree in trees)  # type: ignore[assignment]
        params, grads, leaf = trees
        np.testing.assert_allclose(leaf, after(optimizer, params, grads), rtol=1e-6, err_msg=str(path))


def test_a_factor_scales_a_schedule() -> None:
    schedule = optax.linear_schedule(1.0, 0.0, 4)
    result = after(Groups(optax.sgd, (('head', {'learning_rate_factor': 0.5}),))(schedule), PARAMS, GRADS)
    moved = jax.tree.map(lambda new, old, grad: (old - new) / grad, result, PARAMS, GRADS)
    np.testing.assert_allclose(moved['head']['kernel'], np.full((3, 2), 0.5 * (1 + 0.75 + 0.5)), rtol=1e-5)
    np.testing.assert_allclose(moved['encoder'][0]['bias'], np.full(3, 1 + 0.75 + 0.5), rtol=1e-5)


@pytest.mark.parametrize(
    ('rule', 'message'),
    [
        (
            ('^encode/', {'weight_decay': 0.0}),
            "'^encode/' matches no variable. Did you mean 'encoder/0/bias' or ",
        ),
        (('(bias', {'weight_decay': 0.0}), "'(bias' is not a regular expression: "),
        (('bias', {'weight_decai': 0.0}), "has no parameter 'weight_decai'. Did you mean 'weight_decay'"),
        (('bias', {'learning_rat': 0.1}), "has no parameter 'learning_rat'. Did you mean 'learning_rate'"),
        (('bias', {'optimizer': optax.sgd, 'b1': 0.1}), 'sgd, the optimizer of encoder/0/bias, has no para'),
        (('^encoder/', {'learning_rate': 0.0}), "Freeze them with `frozen = ('^encoder/',)` of the task"),
        (
            ('^encoder/', {'learning_rate_factor': 0}),
            'has learning_rate_factor = 0. Parameters would not change',
        ),
    ],
)
def test_a_wrong_rule_has_one_message(rule: Any, message: str) -> None:
    with pytest.raises(UserError, match=re.escape(message)) as refused:
        Groups(optax.adamw, (rule,))(0.1).init(PARAMS)
    assert str(refused.value).startswith('Groups.rules: ')


def test_a_task_tells_how_each_parameter_is_trained() -> None:
    rules = (('bias$', {'weight_decay': 0.0}), ('^output/', {'learning_rate_factor': 10}))
    bound = tiny.classification(
        optimizer=Groups(optax.adamw, rules), learning_rate=0.01, frozen=('^hidden/0/',)
    ).bind(tiny.SPEC)
    assert bound.parameter_groups() == {
        'hidden/0/bias': 'frozen',
        'hidden/0/kernel': 'frozen',
        'hidden/1/bias': 'adamw, weight_decay = 0.0',
        'hidden/1/kernel': 'adamw',
        'output/bias': 'adamw, learning_rate_factor = 10, weight_decay = 0.0',
        'output/kernel': 'adamw, learning_rate_factor = 10',
    }


def test_a_rule_for_frozen_parameters_alone_matches_nothing() -> None:
    optimizer = Groups(optax.adamw, (('^hidden/0/', {'weight_decay': 0.0}),))
    bound = tiny.classification(optimizer=optimizer, frozen=('^hidden/0/',)).bind(tiny.SPEC)
    with pytest.raises(UserError, match=r'Groups.rules: .* matches no variable'):
        first_state(bound, jax.random.key(0))


def test_an_optimizer_with_a_line_search_trains_no_group() -> None:
    grouped = Groups(optax.adamw, (('^encoder/', {'optimizer': optax.lbfgs}),))
    with pytest.raises(UserError, match='moves all parameters together'):
        grouped(0.1).init(PARAMS)
    Groups(optax.lbfgs, (('', {'memory_size': 3}),))(0.1).init(PARAMS)
