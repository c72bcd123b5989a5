"""Colour jitter: random brightness, contrast, saturation and hue."""

import itertools
from dataclasses import dataclass
from typing import ClassVar

import jax
import jax.numpy as jnp
import numpy as np

from engine.errors import UserError
from engine.parts.augmentation import pixels

BRIGHTNESS, CONTRAST, SATURATION, HUE = range(4)  # the changes


@dataclass(frozen=True)
class ColorJitter:
    """Changes brightness, contrast, saturation and hue of each image, in random order, as torchvision does.

    A factor is uniform in 1 - s to 1 + s, not below 0, for a strength s; the hue turns by -s to s turns.
    Grey images keep saturation and hue. Values are rounded once, at the end.
    Source: https://docs.pytorch.org/vision/stable/generated/torchvision.transforms.ColorJitter.html

    >>> images = jnp.full((4, 8, 8, 3), 100, jnp.uint8)
    >>> jittered = ColorJitter(brightness=0.4, hue=0.1)(jax.random.split(jax.random.key(0), 4), images)
    >>> jittered.shape, jittered.dtype.name
    ((4, 8, 8, 3), 'uint8')

    Args:
      brightness: strength, at least 0.
      contrast: strength, at least 0.
      saturation: strength, at least 0.
      hue: strength, turns of the circle of colours, 0 to 0.5.
    """

    changes_values: ClassVar[bool] = True

    brightness: float = 0.0
    contrast: float = 0.0
    saturation: float = 0.0
    hue: float = 0.0

    def __post_init__(self) -> None:
        """Checks the numbers."""
        for name, strength in vars(self).items():
            if not 0 <= strength < np.inf:
                raise UserError(f'ColorJitter.{name} = {strength}: give a number of at least 0.')
        if self.hue > 0.5:
            raise UserError(f'ColorJitter.hue = {self.hue}: give a number from 0 to 0.5.')

    def __call__(self, keys: jax.Array, images: jax.Array) -> jax.Array:
        """Returns the changed images, [B, H, W, C], of the same dtype, for keys [B].

        Args:
          keys: [B].
          images: uint8 or uint16, with 1 or 3 channels.

        Raises:
          UserError: the images have another dtype or number of channels.
        """
        pixels.check_images('ColorJitter', images)
        return jax.vmap(self._jittered)(keys, images)

    def draw(self, key: jax.Array) -> tuple[jax.Array, jax.Array]:
        """Returns the order of the changes, a permutation of 0 to 3, and their amounts, f32 [4].

        Changes of strength 0 are left out of the order. The changes are, by number: brightness, contrast,
        saturation, hue.
        """
        strengths = np.array([self.brightness, self.contrast, self.saturation, self.hue], np.float32)
        orders = np.array([*itertools.permutations(np.flatnonzero(strengths))], np.int32)
        centres = np.array([1, 1, 1, 0], np.float32)
        low, high = np.maximum(centres - strengths, np.array([0, 0, 0, -1], np.float32)), centres + strengths
        draws = jax.random.uniform(key, (5,))
        order = jnp.asarray(orders)[(draws[4] * len(orders)).astype(int)]
        return order, jnp.asarray(low) + (high - low) * draws[:4]

    def _jittered(self, key: jax.Array, image: jax.Array) -> jax.Array:
        order, amounts = self.draw(key)
        white = float(pixels.WHITE[image.dtype])
        changed = image.astype(jnp.float32) / white
        for index in range(order.shape[0]):
            changed = self._changed(changed, order[index], amounts)
        return jnp.round(changed * white).astype(image.dtype)

    def _changed(self, image: jax.Array, change: jax.Array, amounts: jax.Array) -> jax.Array:
        """Returns an image, f32 [H, W, C] in 0 to 1, after one change.

        Brightness, contrast and saturation blend the image with black, its mean grey, and its grey values.
        """
        grey = pixels.grey(image)
        others = jnp.stack([jnp.zeros_like(grey), jnp.full_like(grey, grey.mean()), grey])
        blended = pixels.blend(others[jnp.minimum(change, SATURATION)], image, amounts[change], 1.0)
        if image.shape[-1] == 1:
            return jnp.where(change < SATURATION, blended, image)
        if not self.hue:
            return blended
        return jnp.where(change == HUE, turned_hue(image, amounts[HUE]), blended)


def turned_hue(image: jax.Array, turns: jax.Array) -> jax.Array:
    """Returns RGB images in 0 to 1, [..., 3], with their hue turned. Saturation and value stay.

    Source: Smith 1978, "Color Gamut Transform Pairs", https://doi.org/10.1145/965139.807361
    """
    red, green, blue = image[..., 0], image[..., 1], image[..., 2]
    value, chroma = image.max(-1), image.max(-1) - image.min(-1)
    divisor = jnp.where(chroma == 0, 1, chroma)
    sextant = jnp.select(
        [value == red, value == green],
        [(green - blue) / divisor, 2 + (blue - red) / divisor],
        4 + (red - green) / divisor,
    )
    position = jnp.stack([sextant + 6 * turns + offset for offset in (5, 3, 1)], -1)
    distance = jnp.mod(position, 6)
    return value[..., None] - chroma[..., None] * jnp.clip(jnp.minimum(distance, 4 - distance), 0, 1)
