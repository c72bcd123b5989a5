"""Subclasses of tasks inherit settings, or a message says that they drop them."""

from dataclasses import dataclass
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from engine.errors import UserError
from engine.interfaces import Spec
from engine.parts import losses
from engine.parts.augmentation import Flip, Shift
from engine.parts.classification import Classification
from engine.parts.mixing import CutMix, Mixup
from engine.parts.scaling import PerChannel
from engine.parts.segmentation import Segmentation
from research.models.unet import UNet
from tests.engine import tiny

BATCH: Any = tiny.batch(8)
OUTPUT = np.random.default_rng(0).normal(size=(8, 3)).astype(np.float32)
WEIGHTS = (0.5, 2.0, 1.0)
SETTINGS: dict[str, Any] = {'mix': Mixup(0.5), 'label_smoothing': 0.2, 'class_weights': WEIGHTS}


def log_softmax(logits: np.ndarray) -> np.ndarray:
    return logits - np.log(np.exp(logits.astype(np.float64)).sum(-1, keepdims=True))


def expected_targets(batch: Any, smoothing: float) -> tuple[np.ndarray, np.ndarray]:
    """Targets and weights, [8, 3] and [8], by a slow loop."""
    targets, weights = np.zeros((8, 3)), np.zeros(8)
    for row in range(8):
        share = float(batch['share'][row]) if 'share' in batch else 1.0
        pairs = [(int(batch['label'][row]), share)]
        pairs += [(int(batch['other'][row]), 1 - share)] if 'other' in batch else []
        for label, part in pairs:
            targets[row, label] += part
            weights[row] += part * WEIGHTS[label]
    return (1 - smoothing) * targets + smoothing / 3, weights


@dataclass(frozen=True, kw_only=True)
class Focal(Classification):
    """Overrides the loss alone."""

    gamma: float = 2.0

    def loss(self, output: jax.Array, targets: jax.Array) -> jax.Array:
        shares = targets * (1 - jax.nn.softmax(output)) ** self.gamma
        return -jnp.sum(shares * jax.nn.log_softmax(output), -1)


@dataclass(frozen=True, kw_only=True)
class Rounded(Classification):
    """Overrides the targets, on top of those of its parent."""

    def targets(self, batch: Any, classes: int) -> jax.Array:
        return jnp.round(super().targets(batch, classes), 3)


def task(kind: Any = Classification, **arguments: Any) -> Any:
    return kind(
        model=tiny.MODELS['mlp'], optimizer=partial(optax.sgd, momentum=0.9), learning_rate=0.1, **arguments
    )


@pytest.mark.parametrize('mix', [None, Mixup(0.5), CutMix()])
@pytest.mark.parametrize('smoothing', [0.0, 0.2])
def test_a_loss_of_its_own_inherits_mixing_smoothing_and_weights(mix: Any, smoothing: float) -> None:
    focal = task(Focal, mix=mix, label_smoothing=smoothing, class_weights=WEIGHTS)
    focal.bind(tiny.SPEC)
    batch = focal.augment_batch(BATCH, jax.random.key(0))
    targets, weights = expected_targets(batch, smoothing)
    np.testing.assert_allclose(focal.targets(batch, 3), targets, atol=1e-6)
    np.testing.assert_allclose(focal.example_weights(batch), weights, rtol=1e-5)
    logs = log_softmax(OUTPUT)
    loss = -(targets * (1 - np.exp(logs)) ** 2 * logs).sum(-1) * weights
    np.testing.assert_allclose(focal.per_example(OUTPUT, batch)['loss'], loss, rtol=2e-5)


def test_weights_multiply_the_cross_entropy_of_each_class() -> None:
    plain, weighted = (task(class_weights=weights).per_example(OUTPUT, BATCH) for weights in ((), WEIGHTS))
    factors = np.array(WEIGHTS, np.float32)[BATCH['label']]
    np.testing.assert_allclose(weighted['loss'], plain['loss'] * factors, rtol=1e-6)
    np.testing.assert_array_equal(weighted['accuracy'], plain['accuracy'])
    ones = task(class_weights=(1.0, 1.0, 1.0)).per_example(OUTPUT, BATCH)
    np.testing.assert_array_equal(ones['loss'], plain['loss'])
    assert task(class_weights=WEIGHTS).first_loss(tiny.SPEC) is None
    assert task().first_loss(tiny.SPEC) == np.log(3)


