"""Each loss against its formula, one logit at a time; the gradient penalty against finite differences."""

from math import exp, log
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from research.tasks.adversarial import (
    AdversarialLoss,
    Hinge,
    LeastSquares,
    NonSaturating,
    Wasserstein,
    gradient_penalty,
)

RANDOM = np.random.default_rng(0)
REAL, FAKE = (RANDOM.normal(scale=2, size=20).astype(np.float32) for _ in range(2))


def probability(logit: float) -> float:
    return 1 / (1 + exp(-logit))


FORMULAS: dict[Any, Any] = {
    NonSaturating: (
        lambda real, fake: -log(probability(real)) - log(1 - probability(fake)),
        lambda fake: -log(probability(fake)),
    ),
    Hinge: (lambda real, fake: max(0, 1 - real) + max(0, 1 + fake), lambda fake: -fake),
    LeastSquares: (lambda real, fake: ((real - 1) ** 2 + fake**2) / 2, lambda fake: (fake - 1) ** 2 / 2),
    Wasserstein: (lambda real, fake: fake - real, lambda fake: -fake),
}


@pytest.mark.parametrize('loss', FORMULAS)
def test_losses_of_each_example(loss: Any) -> None:
    of_discriminator, of_generator = FORMULAS[loss]
    real, fake = jnp.asarray(REAL), jnp.asarray(FAKE)
    expected = [of_discriminator(float(r), float(f)) for r, f in zip(REAL, FAKE, strict=True)]
    np.testing.assert_allclose(loss().discriminator(real, fake), expected, rtol=1e-5, atol=1e-6)
    expected = [of_generator(float(f)) for f in FAKE]
    np.testing.assert_allclose(loss().generator(fake), expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize('loss', FORMULAS)
def test_what_the_two_want(loss: Any) -> None:
    """The discriminator high logits for real images and low ones for generated; the generator high ones."""
    ones = jnp.linspace(-0.9, 0.9, 5)
    real = jax.grad(lambda real: loss().discriminator(real, ones).sum())(ones)
    fake = jax.grad(lambda fake: loss().discriminator(ones, fake).sum())(ones + 1)
    assert real.max() < 0 < fake.min()
    assert jax.grad(lambda fake: loss().generator(fake).sum())(ones).max() < 0


def test_only_wasserstein_has_a_penalty_unless_it_is_asked_for() -> None:
    assert {loss: loss().gradient_penalty for loss in FORMULAS} == {
        NonSaturating: 0,
        Hinge: 0,
        LeastSquares: 0,
        Wasserstein: 10,
    }
    assert issubclass(Hinge, AdversarialLoss)
    assert Hinge(gradient_penalty=2.0).gradient_penalty == 2


def test_the_gradient_penalty_by_finite_differences() -> None:
    weights: Any = RANDOM.normal(size=(3, 2, 1)).astype(np.float32)
    real, fake = (RANDOM.normal(size=(4, 3, 2, 1)).astype(np.float32) for _ in range(2))
    shares = np.array([0, 0.3, 0.7, 1], np.float32)

    def logits(images: Any) -> Any:
        return jnp.square(images * weights[None]).sum((1, 2, 3)) / 2

    result = gradient_penalty(logits, jnp.asarray(real), jnp.asarray(fake), jnp.asarray(shares))
    for index, share in enumerate(shares):
        mixed = (1 - share) * real[index] + share * fake[index]
        slopes = []
        for place in np.ndindex(mixed.shape):
            step = np.zeros_like(mixed)
            step[place] = 0.01
            sides = logits(jnp.asarray(np.stack([mixed + step, mixed - step])))
            slopes.append(float(sides[0] - sides[1]) / 0.02)
        assert result[index] == pytest.approx((np.linalg.norm(slopes) - 1) ** 2, rel=1e-2)


def test_the_gradient_of_the_penalty_is_finite_where_the_slope_is_zero() -> None:
    images = jnp.zeros((2, 1, 1, 1))

    def penalty(weight: Any) -> Any:
        return gradient_penalty(
            lambda x: weight * x[:, 0, 0, 0], images, images, jnp.asarray([0.5, 0.5])
        ).sum()

    assert np.isfinite(jax.grad(penalty)(0.0))
