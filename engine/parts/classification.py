"""Classification of images: one label for each."""

import math
from dataclasses import dataclass

import jax
import jax.numpy as jnp
import optax
from flax import nnx

from engine.interfaces import Batch, Description, Spec, keys_by_row
from engine.parts import augmentation, mixing
from engine.parts.scaling import same_dtype, scaled
from engine.parts.supervised import Supervised


@dataclass(frozen=True, kw_only=True)
class Classification(Supervised):
    """Softmax cross-entropy on the fields `image` (uint8 or uint16) and `label` (int32), or another label.

    Args:
      model: called with input_shape, outputs (the number of classes) and rngs; maps images f32 [B, H, W, C]
        to logits [B, classes].
      augment: changes the images in training, (keys [B], images [B, H, W, C]) -> images of the same dtype.
      mix: mixes pairs of images and their labels in training, after `augment`, as `mixing.Mixup` does.
      label_smoothing: share of each target that is spread evenly over all classes; Szegedy et al. 2016,
        https://arxiv.org/abs/1512.00567.
      label: the field of the labels, for datasets that have several.
    """

    augment: augmentation.Augmentation = augmentation.none
    mix: mixing.Mix | None = None
    label_smoothing: float = 0.0
    label: str = 'label'

    def build(self, spec: Spec, rngs: nnx.Rngs) -> nnx.Module:
        """Returns the model for a dataset's images and classes."""
        spec.require('classification', 'image', self.label)
        spec.require_classes('classification', self.label, 'make its label a ClassLabel')
        classes = len(spec.class_names[self.label])
        return self.model(input_shape=spec.example['image'].shape, outputs=classes, rngs=rngs)

    def augment_batch(self, batch: Batch, key: jax.Array) -> Batch:
        """Returns the batch with its images changed, each uint8 [H, W, C].

        If `mix` is bound, the batch also holds `other`, the label of each image's partner, int32 [B], and
        `share`, the weight of the image's own label, f32 [B].
        """
        images = same_dtype(batch['image'], self.augment(keys_by_row(key, batch), batch['image']))
        if self.mix is None:
            return {**batch, 'image': images}
        images, share = self.mix(keys_by_row(jax.random.fold_in(key, 1), batch), images)
        return {**batch, 'image': images, 'share': share, 'other': mixing.partners(batch[self.label])}

    def inputs(self, batch: Batch) -> jax.Array:
        """Returns the images scaled from the range of their dtype to -1 to 1, f32 [B, H, W, C]."""
        return scaled(batch['image'])

    def per_example(self, output: jax.Array, batch: Batch) -> dict[str, jax.Array]:
        """Returns loss and accuracy of each example, f32 [B], for logits f32 [B, classes].

        The accuracy of a mixed image counts the label with the larger share as the right one.
        """
        label = batch[self.label]
        targets = jax.nn.one_hot(label, output.shape[-1])
        if 'share' in batch:
            share, other = batch['share'], batch['other']
            others = jax.nn.one_hot(other, output.shape[-1])
            targets = share[:, None] * targets + (1 - share[:, None]) * others
            label = jnp.where(share < 0.5, other, label)
        loss = optax.softmax_cross_entropy(output, optax.smooth_labels(targets, self.label_smoothing))
        return {'loss': loss, 'accuracy': (jnp.argmax(output, -1) == label).astype(jnp.float32)}

    def predictions(self, output: jax.Array, batch: Batch) -> dict[str, jax.Array]:
        """Returns the logits, f32 [B, classes]."""
        return {'logits': output.astype(jnp.float32)}

    def first_loss(self, spec: Spec) -> float:
        """Returns the loss of equal probabilities for all classes."""
        return math.log(len(spec.class_names[self.label]))

    def describe(self) -> Description:
        """Returns what the outputs manifest says of the predictions."""
        return Description(
            kind='classification',
            predictions={'logits': 'unnormalised log-probabilities of the classes'},
            truth={'labels': self.label},
            random_per_device='pairs that are mixed' if self.mix else '',
        )
