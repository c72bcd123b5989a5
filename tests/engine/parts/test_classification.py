"""Classification and the supervised task that it is, against NumPy."""

import dataclasses
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from engine.config.config import Config
from engine.errors import UserError
from engine.interfaces import VALID, Spec, keys_by_row
from engine.outputs import kind_folders
from engine.parts.augmentation import Shift
from engine.parts.mixing import Mixup
from engine.training.steps import first_state
from engine.training.trainer import Trainer
from research.models.mlp import MLP
from tests.engine import tiny

RANDOM = np.random.default_rng(0)
LOGITS = (RANDOM.normal(size=(8, 5)) * 3).astype(np.float32)
LABELS = RANDOM.integers(0, 5, 8, np.int32)
BATCH = tiny.batch(8)
BOUND = tiny.classification().bind(tiny.SPEC)


def close(one: Any, other: Any) -> None:
    jax.tree.map(partial(np.testing.assert_allclose, rtol=1e-5, atol=1e-6), one, other)


@pytest.fixture(scope='module')
def state() -> Any:
    return jax.jit(partial(first_state, BOUND))(jax.random.key(0))


@pytest.mark.parametrize('smoothing', [0.0, 0.1])
def test_loss_and_accuracy_of_each_example(smoothing: float) -> None:
    batch: Any = {'label': LABELS}
    measures = tiny.classification(label_smoothing=smoothing).per_example(jnp.asarray(LOGITS), batch)
    assert measures.keys() == {'loss', 'accuracy'}
    for row_index, (row, label) in enumerate(zip(LOGITS.astype(np.float64), LABELS, strict=True)):
        log_probabilities = row - np.log(np.exp(row).sum())
        target = [(1 - smoothing) * (label == index) + smoothing / 5 for index in range(5)]
        loss = -sum(share * value for share, value in zip(target, log_probabilities, strict=True))
        assert measures['loss'][row_index] == pytest.approx(loss, rel=1e-5)
        assert float(measures['accuracy'][row_index]) == (row.argmax() == label)
    assert 0 < np.mean(measures['accuracy']) < 1


def test_images_enter_between_minus_one_and_one() -> None:
    batch: Any = {'image': np.array([0, 51, 255], np.uint8).reshape(1, 3, 1, 1)}
    inputs = tiny.classification().inputs(batch)
    assert inputs.dtype == np.float32
    np.testing.assert_allclose(np.asarray(inputs).ravel(), [-1, -0.6, 1], rtol=1e-6)


def test_images_are_augmented_in_training_alone() -> None:
    task, key = tiny.classification(augment=Shift(2)), jax.random.key(0)
    np.testing.assert_array_equal(task.inputs(BATCH), tiny.classification().inputs(BATCH))
    expected = np.asarray(Shift(2)(keys_by_row(key, BATCH), BATCH['image'])).astype(np.float32) / 127.5 - 1
    augmented = task.inputs(task.augment_batch(BATCH, key))
    np.testing.assert_allclose(augmented, expected, atol=1e-6)
    assert not np.array_equal(augmented, task.inputs(BATCH))


def test_a_config_switches_an_augmentation_off(config_file: Any) -> None:
    """As an ablation does: `None` is the default, and a run's config.gin states it."""
    shift = '  model = @mlp.MLP\n  augment = @augmentation.Shift()'
    included = 'STEPS = 20\nfrom engine.parts import augmentation'
    config = Config(
        [config_file(STEPS=included, model=shift)], ['classification.Classification.augment = None']
    )
    task: Any = config.build(Trainer).task
    assert task.augment_batch(BATCH, jax.random.key(0)) == BATCH
    assert 'augment = None' in config.text()


def test_predictions_are_logits_and_known_to_the_outputs_format(state: Any) -> None:
    predicted = BOUND.predict(state, BATCH)
    expected, _ = BOUND.network(state['params'], state['model_state'], BOUND.task.inputs(BATCH))
    close(predicted, {'logits': expected})
    described = BOUND.describe()
    assert described.predictions.keys() == predicted.keys()
    assert kind_folders.declaration(described.kind).arrays.keys() >= predicted.keys() | described.truth.keys()
    assert set(described.truth.values()) <= tiny.SPEC.example.keys()


@pytest.mark.parametrize('valid', [[1] * 8, [1, 1, 1, 0, 0, 0, 0, 0], [0, 1, 0, 1, 0, 1, 1, 1], [0] * 8])
def test_evaluation_counts_the_valid_examples_alone(valid: list[int], state: Any) -> None:
    mask: Any = np.array(valid, bool)
    metrics = BOUND.evaluate(state, BATCH | {VALID: mask})
    logits = BOUND.predict(state, BATCH)['logits']
    measures = BOUND.task.per_example(logits, BATCH)
    for name, values in measures.items():
        assert float(metrics[name].count) == mask.sum()
        np.testing.assert_allclose(metrics[name].total, np.asarray(values)[mask].sum(), rtol=1e-5)


