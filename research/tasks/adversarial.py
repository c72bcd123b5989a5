"""Losses of GANs: functions of the discriminator's logits.

As Lucic et al. 2018 collect them, https://arxiv.org/abs/1711.10337 (compare_gan).
"""

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass

import jax
import jax.numpy as jnp


@dataclass(frozen=True)
class AdversarialLoss(ABC):
    """Losses of discriminator and generator, for logits f32 [B] of real and of generated images.

    Args:
      gradient_penalty: weight of `gradient_penalty` in the discriminator's loss, the papers' lambda; 0 leaves
        it out.
    """

    gradient_penalty: float = 0.0

    @abstractmethod
    def discriminator(self, real: jax.Array, fake: jax.Array) -> jax.Array:
        """Returns the discriminator's loss of each pair, f32 [B], for logits f32 [B]."""

    @abstractmethod
    def generator(self, fake: jax.Array) -> jax.Array:
        """Returns the generator's loss of each generated image, f32 [B], for logits f32 [B]."""


@dataclass(frozen=True)
class NonSaturating(AdversarialLoss):
    """Cross-entropy of real against generated: Goodfellow et al. 2014, https://arxiv.org/abs/1406.2661.

    >>> print(NonSaturating().discriminator(real=jnp.array([0.0, 9.0]), fake=jnp.array([0.0, -9.0])).round(2))
    [1.39 0.  ]
    """

    def discriminator(self, real: jax.Array, fake: jax.Array) -> jax.Array:
        """Returns -log D(real) - log(1 - D(fake)), f32 [B]."""
        return jax.nn.softplus(-real) + jax.nn.softplus(fake)

    def generator(self, fake: jax.Array) -> jax.Array:
        """Returns -log D(fake), f32 [B]."""
        return jax.nn.softplus(-fake)


@dataclass(frozen=True)
class Hinge(AdversarialLoss):
    """Hinge loss: Lim and Ye 2017, https://arxiv.org/abs/1705.02894.

    >>> print(Hinge().discriminator(real=jnp.array([0.0, 2.0]), fake=jnp.array([0.0, -2.0])))
    [2. 0.]
    """

    def discriminator(self, real: jax.Array, fake: jax.Array) -> jax.Array:
        """Returns max(0, 1 - real) + max(0, 1 + fake), f32 [B]."""
        return jax.nn.relu(1 - real) + jax.nn.relu(1 + fake)

    def generator(self, fake: jax.Array) -> jax.Array:
        """Returns -fake, f32 [B]."""
        return -fake


@dataclass(frozen=True)
class LeastSquares(AdversarialLoss):
    """Squared distance of the logits to 1 (real) and 0 (generated): Mao et al. 2017, https://arxiv.org/abs/1611.04076.

    >>> print(LeastSquares().discriminator(real=jnp.array([0.0, 1.0]), fake=jnp.array([1.0, 0.0])))
    [1. 0.]
    """

    def discriminator(self, real: jax.Array, fake: jax.Array) -> jax.Array:
        """Returns half of (real - 1)^2 + fake^2, f32 [B]."""
        return (jnp.square(real - 1) + jnp.square(fake)) / 2

    def generator(self, fake: jax.Array) -> jax.Array:
        """Returns half of (fake - 1)^2, f32 [B]."""
        return jnp.square(fake - 1) / 2


@dataclass(frozen=True)
class Wasserstein(AdversarialLoss):
    """Wasserstein loss with gradient penalty: Gulrajani et al. 2017, https://arxiv.org/abs/1704.00028.

    >>> print(Wasserstein().discriminator(real=jnp.array([1.0]), fake=jnp.array([-1.0])))
    [-2.]
    """

    gradient_penalty: float = 10.0

    def discriminator(self, real: jax.Array, fake: jax.Array) -> jax.Array:
        """Returns fake - real, f32 [B]."""
        return fake - real

    def generator(self, fake: jax.Array) -> jax.Array:
        """Returns -fake, f32 [B]."""
        return -fake


def gradient_penalty(
    discriminator: Callable[[jax.Array], jax.Array], real: jax.Array, fake: jax.Array, shares: jax.Array
) -> jax.Array:
    """Returns the gradient penalty of each pair of a real and a generated image.

    >>> def logits(images):
    ...     return 3 * images[:, 0, 0, 0]
    >>> print(gradient_penalty(logits, jnp.zeros((2, 4, 4, 1)), jnp.ones((2, 4, 4, 1)), jnp.full(2, 0.5)))
    [4. 4.]

    Args:
      discriminator: images f32 [B, H, W, C] -> logits f32 [B], each a function of its own image alone.
      real: real images, f32 [B, H, W, C].
      fake: generated images, f32 [B, H, W, C].
      shares: share of the generated image in each mixture, between 0 and 1, f32 [B].

    Returns:
      (norm of the gradient of the logit - 1)^2 at the mixture of each pair, f32 [B].
    """
    mixed = real + shares[:, None, None, None] * (fake - real)
    slopes = jax.grad(lambda images: discriminator(images).sum())(mixed)
    # The small number keeps the derivative of the square root finite where the gradient is 0.
    return jnp.square(jnp.sqrt(jnp.square(slopes).sum((1, 2, 3)) + 1e-12) - 1)
