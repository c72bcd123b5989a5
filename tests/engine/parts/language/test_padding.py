"""Texts with padding: a batch gives what one text at a time gives without padding."""

from dataclasses import dataclass
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from flax import nnx

from engine.errors import UserError
from engine.interfaces import Batch, Description, Spec
from engine.parts.language import padding
from engine.parts.supervised import BoundSupervised, Supervised
from engine.training.steps import first_state
from research.models.transformer import Transformer
from tests.engine.parts.language import texts


class Classifier(nnx.Module):
    """The mean over the features of a text, and a linear layer."""

    def __init__(self, vocabulary: int, length: int, outputs: int, *, rngs: nnx.Rngs):
        self.body = Transformer(vocabulary, length, 8, depth=1, heads=2, causal=False, rngs=rngs)
        self.head = nnx.Linear(8, outputs, rngs=rngs)

    def __call__(self, x: dict[str, jax.Array]) -> jax.Array:
        """Returns logits f32 [B, outputs]."""
        return self.head(padding.mean(self.body.encode(x), x['length']))


@dataclass(frozen=True, kw_only=True)
class TextClassification(Supervised):
    """Cross-entropy of the field `label` given `text`, by a model that sees the whole text."""

    def build(self, spec: Spec, rngs: nnx.Rngs) -> nnx.Module:
        """Returns the model."""
        return self.model(vocabulary=256, length=texts.LENGTH, outputs=2, rngs=rngs)

    def inputs(self, batch: Batch) -> dict[str, jax.Array]:
        """Returns tokens and lengths."""
        return {'tokens': batch['text'].astype(jnp.int32), 'length': batch['length']}

    def per_example(self, output: jax.Array, batch: Batch) -> dict[str, jax.Array]:
        """Returns the loss."""
        return {'loss': optax.softmax_cross_entropy_with_integer_labels(output, batch['label'])}

    def describe(self) -> Description:
        """Returns the description."""
        return Description('classification', {'logits': 'logits'}, {'labels': 'label'})


def loss(bound: BoundSupervised, state: Any, params: Any, batch: Any) -> jax.Array:
    """Returns the mean loss of a batch."""
    task: Any = bound.task
    output, _ = bound.network(params, state['model_state'], task.inputs(batch))
    return task.per_example(output, batch)['loss'].mean()


def one_at_a_time(batch: Any) -> list[Any]:
    """Returns each text of a batch as a batch of its own, without padding."""
    rows = (
        {name: array[row : row + 1] for name, array in batch.items()} for row in range(len(batch['text']))
    )
    return [row | {'text': row['text'][:, : row['length'][0]]} for row in rows]


def check_equal_to_one_at_a_time(bound: BoundSupervised, batch: Any) -> Any:
    """Returns the jitted function of loss and gradient."""
    state = first_state(bound, jax.random.key(0))
    measure = partial(jax.jit(jax.value_and_grad(partial(loss, bound, state))), state['params'])
    value, gradient = measure(batch)
    singles = [measure(row) for row in one_at_a_time(batch)]
    mean = jax.tree.map(lambda *leaves: sum(leaves) / len(leaves), *singles)
    np.testing.assert_allclose(value, mean[0], atol=1e-6)
    assert max(float(jnp.abs(leaf).max()) for leaf in jax.tree.leaves(gradient)) > 1e-3
    jax.tree.map(lambda one, two: np.testing.assert_allclose(one, two, atol=1e-6), gradient, mean[1])
    return measure


def test_a_language_model_some_of_whose_tokens_are_given() -> None:
    batch = texts.batch(texts.KNOWN['characters'], slice(1, 3), given=np.array([3, 0], np.int32))
    check_equal_to_one_at_a_time(texts.bound(texts.spec('characters', 1, field=True)), batch)


def test_a_model_that_sees_the_whole_text() -> None:
    task = TextClassification(model=Classifier, optimizer=optax.sgd, learning_rate=0.1)
    batch = texts.batch(texts.KNOWN['bytes'], slice(1, 3), label=np.array([0, 1], np.int32))
    measure = check_equal_to_one_at_a_time(task.bind(texts.spec('bytes', 0)), batch)
    without_tokens = measure(batch | {'length': np.array([0, 2], np.int32)})
    assert all(bool(jnp.isfinite(leaf).all()) for leaf in jax.tree.leaves(without_tokens))


@pytest.mark.parametrize('causal', [True, False])
def test_a_transformer_does_not_see_the_padding_and_sees_ahead_if_asked(causal: bool) -> None:
    model = Transformer(256, texts.LENGTH, 8, depth=1, heads=2, causal=causal, rngs=nnx.Rngs(0))
    model.eval()
    batch = texts.batch(texts.KNOWN['bytes'])
    tokens, lengths = batch['text'].astype(np.int32), batch['length']

    @jax.jit
    def features(tokens: jax.Array) -> jax.Array:
        return model.encode({'tokens': tokens, 'length': jnp.asarray(lengths)})

    inside = np.asarray(padding.is_text(jnp.asarray(lengths), texts.LENGTH))
    before, other = (np.asarray(features(each)) for each in (tokens, np.where(inside, tokens, 99)))
    np.testing.assert_array_equal(before[inside], other[inside])
    last = np.arange(texts.LENGTH) == lengths[:, None] - 1
    changed = np.asarray(features(np.where(last, 7, tokens)))
    earlier = inside & ~last
    assert np.array_equal(before[earlier], changed[earlier]) is causal


def test_a_model_that_looks_ahead_needs_lengths() -> None:
    model = Transformer(256, 8, 8, depth=1, heads=2, causal=False, rngs=nnx.Rngs(0))
    with pytest.raises(UserError, match='give the lengths'):
        model(jnp.zeros((1, 8), jnp.int32))


def test_means_leave_out_what_is_not_text() -> None:
    values = jnp.array([[[1.0, 2.0], [3.0, 4.0], [jnp.nan, jnp.inf]]])
    assert padding.mean(values, jnp.array([2])).tolist() == [[2.0, 3.0]]
    assert padding.mean(values, jnp.array([0])).tolist() == [[0.0, 0.0]]
