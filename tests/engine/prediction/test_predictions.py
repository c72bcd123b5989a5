"""Predictions of a batch_sharding against one example at a time."""

from functools import partial
from typing import Any

import jax
import numpy as np
import pytest

from engine import sharding
from engine.prediction import predictions
from engine.sharding import Jit, batch_sharding, replicated
from engine.training.steps import compiled, first_state
from tests.engine import tiny

BOUND = tiny.classification().bind(tiny.SPEC)


@pytest.fixture(scope='module')
def state() -> Any:
    return jax.jit(partial(first_state, BOUND))(jax.random.key(0))


@pytest.fixture(scope='module')
def program() -> Any:
    """Predicts a batch of 4, on two devices."""
    shapes = jax.eval_shape(partial(first_state, BOUND), jax.random.key(0))
    rows = batch_sharding(Jit().mesh)
    given = Jit().state(shapes), sharding.abstract_sharded(tiny.batch(4), rows)
    return compiled(Jit().trace(BOUND.predict, given, rows))


@pytest.mark.parametrize('n', [1, 4, 9])
def test_each_example_is_predicted_in_its_place(n: int, program: Any, state: Any) -> None:
    examples = tiny.examples(n)
    state = jax.device_put(state, replicated(Jit().mesh))
    predicted = predictions.predict(program, state, examples, batch_size=4, mesh=Jit().mesh)
    assert predicted.keys() == {'logits'}
    assert predicted['logits'].shape == (n, 3)
    for index in range(n):
        alone: Any = {name: array[[index]] for name, array in examples.arrays.items()}
        expected = BOUND.predict(jax.device_get(state), alone)['logits'][0]
        np.testing.assert_allclose(predicted['logits'][index], expected, rtol=1e-5, atol=1e-6)
