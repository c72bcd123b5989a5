"""Language modelling against the slow way: byte by byte."""

import math
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from engine.errors import UserError
from engine.interfaces import INDEX, VALID, Spec
from engine.parts.language import Language
from engine.training.logs.metrics import merged
from engine.training.steps import first_state
from research.models.transformer import Transformer

LENGTH = 16
TEXTS = [b'def f(x):\n', b'return', b'import numpy as', b'for each in all:']
TEXT = np.array([list(text.ljust(LENGTH, b'\0')) for text in TEXTS], np.uint8)
BATCH: dict[str, Any] = {
    'text': TEXT,
    'length': np.array([len(text) for text in TEXTS], np.int32),
    INDEX: np.arange(4, dtype=np.int32),
    VALID: np.array([True, True, True, False]),
}
SPEC = Spec({'text': jax.ShapeDtypeStruct((LENGTH,), np.uint8), 'length': jax.ShapeDtypeStruct((), np.int32)})
TASK = Language(
    model=partial(Transformer, width=32, depth=1, heads=2), optimizer=optax.adamw, learning_rate=0.01
)
BOUND = TASK.bind(SPEC)


@pytest.fixture(scope='module')
def state() -> Any:
    return first_state(BOUND, jax.random.key(0))


def log_probs(state: Any) -> list[float]:
    """Of each text, from the logits at each byte."""
    tokens = jnp.array([[0, *text[:-1]] for text in TEXT.tolist()], jnp.int32)
    logits = np.asarray(BOUND.network(state['params'], state['model_state'], tokens)[0], np.float64)
    return [
        sum(row[i, byte] - np.log(np.exp(row[i]).sum()) for i, byte in enumerate(text))
        for row, text in zip(logits, TEXTS, strict=True)
    ]


def test_log_probabilities_are_sums_over_the_bytes_that_are_there(state: Any) -> None:
    predicted = BOUND.predict(state, BATCH)
    np.testing.assert_allclose(predicted['log_probs'], log_probs(state), rtol=1e-5)
    assert predicted['lengths'].tolist() == [len(text) for text in TEXTS]


def test_loss_is_per_byte_of_each_text_and_bits_are_per_byte_of_all(state: Any) -> None:
    result, expected, valid = merged([BOUND.evaluate(state, BATCH)]), log_probs(state)[:3], TEXTS[:3]
    per_text = [-each / len(text) for each, text in zip(expected, valid, strict=True)]
    assert result['loss'] == pytest.approx(np.mean(per_text), rel=1e-5)
    bits = -sum(expected) / math.log(2) / sum(map(len, valid))
    assert result['bits_per_byte'] == pytest.approx(bits, rel=1e-5)


def test_a_byte_is_predicted_from_those_before_it_alone(state: Any) -> None:
    tokens = TASK.inputs(BATCH)
    changed = tokens.at[:, 9:].set(7)
    before, after = (
        BOUND.network(state['params'], state['model_state'], inputs)[0] for inputs in (tokens, changed)
    )
    np.testing.assert_allclose(before[:, :9], after[:, :9], atol=1e-5)
    assert not np.allclose(before[:, 9:], after[:, 9:], atol=1e-2)


def test_padding_counts_for_nothing(state: Any) -> None:
    there = np.arange(LENGTH) < BATCH['length'][:, None]
    other: dict[str, Any] = BATCH | {'text': np.where(there, TEXT, 99).astype(np.uint8)}
    for name, array in BOUND.predict(state, BATCH).items():
        np.testing.assert_allclose(array, BOUND.predict(state, other)[name], rtol=1e-5)


def test_texts_are_learned(state: Any) -> None:
    update = jax.jit(BOUND.update)
    for step in range(100):
        state, _ = update(state, BATCH, jax.random.key(step))
    assert merged([BOUND.evaluate(state, BATCH)])['loss'] < 0.3


def test_data_without_text_are_refused() -> None:
    with pytest.raises(UserError, match="needs the field 'text'; the dataset has: length"):
        TASK.bind(Spec({'length': SPEC.example['length']}))


def test_heads_divide_the_width() -> None:
    with pytest.raises(UserError, match=r'heads = 3 does not divide Transformer.width = 32'):
        Language(
            model=partial(Transformer, width=32, heads=3), optimizer=optax.adamw, learning_rate=0.1
        ).bind(SPEC)
