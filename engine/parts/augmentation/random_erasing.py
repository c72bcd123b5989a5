"""Random erasing: fills a random rectangle of an image."""

import math
from dataclasses import dataclass
from typing import ClassVar, Literal

import jax
import jax.numpy as jnp

from engine.errors import UserError
from engine.parts.augmentation import pixels

TRIES = 10  # rectangles that are drawn for an image, as in torchvision


@dataclass(frozen=True)
class RandomErasing:
    """Fills a random rectangle of some images. Zhong et al. 2017, https://arxiv.org/abs/1708.04896.

    It draws 10 rectangles and takes the first that is smaller than the image. If none is, the image stays as
    it is. As in torchvision, the logarithm of the aspect is uniform.

    >>> images = jnp.ones((4, 8, 8, 3), jnp.uint8)
    >>> erased = RandomErasing(probability=1.0, fill='zero')(jax.random.split(jax.random.key(0), 4), images)
    >>> erased.min((1, 2, 3)).tolist()
    [0, 0, 0, 0]

    Args:
      probability: share of the images that lose a rectangle.
      area: smallest and largest share of the image's area that the rectangle covers.
      aspect: smallest and largest ratio of the rectangle's height to its width.
      fill: 'random' fills it with random values, uniform in the range of the dtype, uint8 or uint16; 'zero'
        with 0, for images of any dtype.
    """

    changes_values: ClassVar[bool] = True

    probability: float = 0.5
    area: tuple[float, float] = (0.02, 0.4)
    aspect: tuple[float, float] = (0.3, 1 / 0.3)
    fill: Literal['random', 'zero'] = 'random'

    def __post_init__(self) -> None:
        """Checks the numbers."""
        self._check('probability', 0 <= self.probability <= 1, 'give a share of the images, 0 to 1')
        self._check('area', 0 < self.area[0] <= self.area[1] <= 1, 'give (smallest, largest) share, up to 1')
        self._check('aspect', 0 < self.aspect[0] <= self.aspect[1], 'give (smallest, largest) height / width')

    def _check(self, name: str, is_valid: bool, rule: str) -> None:
        if not is_valid:
            raise UserError(f'RandomErasing.{name} = {getattr(self, name)}: {rule}.')

    def __call__(self, keys: jax.Array, images: jax.Array) -> jax.Array:
        """Returns the images [B, H, W, C], some with a filled rectangle, of the same dtype, for keys [B].

        Raises:
          UserError: `fill` is random, but the dtype of the images does not state their range.
        """
        if self.fill == 'random' and images.dtype not in pixels.WHITE:
            raise UserError(
                f"RandomErasing.fill = 'random' takes uint8 and uint16 images, but these are {images.dtype}, "
                'a dtype that does not say which values are black and white. '
                "Bind RandomErasing.fill = 'zero'."
            )
        return jax.vmap(self._erased)(keys, images)

    def _erased(self, key: jax.Array, image: jax.Array) -> jax.Array:
        for_rectangle, for_values = jax.random.split(key)
        is_erased = self._is_erased(for_rectangle, *image.shape[:2])
        return jnp.where(is_erased[..., None], self._values(for_values, image), image)

    def _values(self, key: jax.Array, image: jax.Array) -> jax.Array:
        if self.fill == 'zero':
            return jnp.zeros_like(image)
        return jax.random.bits(key, image.shape, image.dtype)

    def _is_erased(self, key: jax.Array, height: int, width: int) -> jax.Array:
        """Returns which pixels are in the rectangle, bool [height, width]."""
        draws = jax.random.uniform(key, (TRIES + 2, 2))
        (smallest, largest), (low, high) = self.area, map(math.log, self.aspect)
        area = height * width * (smallest + (largest - smallest) * draws[:TRIES, 0])
        aspect = jnp.exp(low + (high - low) * draws[:TRIES, 1])
        heights, widths = (jnp.round(jnp.sqrt(side)).astype(int) for side in (area * aspect, area / aspect))
        fits = (heights > 0) & (heights < height) & (widths > 0) & (widths < width)
        h, w = heights[jnp.argmax(fits)], widths[jnp.argmax(fits)]
        room = jnp.stack([height - h, width - w])
        top, left = (draws[TRIES] * (room + 1).astype(jnp.float32)).astype(int)
        y, x = jnp.arange(height)[:, None], jnp.arange(width)[None]
        is_inside = (y >= top) & (y < top + h) & (x >= left) & (x < left + w)
        return is_inside & jnp.any(fits) & (draws[-1, 0] < self.probability)
