"""Segmentation of images: a class for each pixel."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import optax
from flax import nnx

from engine.errors import UserError
from engine.interfaces import Batch, Description, Spec, keys_by_row
from engine.parts import augmentation
from engine.parts.supervised import Supervised

Loss = Callable[[jax.Array, jax.Array], jax.Array]  # (logits [B, H, W, K], masks int [B, H, W]) -> f32 [B]


def cross_entropy(logits: jax.Array, masks: jax.Array) -> jax.Array:
    """Returns the mean over the pixels of -ln of the probability of their class, f32 [B]."""
    # Not with integer labels: the gradient of that is a scatter, which XLA compiles and runs slowly.
    return optax.softmax_cross_entropy(logits, jax.nn.one_hot(masks, logits.shape[-1])).mean((1, 2))


def dice(logits: jax.Array, masks: jax.Array) -> jax.Array:
    """Returns 1 less the Dice coefficient of probabilities and masks, averaged over the classes, f32 [B].

    Unlike cross-entropy it weighs small classes as much as large ones. Milletari et al. 2016,
    https://arxiv.org/abs/1606.04797; with a pixel added to each area, so that classes not there count 0.
    """
    probabilities, targets = jax.nn.softmax(logits), jax.nn.one_hot(masks, logits.shape[-1])
    common = (probabilities * targets).sum((1, 2))
    areas = probabilities.sum((1, 2)) + targets.sum((1, 2))
    return 1 - ((2 * common + 1) / (areas + 1)).mean(-1)


def cross_entropy_and_dice(logits: jax.Array, masks: jax.Array) -> jax.Array:
    """Returns the sum of both losses, f32 [B]."""
    return cross_entropy(logits, masks) + dice(logits, masks)


@dataclass(frozen=True, kw_only=True)
class Segmentation(Supervised):
    """A class for each pixel, from the fields `image` (uint8 [H, W, C]) and `mask` (uint8 [H, W]).

    Args:
      model: called with input_shape, classes and rngs; maps images f32 [B, H, W, C] to logits
        [B, H, W, classes].
      loss: of each image: `cross_entropy`, `dice`, their sum, or yours.
      augment: moves pixels in training, (keys [B], images uint8 [B, H, W, C]) -> images. It is given the mask
        as one more channel, so that both move alike; what it fills in with 0 is the first class.
    """

    loss: Loss = cross_entropy
    augment: augmentation.Augmentation = augmentation.none

    def build(self, spec: Spec, rngs: nnx.Rngs) -> nnx.Module:
        """Returns the model for a dataset's images and classes."""
        missing = {'image', 'mask'} - spec.example.keys()
        if missing:
            fields = ', '.join(spec.example)
            raise UserError(f'segmentation needs the field {missing.pop()!r}; the dataset has: {fields}.')
        if not spec.class_names:
            raise UserError(
                'segmentation needs classes; the dataset names none: make its mask a LabeledImage.'
            )
        return self.model(input_shape=spec.example['image'].shape, classes=len(spec.class_names), rngs=rngs)

    def augmented(self, batch: Batch, key: jax.Array) -> Batch:
        """Returns the batch with images and masks moved alike."""
        both = jnp.concatenate([batch['image'], batch['mask'][..., None]], -1)
        moved = self.augment(keys_by_row(key, batch), both)
        return {**batch, 'image': moved[..., :-1], 'mask': moved[..., -1]}

    def inputs(self, batch: Batch) -> jax.Array:
        """Returns images f32 [B, H, W, C] between -1 and 1."""
        return jnp.divide(batch['image'], 127.5) - 1

    def shown(self, batch: Batch) -> dict[str, jax.Array]:
        """Returns what the model sees and the classes it is to find there."""
        return {'inputs': self.inputs(batch), 'targets': batch['mask']}

    def measure(self, output: jax.Array, batch: Batch) -> dict[str, Any]:
        """Returns loss and pixel accuracy, f32 [B], and mean IoU, for logits [B, H, W, classes].

        IoU is pixels of a class in both masks, over those in either, each f32 [B, classes]: summed over all
        images before they are divided, as the offline evaluator does.
        """
        masks, found = batch['mask'], jnp.argmax(output, -1)
        classes = jnp.arange(output.shape[-1])[None, None, None]
        is_target, is_found = masks[..., None] == classes, found[..., None] == classes
        return {
            'loss': self.loss(output, masks),
            'pixel_accuracy': (found == masks).mean((1, 2), dtype=float),
            'mean_iou': (_pixels(is_target & is_found), _pixels(is_target | is_found)),
        }

    def predictions(self, output: jax.Array, batch: Batch) -> dict[str, jax.Array]:
        """Returns the most probable class of each pixel, uint8 [B, H, W]."""
        return {'masks': jnp.argmax(output, -1).astype(jnp.uint8)}

    def first_loss(self, spec: Spec) -> float:
        """Returns that of the same probability for every class."""
        logits = jnp.zeros((1, *spec.example['mask'].shape, len(spec.class_names)))
        return float(self.loss(logits, jnp.zeros(logits.shape[:-1], int))[0])

    def describe(self) -> Description:
        """Returns what the outputs manifest says of the predictions."""
        return Description(
            kind='segmentation',
            predictions={'masks': 'most probable class of each pixel'},
            truth={'targets': 'mask'},
        )


def _pixels(where: jax.Array) -> jax.Array:
    """Counts pixels: f32 [B, classes] from bool [B, H, W, classes]."""
    return where.sum((1, 2), dtype=float)
