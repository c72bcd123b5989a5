"""Segmentation of images: a class for each pixel."""

from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from engine.errors import UserError
from engine.interfaces import Batch, Description, Spec, keys_by_row
from engine.parts import augmentation, losses
from engine.parts.scaling import Scale, scaled
from engine.parts.subclasses.unused_settings import SettingsCheck
from engine.parts.supervised import BoundSupervised, Supervised

MAX_CLASSES = 2**16  # of a mask, whose pixels have up to 16 bits


@dataclass(frozen=True, kw_only=True)
class Segmentation(Supervised):
    """A class for each pixel, from the fields `image` (uint8 or uint16 [H, W, C]) and `mask` ([H, W]).

    Args:
      model: called with input_shape, outputs (the number of classes) and rngs; maps images f32 [B, H, W, C]
        to logits [B, H, W, classes].
      loss: the loss of each image: `losses.cross_entropy`, `losses.dice`, `losses.cross_entropy_and_dice`, or
        yours.
      augment: moves pixels in training, (keys [B], images [B, H, W, C]) -> images of the same dtype. The
        mask travels as one more channel, so that it moves with the image; pixels filled with 0 become the
        first class. None changes nothing.
      scale: makes the network's input of the images: `scaling.scaled`, or `scaling.PerChannel` with means and
        deviations.
      image: the field of the images.
      mask: the field of the masks.
      ignore_label: pixels of the mask with this label do not count in loss and metrics. By default these are
        the pixels of 255, unless a class has this number.
    """

    loss: losses.PixelLoss = losses.cross_entropy
    augment: augmentation.Augmentation | None = None
    scale: Scale = scaled
    image: str = 'image'
    mask: str = 'mask'
    ignore_label: int | None = None

    def bind(self, spec: Spec) -> BoundSupervised:
        """Returns the task for one dataset, its model built on shapes alone.

        Raises:
          UserError: a number of the task is out of its range, there are more classes than 16 bits can tell
            apart, the images have another number of channels, the augmentation changes the values of
            pixels, or a subclass drops a setting that is bound.
        """
        bound = super().bind(spec)
        self._check_augment()
        self._check_settings(bound)
        return bound

    def build(self, spec: Spec, rngs: nnx.Rngs) -> nnx.Module:
        """Returns the model for a dataset's images and classes."""
        spec.require('segmentation', self.image, self.mask)
        spec.require_classes('segmentation', self.mask, 'make its mask a LabeledImage')
        classes = len(spec.class_names[self.mask])
        if classes > MAX_CLASSES:
            raise UserError(
                f'segmentation stores the class of a pixel in 16 bits, for at most {MAX_CLASSES} classes; '
                f'{self.mask!r} has {classes}.'
            )
        return self.model(input_shape=spec.example[self.image].shape, outputs=classes, rngs=rngs)

    def augment_batch(self, batch: Batch, key: jax.Array) -> Batch:
        """Returns the batch with each image and its mask moved in the same way."""
        images, masks = batch[self.image], batch[self.mask]
        dtype = np.promote_types(images.dtype, masks.dtype)
        both = jnp.concatenate([images.astype(dtype), masks[..., None].astype(dtype)], -1)
        moved = augmentation.applied(self.augment, keys_by_row(key, batch), both)
        return {
            **batch,
            self.image: moved[..., :-1].astype(images.dtype),
            self.mask: moved[..., -1].astype(masks.dtype),
        }

    def inputs(self, batch: Batch) -> jax.Array:
        """Returns the images as `scale` makes them, by default from the range of their dtype to -1 to 1."""
        return self.scale(batch[self.image])

    def debug_inputs(self, batch: Batch) -> dict[str, jax.Array]:
        """Returns the network's input, f32 [B, H, W, C], and the true classes, uint8 [B, H, W]."""
        return {'inputs': self.inputs(batch), 'targets': batch[self.mask]}

    def per_example(self, output: jax.Array, batch: Batch) -> dict[str, Any]:
        """Returns the loss of each image, f32 [B], and the counts of pixel accuracy and of mean IoU.

        The IoU of a class is its pixels in both masks over its pixels in either, each f32 [B, classes]. Both
        are summed over all images before they are divided, as the offline evaluator does.

        Args:
          output: logits f32 [B, H, W, classes].
          batch: with the masks, int [B, H, W].
        """
        masks, predicted = self.counted_masks(batch), jnp.argmax(output, -1)
        counted = losses.counts(masks, output.shape[-1])
        classes = jnp.arange(output.shape[-1])[None, None, None]
        is_true = masks[..., None] == classes
        is_predicted = (predicted[..., None] == classes) & counted[..., None]
        return {
            'loss': self.loss(output, masks),
            'pixel_accuracy': (_pixels(predicted == masks), _pixels(counted)),
            'mean_iou': (_pixels(is_true & is_predicted), _pixels(is_true | is_predicted)),
        }

    def counted_masks(self, batch: Batch) -> jax.Array:
        """Returns the masks, int32 [B, H, W], with -1 for pixels that do not count."""
        masks = batch[self.mask].astype(jnp.int32)
        return masks if self.ignore_label is None else jnp.where(masks == self.ignore_label, -1, masks)

    def predictions(self, output: jax.Array, batch: Batch) -> dict[str, jax.Array]:
        """Returns the most probable class of each pixel, [B, H, W], from logits [B, H, W, classes].

        It is uint8, or uint16 if there are more than 256 classes.
        """
        dtype = jnp.uint8 if output.shape[-1] <= 256 else jnp.uint16
        return {'masks': jnp.argmax(output, -1).astype(dtype)}

    def first_loss(self, spec: Spec) -> float:
        """Returns the loss of equal probabilities for all classes."""
        logits = jnp.zeros((1, *spec.example[self.mask].shape, len(spec.class_names[self.mask])))
        return float(self.loss(logits, jnp.zeros(logits.shape[:-1], int))[0])

    def describe(self) -> Description:
        """Returns what the outputs manifest says of the predictions."""
        return Description(
            kind='segmentation',
            predictions={'masks': 'most probable class of each pixel'},
            truth={'targets': self.mask},
            ignore_label=self.ignore_label,
        )

    def _check_augment(self) -> None:
        """Raises `UserError` if `augment` would change the classes in the mask."""
        moves_masks = type(self).augment_batch is Segmentation.augment_batch
        if moves_masks and augmentation.changes_values(self.augment):
            raise UserError(
                f'{type(self).__name__}.augment = {self.augment} changes the values of pixels. It would also '
                'change the classes in the mask, which it moves with the image. Bind augmentation.Shift, '
                'Crop, Flip or a Chain of them, or override augment_batch.'
            )

    def _check_settings(self, bound: BoundSupervised) -> None:
        """Raises `UserError` if images do not fit `scale`, or if a subclass drops a setting that is bound."""
        settings = SettingsCheck(self, Segmentation, bound.spec, bound.network)
        if self.scale is not scaled:
            settings.inputs()
        settings.check_inputs({'augment': None, 'scale': scaled})
        settings.check_used(
            ('per_example',),
            {'loss': losses.cross_entropy, 'ignore_label': None},
            lambda task, batch, _, output: task.per_example(output, batch)['loss'],
            'Compute the loss as self.loss(output, self.counted_masks(batch)), or call '
            'super().per_example(output, batch).',
        )


def _pixels(where: jax.Array) -> jax.Array:
    """Returns the number of pixels, f32 [B, ...], from bool [B, H, W, ...]."""
    return where.sum((1, 2), dtype=float)
