"""RandAugment: random operations, all of one magnitude."""

from dataclasses import dataclass
from typing import ClassVar

import jax
import jax.numpy as jnp
import numpy as np

from engine.errors import UserError
from engine.parts.augmentation import histograms, pixels

OPERATIONS = (
    'identity',
    'shear_x',
    'shear_y',
    'translate_x',
    'translate_y',
    'rotate',
    'brightness',
    'color',
    'contrast',
    'sharpness',
    'posterize',
    'solarize',
    'auto_contrast',
    'equalize',
)


@dataclass(frozen=True)
class RandAugment:
    """Changes each image by random operations of one magnitude. Cubuk et al. 2019.

    Source: https://arxiv.org/abs/1909.13719. Operations, ranges and signs are those of torchvision. Pixels
    are computed as in Pillow. With m = magnitude / max_magnitude, and a random sign where there is ±:

        identity, auto_contrast, equalize     no strength
        shear_x, shear_y                      ± 0.3 m pixels for each pixel
        translate_x, translate_y              ± 150 / 331 m of the width or height
        rotate                                ± 30 m degrees
        brightness, color,
        contrast, sharpness                   factor 1 ± 0.9 m
        posterize                             keeps 8 - 4 m bits
        solarize                              inverts values from 255 (1 - m) on

    Computing all 14 operations for each image would be slow. Instead, each image passes one resampling, one
    table of values and one blend. The drawn operation is one of them, and the others are the identity.

    >>> images = jnp.full((4, 8, 8, 3), 100, jnp.uint8)
    >>> augmented = RandAugment(operations=2, magnitude=9)(jax.random.split(jax.random.key(0), 4), images)
    >>> augmented.shape, augmented.dtype.name
    ((4, 8, 8, 3), 'uint8')

    Args:
      operations: number of operations for each image. One may be drawn twice.
      magnitude: strength of the operations, 0 to `max_magnitude`.
      max_magnitude: the magnitude at the end of all ranges: 30 as in torchvision; 10 in AutoAugment's scale.
      fill: value of pixels from outside the image, 0 to 255.
    """

    changes_values: ClassVar[bool] = True

    operations: int = 2
    magnitude: float = 9
    max_magnitude: float = 30
    fill: int = 0

    def __post_init__(self) -> None:
        """Checks the numbers."""
        limit = self.max_magnitude
        self._check('operations', self.operations >= 1, 'give a number of at least 1')
        self._check('max_magnitude', 0 < limit < np.inf, 'give a number above 0')
        self._check('magnitude', 0 <= self.magnitude <= limit, f'give a number from 0 to {limit}')
        self._check('fill', 0 <= self.fill <= 255, 'give a value from 0 to 255')

    def _check(self, name: str, is_valid: bool, rule: str) -> None:
        if not is_valid:
            raise UserError(f'RandAugment.{name} = {getattr(self, name)}: {rule}.')

    def __call__(self, keys: jax.Array, images: jax.Array) -> jax.Array:
        """Returns the changed images, uint8 [B, H, W, C], for keys [B].

        Args:
          keys: [B].
          images: uint8 [B, H, W, C], with 1 or 3 channels.

        Raises:
          UserError: the images have another dtype or number of channels.
        """
        pixels.check_images('RandAugment', images, ('uint8',))
        choices = jax.vmap(self.draw)(keys)
        for index in range(self.operations):
            images = jax.vmap(self.operate)(images, choices[:, index])
        return images

    def draw(self, key: jax.Array) -> jax.Array:
        """Returns the operations of an image, int32 [operations].

        2 n is `OPERATIONS[n]`, and 2 n + 1 is the same with the sign -.
        """
        return jax.random.randint(key, (self.operations,), 0, 2 * len(OPERATIONS))

    def operate(self, image: jax.Array, choice: jax.Array) -> jax.Array:
        """Returns an image, uint8 [H, W, C], after an operation that `draw` returns, int32 []."""
        strength, number = self.magnitude / self.max_magnitude, choice // 2
        image = _resampled(image, _matrices(strength, *image.shape[:2])[choice], self.fill)
        factor = jnp.where(choice % 2 == 0, 1 + 0.9 * strength, 1 - 0.9 * strength)
        image = _mapped(image, number, strength, factor)
        return _blended(image, number, factor)


