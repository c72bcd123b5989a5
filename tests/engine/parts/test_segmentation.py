"""The segmentation task: losses and measures against loops, image and mask moved alike."""

from functools import partial
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from engine.errors import UserError
from engine.interfaces import INDEX, VALID, Spec, keys_by_row
from engine.outputs.check_arrays import checked
from engine.outputs.manifest import Manifest
from engine.parts import losses
from engine.parts.augmentation import Chain, ColorJitter, Flip, RandAugment, RandomErasing, Shift, applied
from engine.parts.segmentation import Segmentation
from engine.parts.subclasses.rows import averages
from engine.training.logs.metrics import merged
from engine.training.steps import first_state
from research.models.unet import UNet

CLASSES = ('ground', 'cat', 'dog', 'owl')
SPEC = Spec(
    {'image': jax.ShapeDtypeStruct((8, 8, 3), np.uint8), 'mask': jax.ShapeDtypeStruct((8, 8), np.uint8)},
    {'mask': CLASSES},
)
RANDOM = np.random.default_rng(0)
LOGITS = (RANDOM.normal(size=(6, 8, 8, 4)) * 2).astype(np.float32)
BATCH: Any = {
    'image': RANDOM.integers(0, 256, (6, 8, 8, 3), np.uint8),
    'mask': RANDOM.integers(0, 3, (6, 8, 8), np.uint8),  # no owl
    INDEX: np.arange(6, dtype=np.int32),
}


def task(**arguments: Any) -> Segmentation:
    settings: dict[str, Any] = {
        'model': partial(UNet, width=4, stages=2),
        'optimizer': optax.adam,
        'learning_rate': 0.01,
    }
    return Segmentation(**(settings | arguments))


BOUND = task().bind(SPEC)


@pytest.fixture(scope='module')
def state() -> Any:
    return jax.jit(partial(first_state, BOUND))(jax.random.key(0))


def probabilities(logits: np.ndarray) -> np.ndarray:
    powers = np.exp(logits.astype(np.float64))
    return powers / powers.sum(-1, keepdims=True)


def slow_cross_entropy(logits: np.ndarray, mask: np.ndarray) -> float:
    chances = probabilities(logits)
    return float(np.mean([-np.log(chances[y, x, mask[y, x]]) for y, x in np.ndindex(mask.shape)]))


def slow_dice(logits: np.ndarray, mask: np.ndarray) -> float:
    soft, terms = probabilities(logits), []
    for index in range(logits.shape[-1]):
        there = mask == index
        common = soft[there, index].sum()
        terms.append(1 - (2 * common + 1) / (soft[..., index].sum() + there.sum() + 1))
    return float(np.mean(terms))


LOSSES: dict[str, Any] = {
    'cross_entropy': slow_cross_entropy,
    'dice': slow_dice,
    'cross_entropy_and_dice': lambda logits, mask: slow_cross_entropy(logits, mask) + slow_dice(logits, mask),
}


@pytest.mark.parametrize('name', LOSSES)
def test_losses_of_each_image_against_a_loop(name: str) -> None:
    values = getattr(losses, name)(jnp.asarray(LOGITS), jnp.asarray(BATCH['mask']))
    expected = [LOSSES[name](logits, mask) for logits, mask in zip(LOGITS, BATCH['mask'], strict=True)]
    np.testing.assert_allclose(values, expected, rtol=1e-5)


def test_dice_of_a_perfect_prediction_is_nothing_to_lose() -> None:
    logits = 100 * jax.nn.one_hot(BATCH['mask'], 4)
    np.testing.assert_allclose(losses.dice(logits, BATCH['mask']), 0, atol=1e-6)


def slow_mean_iou(masks: np.ndarray, found: np.ndarray) -> float:
    """Over all pixels of all images, of the classes that are in either."""
    ratios = []
    for index in np.union1d(masks, found):
        both = ((masks == index) & (found == index)).sum()
        ratios.append(both / ((masks == index) | (found == index)).sum())
    return float(np.mean(ratios))


@pytest.mark.parametrize('without', [0, 3])
def test_measures_merge_to_those_of_all_valid_images(without: int, state: Any) -> None:
    """In batches of which the last is padded; with and without a class that only predictions show."""
    logits = LOGITS.copy()
    logits[..., without] = -9
    result, valid = logits.argmax(-1), np.array([1, 1, 0, 1, 1, 1], bool)
    batches = []
    for rows in (slice(0, 3), slice(3, 6)):
        batch: Any = {name: array[rows] for name, array in BATCH.items()} | {VALID: valid[rows]}
        measured = task().per_example(jnp.asarray(logits[rows]), batch)
        batches.append(averages(measured, batch[VALID]))
    values = merged(batches)
    masks, result = BATCH['mask'][valid], result[valid]
    assert values.keys() == {'loss', 'pixel_accuracy', 'mean_iou'}
    assert values['mean_iou'] == pytest.approx(slow_mean_iou(masks, result), rel=1e-6)
    assert values['pixel_accuracy'] == pytest.approx((masks == result).mean(), rel=1e-6)


def test_training_and_evaluation_measure_the_same_things(state: Any) -> None:
    _, metrics = jax.jit(BOUND.update)(state, BATCH, jax.random.key(0))
    assert metrics.keys() == {'loss', 'pixel_accuracy', 'mean_iou', 'learning_rate', 'gradient_norm'}
    evaluated = BOUND.evaluate(state, BATCH | {VALID: np.ones(6, bool)})
    assert evaluated.keys() == {'loss', 'pixel_accuracy', 'mean_iou'}


