"""Losses of each example. Configs bind them, as `segmentation.Segmentation.loss = @losses.dice`."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
import optax

PixelLoss = Callable[
    [jax.Array, jax.Array], jax.Array
]  # (logits [B, H, W, K], masks int [B, H, W]) -> f32 [B]


def counts(masks: jax.Array, classes: int) -> jax.Array:
    """Returns which pixels count in losses and metrics, bool [B, H, W]: those whose label is a class.

    >>> counts(jnp.array([[[0, 255, 2]]]), 3).tolist()
    [[[True, False, True]]]
    """
    return (masks >= 0) & (masks < classes)


def cross_entropy(logits: jax.Array, masks: jax.Array) -> jax.Array:
    """Returns the cross-entropy of each image, in nats: the mean over its pixels.

    >>> logits, masks = jnp.zeros((2, 4, 4, 3)), jnp.zeros((2, 4, 4), int)
    >>> print(cross_entropy(logits, masks).round(2))  # ln(3), for three equally probable classes
    [1.1 1.1]

    Args:
      logits: unnormalised log-probabilities of the K classes, f32 [B, H, W, K].
      masks: the true class of each pixel, int [B, H, W]. Pixels with other labels do not count.

    Returns:
      The loss of each image, f32 [B].
    """
    # Not with integer labels: their gradient is a scatter, which XLA compiles and runs slowly. The loss of a
    # pixel that does not count is 0, because its one-hot vector is.
    losses = optax.softmax_cross_entropy(logits, jax.nn.one_hot(masks, logits.shape[-1])).mean((1, 2))
    counted = counts(masks, logits.shape[-1]).sum((1, 2), dtype=jnp.float32)
    return losses * (masks[0].size / jnp.maximum(counted, 1))


def dice(logits: jax.Array, masks: jax.Array) -> jax.Array:
    """Returns the Dice loss of each image: 1 minus the soft Dice coefficient, averaged over the classes.

    Small classes weigh as much as large ones, unlike in cross-entropy. One pixel is added to each area, so
    that a class that is neither present nor predicted has a loss of 0.

    >>> masks = jnp.zeros((1, 4, 4), int).at[:, :2].set(1)
    >>> right = 100 * jax.nn.one_hot(masks, 2)
    >>> dice(right, masks).tolist()
    [0.0]

    Source: Milletari et al. 2016, https://arxiv.org/abs/1606.04797.

    Args:
      logits: unnormalised log-probabilities of the K classes, f32 [B, H, W, K].
      masks: the true class of each pixel, int [B, H, W]. Pixels with other labels do not count.

    Returns:
      The loss of each image, f32 [B], between 0 and 1.
    """
    probabilities, targets = jax.nn.softmax(logits), jax.nn.one_hot(masks, logits.shape[-1])
    probabilities *= counts(masks, logits.shape[-1])[..., None].astype(probabilities.dtype)
    intersections = jnp.sum(probabilities * targets, (1, 2))
    areas = probabilities.sum((1, 2)) + targets.sum((1, 2))
    return 1 - ((2 * intersections + 1) / (areas + 1)).mean(-1)


def cross_entropy_and_dice(logits: jax.Array, masks: jax.Array) -> jax.Array:
    """Returns the sum of `cross_entropy` and `dice` of each image, f32 [B].

    >>> masks = jnp.zeros((1, 4, 4), int).at[:, :2].set(1)
    >>> cross_entropy_and_dice(100 * jax.nn.one_hot(masks, 2), masks).tolist()
    [0.0]

    Args:
      logits: unnormalised log-probabilities of the K classes, f32 [B, H, W, K].
      masks: the true class of each pixel, int [B, H, W]. Pixels with other labels do not count.
    """
    return cross_entropy(logits, masks) + dice(logits, masks)
