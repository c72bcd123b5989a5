"""Small tasks whose outputs are of the kinds that no task of the engine has."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import jax
import jax.numpy as jnp
import optax
from flax import nnx

from engine.interfaces import Batch, Description, Spec
from engine.parts.supervised import Supervised


@dataclass(frozen=True, kw_only=True)
class OfImages(Supervised):
    """What these tasks share: images as inputs, and a truth in some fields."""

    outputs: int
    truth: Mapping[str, str] = field(default_factory=dict)

    def build(self, spec: Spec, rngs: nnx.Rngs) -> nnx.Module:
        return self.model(input_shape=spec.example['image'].shape, outputs=self.outputs, rngs=rngs)

    def inputs(self, batch: Batch) -> jax.Array:
        return batch['image'].astype(jnp.float32) / 255


@dataclass(frozen=True, kw_only=True)
class Findings(OfImages):
    """Several labels for each image, some of them unknown."""

    class_names: tuple[str, ...] = ()

    def per_example(self, output: jax.Array, batch: Batch) -> dict[str, jax.Array]:
        targets = batch['findings'].astype(jnp.float32)
        known = targets >= 0  # neither -1 nor NaN
        losses = optax.sigmoid_binary_cross_entropy(output, jnp.where(known, targets, 0))
        return {'loss': jnp.where(known, losses, 0).sum(-1) / jnp.maximum(known.sum(-1, dtype=float), 1)}

    def predictions(self, output: jax.Array, batch: Batch) -> dict[str, jax.Array]:
        return {'logits': output}

    def describe(self) -> Description:
        meanings = {'logits': 'log-odds of each finding'}
        return Description('multilabel', meanings, self.truth, class_names=self.class_names)


@dataclass(frozen=True, kw_only=True)
class Metric(OfImages):
    """Embeddings, trained to predict the class by a softmax over their first numbers."""

    def per_example(self, output: jax.Array, batch: Batch) -> dict[str, jax.Array]:
        return {'loss': optax.softmax_cross_entropy_with_integer_labels(output, batch['label'])}

    def predictions(self, output: jax.Array, batch: Batch) -> dict[str, jax.Array]:
        return {'embeddings': output}

    def describe(self) -> Description:
        return Description('embeddings', {'embeddings': 'output of the network'}, self.truth)


@dataclass(frozen=True, kw_only=True)
class Depth(OfImages):
    """The depth of each pixel, known for some of them."""

    def per_example(self, output: jax.Array, batch: Batch) -> dict[str, jax.Array]:
        targets = batch['depth'].reshape(output.shape)
        known = ~jnp.isnan(targets)
        errors = jnp.where(known, output - jnp.where(known, targets, 0), 0)
        return {'loss': jnp.square(errors).sum(-1) / jnp.maximum(known.sum(-1, dtype=float), 1)}

    def predictions(self, output: jax.Array, batch: Batch) -> dict[str, jax.Array]:
        return {'values': output.reshape(batch['depth'].shape)}

    def describe(self) -> Description:
        meanings = {'values': 'predicted depth'}
        return Description('dense', meanings, self.truth, details={'unit': 'm'})


def bound(name: str, **bindings: Any) -> list[str]:
    """Returns the lines of a config that bind a task's settings."""
    return [f'trained_tasks.{name}.{setting} = {value!r}' for setting, value in bindings.items()]