def test_a_step_of_sgd_follows_the_mean_gradient(state: Any) -> None:
    """By central differences, for some weights; the norm tells of all."""
    bound = tiny.classification(optimizer=optax.sgd, learning_rate=0.5).bind(tiny.SPEC)
    sgd_state = state | {'opt_state': bound.minimizer.optimizer.init(state['params'])}
    after, metrics = jax.jit(bound.update)(sgd_state, BATCH, jax.random.key(0))

    @jax.jit
    def loss(params: Any) -> jax.Array:
        logits, _ = bound.network(params, state['model_state'], bound.task.inputs(BATCH))
        return bound.task.per_example(logits, BATCH)['loss'].mean()

    mean_loss = metrics['loss'].total / metrics['loss'].count
    assert mean_loss == pytest.approx(float(loss(state['params'])), rel=1e-5)
    params, size = state['params'], 0.02
    kernel = params['output']['kernel']
    for place in ((0, 0), (3, 1), (7, 2)):
        values = [
            loss(params | {'output': params['output'] | {'kernel': kernel.at[place].add(step)}})
            for step in (size, -size)
        ]
        gradient = (values[0] - values[1]) / (2 * size)
        expected = kernel[place] - 0.5 * gradient
        assert after['params']['output']['kernel'][place] == pytest.approx(float(expected), abs=1e-3)
    moved = jax.tree.map(lambda new, old: jnp.square((new - old) / 0.5).sum(), after['params'], params)
    norm = np.sqrt(sum(jax.tree.leaves(moved)))
    assert metrics['gradient_norm'].total == pytest.approx(norm, rel=1e-4)


@pytest.mark.parametrize('model', tiny.MODELS)
def test_learning_one_batch_by_heart(model: str) -> None:
    bound = tiny.classification(tiny.MODELS[model], optimizer=optax.adam, learning_rate=0.03).bind(tiny.SPEC)
    current, update = first_state(bound, jax.random.key(0)), jax.jit(bound.update)
    losses = []
    for step in range(60):
        current, metrics = update(current, BATCH, jax.random.key(step))
        losses.append(float(metrics['loss'].total / metrics['loss'].count))
    assert np.mean(losses[-5:]) < losses[0] / 2
    assert current['steps'] == 60


def test_batch_statistics_are_updated_and_kept() -> None:
    bound = tiny.classification(tiny.MODELS['convnet']).bind(tiny.SPEC)
    before = jax.jit(partial(first_state, bound))(jax.random.key(0))
    after, _ = jax.jit(bound.update)(before, BATCH, jax.random.key(0))
    changed = jax.tree.map(lambda a, b: not np.array_equal(a, b), before['model_state'], after['model_state'])
    assert all(jax.tree.leaves(changed))
    assert len(jax.tree.leaves(changed)) == 4


def test_a_step_is_a_function_of_state_batch_and_key(state: Any) -> None:
    bound = tiny.classification(partial(MLP, width=8, dropout=0.5)).bind(tiny.SPEC)
    update = jax.jit(bound.update)
    first, again, other = (update(state, BATCH, jax.random.key(seed)) for seed in (0, 0, 1))
    jax.tree.map(np.testing.assert_array_equal, first, again)
    assert first[1]['loss'].total != other[1]['loss'].total


def test_the_learning_rate_is_that_of_the_step(state: Any) -> None:
    schedule = optax.linear_schedule(1.0, 0.0, 4)
    bound = tiny.classification(optimizer=optax.sgd, learning_rate=schedule).bind(tiny.SPEC)
    current, update = (
        state | {'opt_state': bound.minimizer.optimizer.init(state['params'])},
        jax.jit(bound.update),
    )
    rates = []
    for _ in range(5):
        current, metrics = update(current, BATCH, jax.random.key(0))
        rates.append(float(metrics['learning_rate'].total / metrics['learning_rate'].count))
    assert rates == [1.0, 0.75, 0.5, 0.25, 0.0]


def test_what_training_and_evaluation_measure(state: Any) -> None:
    _, metrics = jax.eval_shape(BOUND.update, state, BATCH, jax.random.key(0))
    assert metrics.keys() == {'loss', 'accuracy', 'learning_rate', 'gradient_norm'}
    assert jax.eval_shape(BOUND.evaluate, state, BATCH).keys() == {'loss', 'accuracy'}


def test_a_task_without_a_dataset_misses_its_field() -> None:
    with pytest.raises(UserError) as error:
        tiny.classification().bind(Spec({}))
    assert str(error.value) == (
        "classification needs the field 'image'; without a dataset, a batch has no fields."
    )


@pytest.mark.parametrize('missing', ['image', 'label'])
def test_data_without_a_field_are_refused(missing: str) -> None:
    fields = {name: shape for name, shape in tiny.SPEC.example.items() if name != missing}
    [there] = fields
    with pytest.raises(UserError) as error:
        tiny.classification().bind(Spec(fields, {'label': tiny.CLASSES}))
    expected = f'classification needs the field {missing!r}; the dataset has: {there}.'
    assert str(error.value) == expected


