"""The type of an augmentation, and a chain of several."""

from collections.abc import Callable
from dataclasses import dataclass

import jax

from engine.parts.scaling import same_dtype

Augmentation = Callable[[jax.Array, jax.Array], jax.Array]  # (keys [B], images [B, H, W, C]) -> images


def changes_values(augment: Augmentation | None) -> bool:
    """Whether an augmentation states that it changes the values of pixels, not only their positions."""
    return getattr(augment, 'changes_values', False)


def applied(augment: Augmentation | None, keys: jax.Array, images: jax.Array) -> jax.Array:
    """Returns the images [B, H, W, C] after an augmentation, for keys [B]; as they are without one.

    Raises:
      UserError: the augmentation returns another dtype.
    """
    return images if augment is None else same_dtype(images, augment(keys, images))


@dataclass(frozen=True)
class Chain:
    """Applies several augmentations in order. Each draws from its own keys.

    >>> from engine.parts.augmentation import Crop, Flip
    >>> augment = Chain((Crop(4), Flip()))
    >>> augment(jax.random.split(jax.random.key(0), 2), jax.numpy.ones((2, 32, 32, 3))).shape
    (2, 32, 32, 3)

    Args:
      augmentations: the augmentations, in their order.
    """

    augmentations: tuple[Augmentation, ...]

    @property
    def changes_values(self) -> bool:
        """Whether one of the augmentations changes the values of pixels."""
        return any(map(changes_values, self.augmentations))

    def __call__(self, keys: jax.Array, images: jax.Array) -> jax.Array:
        """Returns the images [B, H, W, C] after all augmentations, for keys [B]."""
        for index, augment in enumerate(self.augmentations):
            images = augment(jax.vmap(lambda key, index=index: jax.random.fold_in(key, index))(keys), images)
        return images