def _matrices(strength: float, height: int, width: int) -> jax.Array:
    """Returns the maps from (x, y, 1) of a new pixel to (x, y) of an old one, f32 [operations * 2, 2, 3].

    Those of an operation come with the signs + and -. Coordinates are those of a pixel's centre.
    """
    matrices = []
    for name in OPERATIONS:
        for amount in (strength, -strength):
            matrix = np.eye(2, 3)
            if name in ('shear_x', 'shear_y'):
                matrix['xy'.index(name[-1]), 'yx'.index(name[-1])] = 0.3 * amount
            if name in ('translate_x', 'translate_y'):
                axis = 'xy'.index(name[-1])
                matrix[axis, 2] = int(150 / 331 * (width, height)[axis] * amount)
            if name == 'rotate':
                angle, centre = np.deg2rad(30 * amount), np.array([width, height]) / 2
                matrix[:, :2] = [[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]]
                matrix[:, 2] = centre - matrix[:, :2] @ centre
            matrices.append(matrix)
    return jnp.asarray(np.stack(matrices), jnp.float32)


def _resampled(image: jax.Array, matrix: jax.Array, fill: int) -> jax.Array:
    """Returns the image whose pixels are the nearest ones at mapped coordinates, uint8 [H, W, C]."""
    height, width = image.shape[:2]
    x, y = (jnp.arange(size, dtype=jnp.float32) + 0.5 for size in (width, height))
    column, row = (jnp.floor(a * x[None] + b * y[:, None] + c).astype(int) for a, b, c in matrix)
    is_inside = (row >= 0) & (row < height) & (column >= 0) & (column < width)
    places = jnp.clip(row, 0, height - 1) * width + jnp.clip(column, 0, width - 1)
    old = image.reshape(height * width, -1)[places.ravel()].reshape(image.shape)
    return jnp.where(is_inside[..., None], old, jnp.uint8(fill))


def _mapped(image: jax.Array, number: jax.Array, strength: float, factor: jax.Array) -> jax.Array:
    """Returns the image after the operations that map each value of a channel to another one."""
    values, fractions = jnp.arange(256), jnp.arange(256, dtype=jnp.float32)
    solarized = jnp.where(fractions >= 255 * (1 - strength), 255 - values, values)
    tables = {
        'brightness': pixels.blend(jnp.float32(0), fractions, factor, 255).astype(int),
        'contrast': pixels.blend(histograms.mean_grey(image), fractions, factor, 255).astype(int),
        'posterize': values & 256 - 2 ** round(4 * strength),
        'solarize': solarized,
        'auto_contrast': histograms.stretched(image),
        'equalize': histograms.equalized(image),
    }
    shape = (image.shape[-1], 256)
    names = [number == OPERATIONS.index(name) for name in tables]
    choices = [jnp.broadcast_to(table, shape) for table in tables.values()]
    table = jnp.select(names, choices, jnp.broadcast_to(values, shape)).astype(jnp.uint8)
    return jnp.stack([table[channel][image[..., channel]] for channel in range(image.shape[-1])], -1)


def _blended(image: jax.Array, number: jax.Array, factor: jax.Array) -> jax.Array:
    """Returns the image after the operations that blend it with its grey or with its smoothed values."""
    is_color, is_sharpness = (number == OPERATIONS.index(name) for name in ('color', 'sharpness'))
    smoothed = _smoothed(image.astype(jnp.int32))
    other = jnp.where(is_color, histograms.grey(image), smoothed).astype(jnp.float32)
    changed = pixels.blend(other, image.astype(jnp.float32), factor, 255).astype(jnp.uint8)
    return jnp.where(is_color | is_sharpness, changed, image)


def _smoothed(image: jax.Array) -> jax.Array:
    """Returns the means of 3x3 pixels, the middle one with weight 5, int32 [H, W, C]. The border stays."""
    height, width = image.shape[:2]
    if min(height, width) < 3:
        return image
    rows = image[:-2] + image[1:-1] + image[2:]
    sums = rows[:, :-2] + rows[:, 1:-1] + rows[:, 2:] + 4 * image[1:-1, 1:-1]
    return image.at[1:-1, 1:-1].set((2 * sums + 13) // 26)
