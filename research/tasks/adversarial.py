"""What generator and discriminator minimise against each other: functions of the discriminator's logits.

As collected by Lucic et al. 2018, https://arxiv.org/abs/1711.10337 (compare_gan).
"""

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass

import jax
import jax.numpy as jnp


@dataclass(frozen=True)
class Loss(ABC):
    """Losses of each example, for logits f32 [B] of real and of generated images.

    Args:
      gradient_penalty: weight of `gradient_penalty` in the discriminator's loss.
    """

    gradient_penalty: float = 0.0

    @abstractmethod
    def discriminator(self, real: jax.Array, fake: jax.Array) -> jax.Array:
        """Returns what the discriminator minimises, f32 [B]."""

    @abstractmethod
    def generator(self, fake: jax.Array) -> jax.Array:
        """Returns what the generator minimises, f32 [B]."""


@dataclass(frozen=True)
class NonSaturating(Loss):
    """Cross-entropy of real against generated: Goodfellow et al. 2014, https://arxiv.org/abs/1406.2661."""

    def discriminator(self, real: jax.Array, fake: jax.Array) -> jax.Array:
        """Returns -log D(real) - log(1 - D(fake))."""
        return jax.nn.softplus(-real) + jax.nn.softplus(fake)

    def generator(self, fake: jax.Array) -> jax.Array:
        """Returns -log D(fake)."""
        return jax.nn.softplus(-fake)


@dataclass(frozen=True)
class Hinge(Loss):
    """Lim and Ye 2017, https://arxiv.org/abs/1705.02894."""

    def discriminator(self, real: jax.Array, fake: jax.Array) -> jax.Array:
        """Returns max(0, 1 - real) + max(0, 1 + fake)."""
        return jax.nn.relu(1 - real) + jax.nn.relu(1 + fake)

    def generator(self, fake: jax.Array) -> jax.Array:
        """Returns -fake."""
        return -fake


@dataclass(frozen=True)
class LeastSquares(Loss):
    """Real images are drawn to 1, generated ones to 0: Mao et al. 2017, https://arxiv.org/abs/1611.04076."""

    def discriminator(self, real: jax.Array, fake: jax.Array) -> jax.Array:
        """Returns half of (real - 1)^2 + fake^2."""
        return (jnp.square(real - 1) + jnp.square(fake)) / 2

    def generator(self, fake: jax.Array) -> jax.Array:
        """Returns half of (fake - 1)^2."""
        return jnp.square(fake - 1) / 2


@dataclass(frozen=True)
class Wasserstein(Loss):
    """With gradient penalty: Gulrajani et al. 2017, https://arxiv.org/abs/1704.00028."""

    gradient_penalty: float = 10.0

    def discriminator(self, real: jax.Array, fake: jax.Array) -> jax.Array:
        """Returns fake - real."""
        return fake - real

    def generator(self, fake: jax.Array) -> jax.Array:
        """Returns -fake."""
        return -fake


def gradient_penalty(
    discriminator: Callable[[jax.Array], jax.Array], real: jax.Array, fake: jax.Array, shares: jax.Array
) -> jax.Array:
    """Returns how far the slope of the logit is from 1 between real and generated images.

    Args:
      discriminator: images f32 [B, H, W, C] -> logits f32 [B], each of its own image alone.
      real: images f32 [B, H, W, C].
      fake: images f32 [B, H, W, C].
      shares: of the generated image in the mixture, between 0 and 1, f32 [B].

    Returns:
      (norm of the gradient - 1)^2 at the mixture of each pair, f32 [B].
    """
    mixed = real + shares[:, None, None, None] * (fake - real)
    slopes = jax.grad(lambda images: discriminator(images).sum())(mixed)
    # The small number keeps the gradient of the root finite where the slope is 0.
    return jnp.square(jnp.sqrt(jnp.square(slopes).sum((1, 2, 3)) + 1e-12) - 1)
