"""Regression against formulas."""

from functools import partial
from typing import Any

import jax
import numpy as np
import optax
import pytest

from engine.errors import UserError
from engine.interfaces import INDEX, VALID, Spec
from engine.parts.regression import Regression
from engine.training.logs.metrics import merged
from engine.training.steps import first_state
from research.models.mlp import MLP

RANDOM = np.random.default_rng(0)
FEATURES, TARGETS = RANDOM.normal(size=(12, 5)), RANDOM.normal(size=(12, 2))
BATCH: dict[str, Any] = {
    'features': FEATURES.astype(np.float32),
    'targets': TARGETS.astype(np.float32),
    INDEX: np.arange(12, dtype=np.int32),
    VALID: np.arange(12) < 9,
}


def spec(**shapes: tuple[int, ...]) -> Spec:
    return Spec({name: jax.ShapeDtypeStruct(shape, np.float32) for name, shape in shapes.items()})


TASK = Regression(model=partial(MLP, width=32), optimizer=optax.adamw, learning_rate=0.01)
BOUND = TASK.bind(spec(features=(5,), targets=(2,)))


def test_errors_are_means_over_the_targets_of_valid_examples() -> None:
    state = first_state(BOUND, jax.random.key(0))
    values = np.asarray(BOUND.predict(state, BATCH)['values'])
    assert values.shape == (12, 2)
    errors = [[values[i, j] - TARGETS[i, j] for j in range(2)] for i in range(9)]
    result = merged([BOUND.evaluate(state, BATCH)])
    assert result['loss'] == pytest.approx(np.mean(np.square(errors)), rel=1e-5)
    assert result['absolute_error'] == pytest.approx(np.mean(np.abs(errors)), rel=1e-5)


def test_a_batch_is_learned() -> None:
    state, update = first_state(BOUND, jax.random.key(0)), jax.jit(BOUND.update)
    first = merged([BOUND.evaluate(state, BATCH)])['loss']
    for step in range(200):
        state, _ = update(state, BATCH, jax.random.key(step))
    assert merged([BOUND.evaluate(state, BATCH)])['loss'] < 0.05 * first


@pytest.mark.parametrize(
    ('shapes', 'message'),
    [
        ({'features': (5,)}, "needs the field 'targets'; the dataset has: features"),
        ({'features': (5,), 'targets': ()}, r"targets of shape \[K\]; the dataset's have shape \[\]"),
    ],
)
def test_data_that_do_not_fit_are_refused(shapes: Any, message: str) -> None:
    with pytest.raises(UserError, match=message):
        TASK.bind(spec(**shapes))