def test_data_without_classes_are_refused() -> None:
    with pytest.raises(UserError, match='class'):
        tiny.classification().bind(Spec(tiny.SPEC.example))


SPECIES = ('cat', 'dog', 'owl', 'rat', 'yak')


def two_labels() -> Spec:
    """The classes of `label`, which come first, and those of `species`."""
    fields = {**tiny.SPEC.example, 'species': jax.ShapeDtypeStruct((), np.int32)}
    return Spec(fields, {'label': tiny.CLASSES, 'species': SPECIES})


@pytest.mark.parametrize(('label', 'classes'), [('label', tiny.CLASSES), ('species', SPECIES)])
def test_of_two_labels_the_bound_one_counts(label: str, classes: tuple[str, ...]) -> None:
    bound: Any = tiny.classification(label=label).bind(two_labels())
    assert bound.describe().first_loss == pytest.approx(np.log(len(classes)))
    assert two_labels().task_classes(bound.describe()) == classes
    batch = {**tiny.batch(8), 'species': np.arange(8, dtype=np.int32) % len(SPECIES)}
    state = first_state(bound, jax.random.key(0))
    logits = np.asarray(bound.predict(state, batch)['logits'])
    assert logits.shape == (8, len(classes))
    losses = jax.nn.logsumexp(logits, -1) - logits[np.arange(8), batch[label]]
    assert float(bound.evaluate(state, batch)['loss'].compute()) == pytest.approx(
        float(losses.mean()), rel=1e-5
    )
    mixed = tiny.classification(label=label, mix=Mixup()).augment_batch(batch, jax.random.key(0))
    np.testing.assert_array_equal(mixed['other'], np.roll(batch[label], 1))


def test_a_label_without_names_is_refused() -> None:
    spec = Spec(two_labels().example, {'label': tiny.CLASSES})
    with pytest.raises(
        UserError, match="needs the classes of 'species'; in this dataset those of 'label' have"
    ):
        tiny.classification(label='species').bind(spec)


def test_a_task_does_not_change() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        tiny.classification().label_smoothing = 0.1  # type: ignore[misc]


def after_a_step(**arguments: Any) -> tuple[Any, Any]:
    """Returns state and metrics after one step of a task on one batch, on the host."""
    bound = tiny.classification(**arguments).bind(tiny.SPEC)
    state = first_state(bound, jax.random.key(0))
    return jax.device_get(jax.jit(bound.update)(state, BATCH, jax.random.key(1)))


PLAIN = after_a_step()


def difference(one: Any, other: Any) -> float:
    return max(jax.tree.leaves(jax.tree.map(lambda a, b: float(np.abs(a - b).max()), one, other)))


@pytest.mark.parametrize('parts', [2, 4, 8])
def test_parts_of_a_batch_make_the_gradient_of_the_whole(parts: int) -> None:
    state, metrics = after_a_step(accumulation_steps=parts)
    assert difference(state, PLAIN[0]) < 1e-6
    assert difference(metrics['loss'].total, PLAIN[1]['loss'].total) < 1e-5


def test_a_batch_that_does_not_split_is_refused() -> None:
    with pytest.raises(UserError, match='accumulation_steps = 3 does not divide a batch of 8 examples'):
        after_a_step(accumulation_steps=3)


def test_computing_activations_again_changes_nothing() -> None:
    assert difference(after_a_step(remat=True), PLAIN) < 1e-6


def test_computing_in_bfloat16_keeps_the_state_in_float32() -> None:
    state, metrics = after_a_step(dtype='bfloat16')
    assert {leaf.dtype.name for leaf in jax.tree.leaves(state)} <= {'float32', 'int32'}
    assert 0 < difference(metrics['loss'].total, PLAIN[1]['loss'].total) < 0.3


def test_the_gradient_is_scaled_down_to_the_clip() -> None:
    """Without momentum a step of SGD is the gradient, times the learning rate."""
    plain = first_state(tiny.classification().bind(tiny.SPEC), jax.random.key(0))['params']
    state, metrics = after_a_step(grad_clip_norm=1e-2, optimizer=optax.sgd, learning_rate=1.0)
    moved = optax.tree.norm(jax.tree.map(jnp.subtract, state['params'], plain))
    assert metrics['gradient_norm'].total > 1e-2
    np.testing.assert_allclose(moved, 1e-2, rtol=1e-3)
    assert difference(after_a_step(grad_clip_norm=1e6)[0], PLAIN[0]) < 1e-7


def test_evaluation_uses_the_average_of_the_parameters() -> None:
    bound = tiny.classification(ema_decay=0.75).bind(tiny.SPEC)
    first = first_state(bound, jax.random.key(0))
    state, _ = jax.jit(bound.update)(first, BATCH, jax.random.key(1))
    mixed = jax.tree.map(lambda a, b: 0.75 * a + 0.25 * b, first['params'], state['params'])
    close(state['ema_params'], mixed)
    plain = tiny.classification().bind(tiny.SPEC)
    close(bound.predict(state, BATCH), plain.predict(state | {'params': mixed}, BATCH))
