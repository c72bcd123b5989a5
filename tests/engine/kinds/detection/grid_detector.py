"""A small detector with a slot for each cell of a grid: images of any size, any number of targets."""

from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import optax
from flax import nnx

from engine.interfaces import Batch, Description, Spec
from engine.parts.supervised import Supervised

CELLS = 4  # of the grid, along each side
THRESHOLD = 0.3  # of the score of a box that is predicted


class Grid(nnx.Module):
    """Two convolutions, then the outputs of each cell: is there a box, x, y, log width, log height, class."""

    def __init__(self, side: int, outputs: int, *, rngs: nnx.Rngs):
        stride = side // CELLS
        self.first = nnx.Conv(3, 8, (3, 3), rngs=rngs)
        self.last = nnx.Conv(8, outputs, (stride, stride), stride, padding='VALID', rngs=rngs)

    def __call__(self, x: jax.Array) -> jax.Array:
        return self.last(nnx.relu(self.first(x)))


@dataclass(frozen=True, kw_only=True)
class GridDetector(Supervised):
    """The cell of a target's centre finds it. Padding, whose class is -1, has no weight in the loss."""

    def build(self, spec: Spec, rngs: nnx.Rngs) -> nnx.Module:
        return self.model(
            side=spec.example['image'].shape[0], outputs=5 + len(spec.class_names['classes']), rngs=rngs
        )

    def inputs(self, batch: Batch) -> jax.Array:
        return batch['image'].astype(jnp.float32) / 255

    def per_example(self, output: jax.Array, batch: Batch) -> dict[str, Any]:
        slots = output.reshape(output.shape[0], CELLS**2, -1)
        exists = batch['classes'] >= 0
        corners = batch['boxes'] / longest(batch)[:, None, None]
        centres, sides = (corners[..., :2] + corners[..., 2:]) / 2, corners[..., 2:] - corners[..., :2]
        place = jnp.clip(jnp.floor(centres * CELLS), 0, CELLS - 1)
        cell = jnp.where(exists, place[..., 1] * CELLS + place[..., 0], -1).astype(jnp.int32)
        chosen = jax.nn.one_hot(cell, CELLS**2)  # 0 for padding
        own = jnp.einsum('bkc,bcd->bkd', chosen, slots)
        wanted = jnp.concatenate([centres * CELLS - place, jnp.log(jnp.maximum(sides, 1e-3))], -1)
        off = jnp.abs(own[..., 1:5] - wanted).sum(-1)
        wrong = optax.softmax_cross_entropy_with_integer_labels(
            own[..., 5:], jnp.maximum(batch['classes'], 0)
        )
        presence = optax.sigmoid_binary_cross_entropy(slots[..., 0], jnp.minimum(chosen.sum(1), 1)).sum(-1)
        return {'loss': presence + jnp.where(exists, off + wrong, 0).sum(-1)}

    def predictions(self, output: jax.Array, batch: Batch) -> dict[str, jax.Array]:
        slots = output.reshape(output.shape[0], CELLS**2, -1)
        rows, columns = jnp.divmod(jnp.arange(CELLS**2), CELLS)
        centres = (slots[..., 1:3] + jnp.stack([columns, rows], -1).astype(jnp.float32)[None]) / CELLS
        half = jnp.exp(slots[..., 3:5]) / 2
        side = longest(batch)
        scores = jax.nn.sigmoid(slots[..., 0])
        zeros = jnp.zeros_like(side)
        return {
            'boxes': jnp.concatenate([centres - half, centres + half], -1) * side[:, None, None],
            'scores': scores,
            'classes': jnp.where(scores > THRESHOLD, slots[..., 5:].argmax(-1), -1).astype(jnp.int32),
            'views': jnp.stack([zeros, zeros, side, side], -1),
        }

    def describe(self) -> Description:
        return Description(
            kind='detection',
            predictions={
                'boxes': 'x0, y0, x1, y1 in pixels of the original image',
                'scores': 'probability that there is a box',
                'classes': 'most probable class, -1 for no box',
                'views': 'part of the original image that the model sees',
            },
            truth={
                'target_boxes': 'boxes',
                'target_classes': 'classes',
                'target_counts': 'count',
                'target_crowd': 'crowd',
            },
        )


def longest(batch: Batch) -> jax.Array:
    """Returns the longer side of each original image, f32 [B] pixels: the side of what the input shows."""
    return jnp.maximum(batch['size'].max(-1), 1).astype(jnp.float32)
