"""What hooks must not return is refused while they are traced, in a message that names the hook."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import optax
import pytest
from flax import nnx

from engine.errors import UserError
from engine.interfaces import INDEX, VALID, Batch, Description, Spec
from engine.parts.supervised import Supervised
from engine.training.steps import first_state

SPEC = Spec({'x': jax.ShapeDtypeStruct((3,), jnp.float32)})
ROWS = 4


class Ordinary(Supervised):
    """Predicts x."""

    def build(self, spec: Spec, rngs: nnx.Rngs) -> nnx.Module:
        return self.model(3, 3, rngs=rngs)

    def inputs(self, batch: Batch) -> jax.Array:
        return batch['x']

    def per_example(self, output: Any, batch: Batch) -> Any:
        return {'loss': jnp.square(output - batch['x']).sum(-1)}

    def predictions(self, output: Any, batch: Batch) -> dict[str, jax.Array]:
        return {'values': output}

    def describe(self) -> Description:
        return Description('regression', {'values': 'what x is'})


def trace(**hooks: Callable[..., Any]) -> None:
    """Traces all functions of the task with some of its hooks replaced."""
    task = type('Mine', (Ordinary,), hooks)(model=nnx.Linear, optimizer=optax.sgd, learning_rate=0.1)
    bound = task.bind(SPEC)
    batch, key = SPEC.batch(ROWS), jax.eval_shape(jax.random.key, 0)
    state = jax.eval_shape(lambda key: first_state(bound, key), key)
    jax.eval_shape(bound.debug_inputs, batch, key)
    jax.eval_shape(bound.update, state, batch, key)
    evaluated = batch | {VALID: jax.ShapeDtypeStruct((ROWS,), jnp.bool_)}
    jax.eval_shape(bound.evaluate, state, evaluated)
    jax.eval_shape(bound.predict, state, evaluated)
    bound.describe()


def message(**hooks: Callable[..., Any]) -> str:
    with pytest.raises(UserError) as caught:
        trace(**hooks)
    assert f'{next(iter(hooks))}() of Mine (tests/engine/parts/test_returned.py:' in str(caught.value)
    return str(caught.value)


METRICS: dict[str, tuple[Callable[[Any], Any], str]] = {
    'nothing': (lambda loss: None, "returns nothing, but metrics by name are needed, among them 'loss'"),
    'the bare loss': (lambda loss: loss, 'returns a bare array'),
    'no loss': (lambda loss: {'error': loss}, 'returns only error, but'),
    'the mean': (lambda loss: {'loss': loss.mean()}, "returns 'loss' as the shape [], but a number for each"),
    'the mean of a batch of one': (lambda loss: {'loss': loss.mean(keepdims=True)}, 'the shape [1]'),
    'a pair as the loss': (lambda loss: {'loss': (loss, loss)}, "'loss' as a value of type tuple"),
    'an integer loss': (lambda loss: {'loss': loss.astype(jnp.int32)}, "'loss' as int32, which has no"),
    'three arrays': (
        lambda loss: {'loss': loss, 'iou': (loss, loss, loss)},
        "'iou' as a value of type tuple",
    ),
    'a number': (lambda loss: {'loss': loss, 'beta': 0.5}, "'beta' as a value of type float"),
    'metrics in metrics': (lambda loss: {'loss': loss, 'all': {'a': loss}}, "'all' as a value of type dict"),
    'a short count': (lambda loss: {'loss': loss, 'iou': (loss, loss[:2])}, 'the shape [2]'),
}


@pytest.mark.parametrize('case', METRICS)
def test_metrics_that_are_none_of_each_example(case: str) -> None:
    make, words = METRICS[case]
    assert words in message(per_example=lambda self, output, batch: make(jnp.square(output).sum(-1)))


def test_pairs_columns_and_integers_are_metrics() -> None:
    def per_example(self: Any, output: Any, batch: Batch) -> Any:
        hits = (output > 0).astype(jnp.int32)
        return {
            'loss': jnp.square(output).sum(-1),
            'hits': hits,
            'iou': (output, output),
            'any': hits.max(-1),
        }

    trace(per_example=per_example)


@pytest.mark.parametrize('hook', ['augment_batch', 'evaluation_batch'])
def test_batches_that_are_none(hook: str) -> None:
    assert 'returns nothing, but a dict of arrays' in message(**{hook: lambda self, batch, key=None: None})
    needed = VALID if hook == 'evaluation_batch' else INDEX
    assert f'leaves out {needed!r}' in message(
        **{hook: lambda self, batch, key=None: {name: batch[name] for name in batch if name != needed}}
    )


def test_parameters_to_evaluate_that_are_not_those_of_the_network() -> None:
    assert "lacks 'bias'" in message(
        evaluation_params=lambda self, state: {'kernel': state['params']['kernel']}
    )
    assert "adds 'old'" in message(
        evaluation_params=lambda self, state: state['params'] | {'old': jnp.ones(3)}
    )
    assert "another shape of 'bias'" in message(
        evaluation_params=lambda self, state: state['params'] | {'bias': jnp.ones(5)}
    )


def test_descriptions_that_are_none() -> None:
    assert 'returns a value of type dict, but' in message(describe=lambda self: {'kind': 'regression'})
    with pytest.raises(UserError, match=r'Description.predictions is a value of type set, but a dict'):
        Description('regression', {'values'})  # type: ignore[arg-type] (the mistake)
