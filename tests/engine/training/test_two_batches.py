"""Two batches at once give the same training on one device and on several, in every way to work."""

from functools import cache
from typing import Any

import jax
import numpy as np
import optax
import pytest

from engine.sharding import Jit, Parallelism, PMap
from tests.engine.training.two_batches import trained


def line_search(learning_rate: Any) -> optax.GradientTransformation:
    """Returns an optimizer that asks for the loss at other parameters."""
    return optax.chain(optax.scale_by_learning_rate(learning_rate), optax.scale_by_backtracking_linesearch(5))


SETTINGS: dict[str, dict[str, Any]] = {
    'plain': {},
    'accumulated': {'accumulation_steps': 2},
    'averaged': {'ema_decay': 0.9, 'optimizer': optax.adamw},
    'line search': {'optimizer': line_search},
}


@cache
def on_one_device(setting: str) -> Any:
    return trained(Jit(data=1), **SETTINGS[setting])


DEFAULT = ('accumulated', PMap(), 1)
WAYS = [(Jit(data=2), 1), (Jit(data=1, fsdp=2), 3), (PMap(), 1)]
OTHERS = [(setting, *way) for setting in SETTINGS for way in WAYS if (setting, *way) != DEFAULT]


@pytest.mark.parametrize(
    ('setting', 'parallelism', 'count'),
    [DEFAULT, *(pytest.param(*each, marks=pytest.mark.slow) for each in OTHERS)],
)
def test_all_devices_train_alike(setting: str, parallelism: Parallelism, count: int) -> None:
    actual = trained(parallelism, count, **SETTINGS[setting])
    jax.tree.map(
        lambda one, two: np.testing.assert_allclose(one, two, rtol=1e-4, atol=1e-5),
        on_one_device(setting),
        actual,
    )


def test_accumulation_is_the_whole_batch() -> None:
    """Rows that belong together stay together: the entropy of each example is that of its own rows."""
    one, two = on_one_device('plain'), on_one_device('accumulated')
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5), one, two)