def test_a_first_loss_follows_the_loss() -> None:
    assert task(Focal).first_loss(tiny.SPEC) == pytest.approx(np.log(3) * (2 / 3) ** 2)


@pytest.mark.parametrize(
    ('weights', 'words'),
    [
        (
            (1.0, 2.0),
            "holds 2 numbers, but 'label' has 3 classes. Give one for each, in the order 'a', 'b', 'c'",
        ),
        ((1.0,) * 10, 'holds 10 numbers'),
        ((1.0, -1.0, 1.0), 'give finite numbers of at least 0'),
        ((1.0, float('nan'), 1.0), 'give finite numbers of at least 0'),
        ((1.0, float('inf'), 1.0), 'give finite numbers of at least 0'),
        ((0.0, 0.0, 0.0), 'not all of them 0'),
    ],
)
def test_weights_that_do_not_fit_the_classes(weights: tuple[float, ...], words: str) -> None:
    with pytest.raises(UserError, match=words):
        task(class_weights=weights).bind(tiny.SPEC)


# Subclasses that drop what their parent does.


class OwnLoss(Classification):
    """Computes everything from the labels."""

    def per_example(self, output: Any, batch: Any) -> Any:
        loss = optax.softmax_cross_entropy_with_integer_labels(output, batch['label'])
        return {'loss': loss, 'accuracy': (jnp.argmax(output, -1) == batch['label']).astype(jnp.float32)}


class OwnLossBesideTheOld(Classification):
    """Reports the parent's loss, but learns from another."""

    def per_example(self, output: Any, batch: Any) -> Any:
        old = super().per_example(output, batch)
        own = jax.nn.relu(1 - output[jnp.arange(len(output)), batch['label']])
        return {'accuracy': old['accuracy'], 'cross_entropy': old['loss'], 'loss': own}


class OwnTargets(Classification):
    """Forgets smoothing and mixing."""

    def targets(self, batch: Any, classes: int) -> Any:
        return jax.nn.one_hot(batch['label'], classes)


class OwnAugmentation(Classification):
    """Does not call its parent."""

    def augment_batch(self, batch: Any, key: jax.Array) -> Any:
        return {**batch, 'image': batch['image'][:, ::-1]}


class OwnInputs(Classification):
    """Scales by itself."""

    def inputs(self, batch: Any) -> Any:
        return batch['image'].astype(jnp.float32) / 255


GREY = PerChannel((0.5,), (0.25,))
DROPPED: list[tuple[type, dict[str, Any], str]] = [
    (OwnLoss, {'label_smoothing': 0.1}, 'per_example'),
    (OwnLoss, {'mix': Mixup()}, 'per_example'),
    (OwnLoss, {'class_weights': WEIGHTS}, 'per_example'),
    (OwnLossBesideTheOld, {'label_smoothing': 0.1}, 'per_example'),
    (OwnLossBesideTheOld, {'mix': CutMix()}, 'per_example'),
    (OwnLossBesideTheOld, {'class_weights': WEIGHTS}, 'per_example'),
    (OwnTargets, {'label_smoothing': 0.1}, 'targets'),
    (OwnTargets, {'mix': Mixup()}, 'targets'),
    (OwnAugmentation, {'augment': Shift(1)}, 'augment_batch'),
    (OwnAugmentation, {'augment': Flip()}, 'augment_batch'),
    (OwnAugmentation, {'mix': Mixup()}, 'augment_batch'),
    (OwnInputs, {'scale': GREY}, 'inputs'),
]


@pytest.mark.parametrize(('kind', 'settings', 'method'), DROPPED)
def test_a_setting_that_a_subclass_drops_is_refused(kind: type, settings: Any, method: str) -> None:
    [setting] = settings
    with pytest.raises(UserError) as error:
        task(kind, **settings).bind(tiny.SPEC)
    message = str(error.value)
    assert f'{kind.__name__}.{setting} is bound and does nothing: {method}() of {kind.__name__} (' in message
    assert 'tests/engine/parts/test_subclasses.py:' in message
    assert 'super()' in message


