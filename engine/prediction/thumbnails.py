"""Small pictures of what was predicted from: whoever looks at a mistake later has no dataset at hand."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

NAME, MEANING = 'inputs', 'the examples as small pictures, for people'
LONGEST, SHORTEST = 64, 8  # pixels of a side
MOST = 2**28  # bytes of all thumbnails of a split; of more examples they are smaller, or there are none


@dataclass(frozen=True)
class Thumbnails:
    """Makes thumbnails of the pictures in a batch.

    Attributes:
      field: of the batch, uint8 [B, H, W, 1 or 3]; '' where examples have no picture.
      factor: how many pixels of a side become one.
    """

    field: str = ''
    factor: int = 1

    @classmethod
    def of(cls, example: Mapping[str, Any], truth: Mapping[str, str], examples: int) -> 'Thumbnails':
        """Chooses the first picture of an example that is not to be predicted.

        Args:
          example: shape and dtype of each field.
          truth: for each array of known truth, the field that holds it.
          examples: number of them.
        """
        for field, each in example.items():
            if _is_picture(each) and field not in truth.values():
                factor = _factor(each.shape, examples)
                return cls(field, factor) if min(each.shape[:2]) >= factor * SHORTEST else cls()
        return cls()

    @property
    def details(self) -> dict[str, str]:
        """What the outputs manifest says of them: by how much they are smaller, for boxes drawn over them."""
        return {'inputs_shrunk': str(self.factor)} if self.factor > 1 else {}

    def __call__(self, batch: Mapping[str, jax.Array]) -> dict[str, jax.Array]:
        """Returns the thumbnails of a batch by their name, uint8 [B, H / factor, W / factor, C], if any."""
        return {NAME: _shrunk(batch[self.field], self.factor)} if self.field else {}


def _is_picture(each: Any) -> bool:
    return each.dtype == np.uint8 and len(each.shape) == 3 and each.shape[-1] in (1, 3)


def _factor(shape: tuple[int, int, int], examples: int) -> int:
    """Returns by how much sides shrink, so that neither one picture nor all together are too large."""
    factor = -(-max(shape[:2]) // LONGEST)
    while examples * (shape[0] // factor) * (shape[1] // factor) * shape[2] > MOST:
        factor += 1
    return factor


@partial(jax.jit, static_argnums=1)
def _shrunk(images: jax.Array, factor: int) -> jax.Array:
    """Returns means over squares of `factor` pixels; what is left over at the right and below is cut off."""
    n, height, width, channels = images.shape
    rows, columns = height // factor, width // factor
    cut = images[:, : rows * factor, : columns * factor]
    squares = cut.reshape(n, rows, factor, columns, factor, channels)
    return jnp.round(squares.mean((2, 4), dtype=jnp.float32)).astype(jnp.uint8)
