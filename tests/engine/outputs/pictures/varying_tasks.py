"""Small tasks for images of varying size: they predict padded pictures, and the size of each."""

from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
from flax import nnx

from engine.interfaces import Batch, Description, Spec
from engine.parts.supervised import Supervised


class Pixelwise(nnx.Module):
    """A convolution of single pixels, so that padding reaches no pixel that counts."""

    def __init__(self, channels: int, *, rngs: nnx.Rngs):
        self.layer = nnx.Conv(channels, channels, (1, 1), rngs=rngs)

    def __call__(self, x: jax.Array) -> jax.Array:
        return self.layer(x)


@dataclass(frozen=True, kw_only=True)
class Restoration(Supervised):
    """Predicts the image itself, in its own size. The loss counts no padding."""

    def build(self, spec: Spec, rngs: nnx.Rngs) -> nnx.Module:
        return self.model(channels=spec.example['image'].shape[-1], rngs=rngs)

    def inputs(self, batch: Batch) -> jax.Array:
        return batch['image'].astype(jnp.float32) / 255

    def per_example(self, output: jax.Array, batch: Batch) -> dict[str, Any]:
        side = output.shape[1]
        rows, columns = (jnp.arange(side)[None] < batch['size'][:, axis, None] for axis in (0, 1))
        counts = (rows[:, :, None] & columns[:, None, :]).astype(jnp.float32)[..., None]
        errors = jnp.square(output - self.inputs(batch)) * counts
        pixels = jnp.maximum(counts.sum((1, 2, 3)), 1)
        return {'loss': errors.sum((1, 2, 3)) / (pixels * output.shape[-1])}

    def predictions(self, output: jax.Array, batch: Batch) -> dict[str, jax.Array]:
        levels = jnp.round(jnp.clip(output, 0, 1) * 255).astype(jnp.uint8)
        return {'images': levels, 'sizes': batch['size']}

    def describe(self) -> Description:
        return Description(
            kind='image',
            predictions={'images': 'restored images, padded', 'sizes': 'height and width of each'},
            truth={'targets': 'image'},
        )