class KeepsAll(Classification):
    """Goes on from what its parent does."""

    def augment_batch(self, batch: Any, key: jax.Array) -> Any:
        return {**super().augment_batch(batch, key), 'seen': batch['step']}

    def inputs(self, batch: Any) -> Any:
        return 2 * super().inputs(batch)

    def per_example(self, output: Any, batch: Any) -> Any:
        loss = self.loss(output, self.targets(batch, output.shape[-1])) * self.example_weights(batch)
        return {'loss': loss}


class OwnMetrics(Classification):
    """Adds a metric, with a function whose text in a program holds an address."""

    def per_example(self, output: Any, batch: Any) -> Any:
        return {**super().per_example(output, batch), 'sparsity': jax.nn.relu(output).mean(-1)}


@pytest.mark.parametrize('kind', [Classification, Focal, Rounded, KeepsAll, OwnMetrics])
def test_settings_that_a_subclass_keeps_are_taken(kind: type) -> None:
    task(kind, augment=Shift(1), scale=GREY, **SETTINGS).bind(tiny.SPEC)


@pytest.mark.parametrize('kind', [kind for kind, *_ in DROPPED])
def test_what_is_not_bound_may_be_dropped(kind: type) -> None:
    task(kind).bind(tiny.SPEC)


class OwnPixelLoss(Segmentation):
    """Leaves out the bound loss and the ignored pixels."""

    def per_example(self, output: Any, batch: Any) -> Any:
        return {'loss': losses.cross_entropy(output, batch['mask'].astype(jnp.int32))}


class OwnMoves(Segmentation):
    def augment_batch(self, batch: Any, key: jax.Array) -> Any:
        return batch


@pytest.mark.parametrize(
    ('kind', 'settings'),
    [
        (OwnPixelLoss, {'loss': losses.dice}),
        (OwnPixelLoss, {'ignore_label': 2}),
        (OwnMoves, {'augment': Flip()}),
    ],
)
def test_segmentation_refuses_what_a_subclass_drops(kind: type, settings: Any) -> None:
    [setting] = settings
    with pytest.raises(UserError, match=f'{kind.__name__}.{setting} is bound and does nothing'):
        segmentation(kind, **settings).bind(tiny.MASK_SPEC)
    segmentation(kind).bind(tiny.MASK_SPEC)


def segmentation(kind: Any = Segmentation, **arguments: Any) -> Any:
    model = partial(UNet, width=2, stages=2)
    return kind(model=model, optimizer=optax.sgd, learning_rate=0.1, **arguments)


# Several images, several channels.

TWO = {
    'near': jax.ShapeDtypeStruct((4, 4, 3), np.uint8),
    'far': jax.ShapeDtypeStruct((6, 6, 1), np.uint16),
    'label': jax.ShapeDtypeStruct((), np.int32),
    'mask': jax.ShapeDtypeStruct((6, 6), np.uint8),
}
TWO_SPEC = Spec(TWO, {'label': tiny.CLASSES, 'mask': tiny.CLASSES})


@pytest.mark.parametrize(('image', 'shape'), [('near', (4, 4, 3)), ('far', (6, 6, 1))])
def test_the_bound_image_is_used(image: str, shape: tuple[int, ...]) -> None:
    bound = task(image=image, augment=Flip(), **SETTINGS).bind(TWO_SPEC)
    random = np.random.default_rng(0)
    batch = {
        name: random.integers(0, 3 if name in ('label', 'mask') else 256, (4, *field.shape)).astype(
            field.dtype
        )
        for name, field in TWO.items()
    } | {'index': np.arange(4, dtype=np.int32)}
    inputs = bound.debug_inputs(batch, jax.random.key(0))['inputs']
    assert inputs.shape == (4, *shape)
    changed = bound.task.augment_batch(batch, jax.random.key(0))
    other = 'far' if image == 'near' else 'near'
    np.testing.assert_array_equal(changed[other], batch[other])
    assert not np.array_equal(changed[image], batch[image])


def test_segmentation_of_the_bound_image() -> None:
    bound = segmentation(image='far').bind(TWO_SPEC)
    predicted = jax.eval_shape(
        bound.predict, bound.init_training(*bound.init_model(jax.random.key(0))), TWO_SPEC.batch(2)
    )
    assert predicted['masks'].shape == (2, 6, 6)
    with pytest.raises(UserError, match="segmentation needs the field 'fra'"):
        segmentation(image='fra').bind(TWO_SPEC)