@pytest.mark.parametrize('augment', [Flip(vertical=True), Shift(2)])
def test_image_and_mask_move_alike(augment: Any) -> None:
    """Each pixel's class is its colour here, and stays so."""
    batch: Any = BATCH | {'image': np.repeat(BATCH['mask'][..., None], 3, -1)}
    key = jax.random.key(1)
    moved = task(augment=augment).augment_batch(batch, key)
    for channel in range(3):
        np.testing.assert_array_equal(moved['image'][..., channel], moved['mask'])
    assert not np.array_equal(moved['mask'], batch['mask'])
    np.testing.assert_array_equal(moved['image'], augment(keys_by_row(key, batch), batch['image']))
    assert moved['mask'].dtype == np.uint8


class ColoursAlone(Segmentation):
    """Changes the images, and leaves the masks as they are."""

    def augment_batch(self, batch: Any, key: Any) -> Any:
        return {**batch, 'image': applied(self.augment, keys_by_row(key, batch), batch['image'])}


@pytest.mark.parametrize(
    'augment',
    [RandomErasing(), ColorJitter(hue=0.1), RandAugment(), Chain((Flip(), Chain((RandomErasing(),))))],
)
def test_augmentations_that_would_change_classes_are_refused(augment: Any) -> None:
    with pytest.raises(
        UserError, match=r'Segmentation.augment = .* changes the values of pixels\. It would also'
    ):
        task(augment=augment).bind(SPEC)
    ColoursAlone(**vars(task(augment=augment))).bind(SPEC)


def test_what_is_shown_is_what_the_step_trains_on() -> None:
    augmenting = task(augment=Flip(vertical=True))
    shown = augmenting.bind(SPEC).debug_inputs(BATCH, jax.random.key(0))
    assert {name: (each.shape, each.dtype) for name, each in shown.items()} == {
        'inputs': ((6, 8, 8, 3), np.float32),
        'targets': ((6, 8, 8), np.uint8),
    }
    seen = augmenting.augment_batch(BATCH, jax.random.split(jax.random.key(0))[0])
    np.testing.assert_array_equal(shown['inputs'], augmenting.inputs(seen))
    np.testing.assert_array_equal(shown['targets'], seen['mask'])


def test_predictions_are_masks_and_known_to_the_outputs_format(state: Any) -> None:
    predicted = BOUND.predict(state, BATCH)
    logits, _ = BOUND.network(state['params'], state['model_state'], BOUND.task.inputs(BATCH))
    assert predicted['masks'].dtype == np.uint8
    np.testing.assert_array_equal(predicted['masks'], np.argmax(logits, -1))
    described = BOUND.describe()
    assert described.predictions.keys() == predicted.keys()
    arrays = predicted | {name: BATCH[field] for name, field in described.truth.items()}
    checked(Path('it'), Manifest(described.kind, class_names=CLASSES), jax.device_get(arrays), 6)


@pytest.mark.parametrize(
    'settings', [{}, {'accumulation_steps': 3}, {'ema_decay': 0.9, 'grad_clip_norm': 1.0, 'remat': True}]
)
def test_learning_one_batch_by_heart(settings: dict[str, Any]) -> None:
    bound = task(**settings).bind(SPEC)
    state, update = jax.jit(partial(first_state, bound))(jax.random.key(0)), jax.jit(bound.update)
    values = []
    for step in range(40):
        state, metrics = update(state, BATCH, jax.random.key(step))
        values.append(merged([metrics]))
    assert values[-1]['loss'] < 0.8 * values[0]['loss']
    assert values[-1]['mean_iou'] > 1.5 * values[0]['mean_iou']


@pytest.mark.parametrize('missing', ['image', 'mask'])
def test_data_without_a_field_are_refused(missing: str) -> None:
    fields = {name: shape for name, shape in SPEC.example.items() if name != missing}
    [there] = fields
    with pytest.raises(UserError) as error:
        task().bind(Spec(fields, {'mask': CLASSES}))
    assert str(error.value) == f'segmentation needs the field {missing!r}; the dataset has: {there}.'


def test_data_without_classes_are_refused() -> None:
    with pytest.raises(UserError, match='LabeledImage'):
        task().bind(Spec(SPEC.example))


@pytest.mark.parametrize('name', ['cross_entropy', 'dice', 'cross_entropy_and_dice'])
def test_pixels_that_do_not_count_change_neither_loss_nor_gradient(name: str) -> None:
    """The loss of a picture with a border of 255 is that of the picture without its border."""
    random = np.random.default_rng(0)
    logits, masks = random.normal(size=(2, 6, 6, 3)), random.integers(0, 3, (2, 6, 6))
    masks[:, 4:] = 255

    def loss(logits: Any, masks: Any) -> Any:
        return getattr(losses, name)(jnp.asarray(logits), jnp.asarray(masks)).sum()

    whole, gradient = jax.value_and_grad(loss)(jnp.asarray(logits), masks)
    part, expected = jax.value_and_grad(loss)(jnp.asarray(logits[:, :4]), masks[:, :4])
    assert float(whole) == pytest.approx(float(part), rel=1e-5)
    np.testing.assert_allclose(gradient[:, :4], expected, rtol=1e-4, atol=1e-6)
    np.testing.assert_array_equal(gradient[:, 4:], 0)


@pytest.mark.parametrize(('classes', 'dtype'), [(256, jnp.uint8), (257, jnp.uint16)])
def test_masks_have_the_smallest_dtype_that_holds_their_classes(classes: int, dtype: Any) -> None:
    task = Segmentation(model=partial(UNet, width=2), optimizer=optax.sgd, learning_rate=0.1)
    logits = jnp.zeros((1, 2, 2, classes)).at[..., -1].set(1)
    masks = task.predictions(logits, {})['masks']
    assert (masks.dtype, masks.max()) == (dtype, classes - 1)
