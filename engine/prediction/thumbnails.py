"""Small pictures of the examples, saved with predictions: a reader of the report has no dataset at hand."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

NAME, MEANING = 'inputs', 'the examples as small pictures, for people'
MAX_SIDE, MIN_SIDE = 64, 8  # pixels
MAX_THUMBNAIL_BYTES = 2**28  # of all thumbnails of a split: with more examples they get smaller


@dataclass(frozen=True)
class Thumbnails:
    """Makes thumbnails of the images in a batch.

    Attributes:
      field: name of the images in the batch, uint8 or uint16 [B, H, W, 1 or 3]; '' where examples have none.
      factor: side of the squares of pixels that become one pixel.
    """

    field: str = ''
    factor: int = 1

    @classmethod
    def of(cls, example: Mapping[str, Any], truth: Mapping[str, str], examples: int) -> 'Thumbnails':
        """Chooses the first image of an example that is not itself to be predicted.

        Args:
          example: shape and dtype of each field.
          truth: for each array of known truth, the field that holds it.
          examples: number of examples in the split.
        """
        for field, spec in example.items():
            if _is_image(spec) and field not in truth.values():
                factor = _factor(spec.shape, examples)
                return cls(field, factor) if min(spec.shape[:2]) >= factor * MIN_SIDE else cls()
        return cls()

    @property
    def details(self) -> dict[str, str]:
        """For the manifest: by how much thumbnails are smaller, so that boxes can be drawn over them."""
        return {'inputs_shrunk': str(self.factor)} if self.factor > 1 else {}

    def __call__(self, batch: Mapping[str, jax.Array]) -> dict[str, jax.Array]:
        """Returns {'inputs': thumbnails uint8 [B, H / factor, W / factor, C]}, {} where there are none."""
        return {NAME: _shrunk(batch[self.field], self.factor)} if self.field else {}


def _is_image(spec: Any) -> bool:
    return spec.dtype in (np.uint8, np.uint16) and len(spec.shape) == 3 and spec.shape[-1] in (1, 3)


def _factor(shape: tuple[int, int, int], examples: int) -> int:
    """Returns the factor by which sides shrink, so that neither one thumbnail nor all are too large."""
    factor = -(-max(shape[:2]) // MAX_SIDE)
    while examples * (shape[0] // factor) * (shape[1] // factor) * shape[2] > MAX_THUMBNAIL_BYTES:
        factor += 1
    return factor


@partial(jax.jit, static_argnums=1)
def _shrunk(images: jax.Array, factor: int) -> jax.Array:
    """Returns means over squares of `factor` x `factor` pixels; a rest at the right and bottom is cut off."""
    n, height, width, channels = images.shape
    rows, columns = height // factor, width // factor
    cut = images[:, : rows * factor, : columns * factor]
    squares = cut.reshape(n, rows, factor, columns, factor, channels)
    means = squares.mean((2, 4), dtype=jnp.float32)
    levels = means if images.dtype == jnp.uint8 else means / 257  # 65535 becomes 255
    return jnp.round(levels).astype(jnp.uint8)
