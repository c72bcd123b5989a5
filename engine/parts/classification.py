"""Classification of images: one label for each."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import jax
import jax.numpy as jnp
import optax
from flax import nnx

from engine.errors import UserError
from engine.interfaces import Batch, Description, Spec, keys_by_row
from engine.parts import augmentation, mixing
from engine.parts.scaling import Scale, scaled
from engine.parts.subclasses.unused_settings import SettingsCheck
from engine.parts.supervised import BoundSupervised, Supervised

MAX_NAMES = 5  # of classes in a message


@dataclass(frozen=True, kw_only=True)
class Classification(Supervised):
    """Softmax cross-entropy on the fields `image` (uint8 or uint16) and `label` (int32), or others.

    A subclass that overrides `targets` or `loss` inherits augmentation, mixing, smoothing and class weights:

        class FocalLoss(classification.Classification):
            def loss(self, output, targets):
                shares = targets * (1 - jax.nn.softmax(output)) ** 2
                return -jnp.sum(shares * jax.nn.log_softmax(output), -1)

    Args:
      model: called with input_shape, outputs (the number of classes) and rngs; maps images f32 [B, H, W, C]
        to logits [B, classes].
      augment: changes the images in training, (keys [B], images [B, H, W, C]) -> images of the same dtype.
        None changes nothing.
      mix: mixes pairs of images and their labels in training, after `augment`, as `mixing.Mixup` does.
      scale: makes the network's input of the images: `scaling.scaled`, or `scaling.PerChannel` with means and
        deviations.
      label_smoothing: share of each target that is spread evenly over all classes; Szegedy et al. 2016,
        https://arxiv.org/abs/1512.00567.
      class_weights: a factor for each class, by which the loss of its examples is multiplied, in training and
        in evaluation; a mixed example gets the mean of two factors, by their shares. The loss of a batch
        stays the sum over its examples divided by their number: weights of mean 1 keep its scale. (PyTorch
        divides by the sum of the weights.) () multiplies by nothing.
      image: the field of the images, for datasets that have several.
      label: the field of the labels, for datasets that have several.
    """

    augment: augmentation.Augmentation | None = None
    mix: mixing.Mix | None = None
    scale: Scale = scaled
    label_smoothing: float = 0.0
    class_weights: tuple[float, ...] = ()
    image: str = 'image'
    label: str = 'label'

    def bind(self, spec: Spec) -> BoundSupervised:
        """Returns the task for one dataset, its model built on shapes alone.

        Raises:
          UserError: a number of the task is out of its range, the images have another number of channels, or
            a subclass drops a setting that is bound.
        """
        bound = super().bind(spec)
        self._check_class_weights(spec.class_names[self.label])
        self._check_settings(bound)
        return bound

    def build(self, spec: Spec, rngs: nnx.Rngs) -> nnx.Module:
        """Returns the model for a dataset's images and classes."""
        spec.require('classification', self.image, self.label)
        spec.require_classes('classification', self.label, 'make its label a ClassLabel')
        classes = len(spec.class_names[self.label])
        return self.model(input_shape=spec.example[self.image].shape, outputs=classes, rngs=rngs)

    def augment_batch(self, batch: Batch, key: jax.Array) -> Batch:
        """Returns the batch with its images changed, each uint8 [H, W, C].

        If `mix` is bound, the batch also holds `other`, the label of each image's partner, int32 [B], and
        `share`, the weight of the image's own label, f32 [B].
        """
        batch = self.augment_inputs(batch, key)
        if self.mix is None:
            return batch
        images, share = self.mix(keys_by_row(jax.random.fold_in(key, 1), batch), batch[self.image])
        return {**batch, self.image: images, 'share': share, 'other': mixing.partners(batch[self.label])}

    def augment_inputs(self, batch: Batch, key: jax.Array) -> Batch:
        """Returns the batch with its images changed by `augment`, and not mixed."""
        images = batch[self.image]
        return {**batch, self.image: augmentation.applied(self.augment, keys_by_row(key, batch), images)}

    def inputs(self, batch: Batch) -> jax.Array:
        """Returns the images as `scale` makes them, by default from the range of their dtype to -1 to 1."""
        return self.scale(batch[self.image])

    def targets(self, batch: Batch, classes: int) -> jax.Array:
        """Returns the targets of the loss, f32 [B, classes]: labels as probabilities, mixed and smoothed."""
        return optax.smooth_labels(self._mixed_labels(batch, classes), self.label_smoothing)

    def loss(self, output: jax.Array, targets: jax.Array) -> jax.Array:
        """Returns the loss of each example, f32 [B]: the cross-entropy of logits and targets [B, classes]."""
        return optax.softmax_cross_entropy(output, targets)

    def example_weights(self, batch: Batch) -> jax.Array:
        """Returns the factor of each example's loss, f32 [B], that `class_weights` make; 1 without them."""
        if not self.class_weights:
            return jnp.ones(batch[self.label].shape, jnp.float32)
        weights = jnp.array(self.class_weights, jnp.float32)
        return self._mixed_labels(batch, len(weights)) @ weights

    def _mixed_labels(self, batch: Batch, classes: int) -> jax.Array:
        """Returns the labels as probabilities, f32 [B, classes]; those of mixed images have two entries."""
        labels = jax.nn.one_hot(batch[self.label], classes)
        if 'share' not in batch:
            return labels
        share, others = batch['share'], jax.nn.one_hot(batch['other'], classes)
        return share[:, None] * labels + (1 - share[:, None]) * others

    def per_example(self, output: jax.Array, batch: Batch) -> dict[str, jax.Array]:
        """Returns loss and accuracy of each example, f32 [B], for logits f32 [B, classes].

        The accuracy of a mixed image counts the label with the larger share as the right one.
        """
        label = batch[self.label]
        if 'share' in batch:
            label = jnp.where(batch['share'] < 0.5, batch['other'], label)
        loss = self.loss(output, self.targets(batch, output.shape[-1]))
        if self.class_weights:
            loss = loss * self.example_weights(batch)
        return {'loss': loss, 'accuracy': (jnp.argmax(output, -1) == label).astype(jnp.float32)}

    def predictions(self, output: jax.Array, batch: Batch) -> dict[str, jax.Array]:
        """Returns the logits, f32 [B, classes]."""
        return {'logits': output.astype(jnp.float32)}

    def first_loss(self, spec: Spec) -> float | None:
        """Returns the loss of equal probabilities for all classes; None if classes have weights."""
        classes = len(spec.class_names[self.label])
        if self.class_weights:
            return None
        if type(self).loss is Classification.loss:
            return math.log(classes)
        targets = optax.smooth_labels(jax.nn.one_hot(jnp.zeros(1, int), classes), self.label_smoothing)
        return float(self.loss(jnp.zeros((1, classes)), targets)[0])

    def describe(self) -> Description:
        """Returns what the outputs manifest says of the predictions."""
        return Description(
            kind='classification',
            predictions={'logits': 'unnormalised log-probabilities of the classes'},
            truth={'labels': self.label},
            random_per_device='pairs that are mixed' if self.mix else '',
        )

    def _check_class_weights(self, names: Sequence[str]) -> None:
        """Raises `UserError` unless there is a weight for each class, or none at all."""
        weights, name = self.class_weights, f'{type(self).__name__}.class_weights'
        if weights and len(weights) != len(names):
            raise UserError(
                f'{name} holds {len(weights)} numbers, but {self.label!r} has {len(names)} classes. Give one '
                f'for each, in the order {", ".join(map(repr, names[:MAX_NAMES]))}'
                f'{", ..." if len(names) > MAX_NAMES else ""}.'
            )
        if weights and not (all(0 <= weight < math.inf for weight in weights) and any(weights)):
            raise UserError(f'{name} = {weights}: give finite numbers of at least 0, not all of them 0.')

    def _check_settings(self, bound: BoundSupervised) -> None:
        """Raises `UserError` if images do not fit `scale`, or if a subclass drops a setting that is bound."""
        settings = SettingsCheck(self, Classification, bound.spec, bound.network)
        if self.scale is not scaled:
            settings.inputs()
        settings.check_inputs({'augment': None, 'mix': None, 'scale': scaled})
        settings.check_used(
            ('augment_batch', 'per_example', 'targets', 'loss'),
            {'mix': None, 'label_smoothing': 0.0, 'class_weights': ()},
            lambda task, batch, key, output: task.per_example(output, task.augment_batch(batch, key))['loss'],
            'Compute the loss as self.loss(output, self.targets(batch, classes)), times '
            'self.example_weights(batch), or call super().per_example(output, batch).',
        )
