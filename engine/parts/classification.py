"""Classification of images: one label for each."""

import math
from dataclasses import dataclass

import jax
import jax.numpy as jnp
import optax
from flax import nnx

from engine.errors import UserError
from engine.interfaces import Batch, Description, Spec, keys_by_row
from engine.parts import augmentation, mixing
from engine.parts.supervised import Supervised


@dataclass(frozen=True, kw_only=True)
class Classification(Supervised):
    """Softmax cross-entropy on the fields `image` (uint8 [H, W, C]) and `label` (int32 []).

    Args:
      model: called with input_shape, classes and rngs; maps images f32 [B, H, W, C] to logits [B, classes].
      augment: changes the images in training, (keys [B], images uint8 [B, H, W, C]) -> images.
      mix: mixes pairs of images and their labels in training, after `augment`, as `mixing.Mixup` does.
      label_smoothing: share of the target that is spread over all classes; Szegedy et al. 2016,
        https://arxiv.org/abs/1512.00567.
    """

    augment: augmentation.Augmentation = augmentation.none
    mix: mixing.Mix | None = None
    label_smoothing: float = 0.0

    def build(self, spec: Spec, rngs: nnx.Rngs) -> nnx.Module:
        """Returns the model for a dataset's images and classes."""
        missing = {'image', 'label'} - spec.example.keys()
        if missing:
            fields = ', '.join(spec.example)
            raise UserError(f'classification needs the field {missing.pop()!r}; the dataset has: {fields}.')
        if not spec.class_names:
            raise UserError(
                'classification needs classes; the dataset names none: make its label a ClassLabel.'
            )
        return self.model(input_shape=spec.example['image'].shape, classes=len(spec.class_names), rngs=rngs)

    def augmented(self, batch: Batch, key: jax.Array) -> Batch:
        """Returns the batch with its images changed.

        If they are mixed, it has `other`, the label of each one's partner, and `share`, f32 [B], of its own.
        """
        images = self.augment(keys_by_row(key, batch), batch['image'])
        if self.mix is None:
            return {**batch, 'image': images}
        images, share = self.mix(keys_by_row(jax.random.fold_in(key, 1), batch), images)
        return {**batch, 'image': images, 'share': share, 'other': mixing.partners(batch['label'])}

    def inputs(self, batch: Batch) -> jax.Array:
        """Returns images f32 [B, H, W, C] between -1 and 1."""
        return jnp.divide(batch['image'], 127.5) - 1

    def measure(self, output: jax.Array, batch: Batch) -> dict[str, jax.Array]:
        """Returns loss and accuracy of each example, f32 [B], for logits [B, classes].

        Of two labels that are mixed, the one with the larger share is the right one.
        """
        label, targets = batch['label'], jax.nn.one_hot(batch['label'], output.shape[-1])
        if 'share' in batch:
            share, other = batch['share'], batch['other']
            others = jax.nn.one_hot(other, output.shape[-1])
            targets = share[:, None] * targets + (1 - share[:, None]) * others
            label = jnp.where(share < 0.5, other, label)
        loss = optax.softmax_cross_entropy(output, optax.smooth_labels(targets, self.label_smoothing))
        return {'loss': loss, 'accuracy': (jnp.argmax(output, -1) == label).astype(jnp.float32)}

    def predictions(self, output: jax.Array, batch: Batch) -> dict[str, jax.Array]:
        """Returns the logits f32 [B, classes]."""
        return {'logits': output.astype(jnp.float32)}

    def first_loss(self, spec: Spec) -> float:
        """Returns that of the same probability for every class."""
        return math.log(len(spec.class_names))

    def describe(self) -> Description:
        """Returns what the outputs manifest says of the predictions."""
        return Description(
            kind='classification',
            predictions={'logits': 'unnormalised log-probabilities of the classes'},
            truth={'labels': 'label'},
            random_per_device='pairs that are mixed' if self.mix else '',
        )
