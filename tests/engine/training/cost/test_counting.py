"""Operations are counted late, or when somebody asks for them."""

import time

import jax
import jax.numpy as jnp
import pytest

from engine.training.cost import counting
from engine.training.cost.counting import Counting


def test_counting_begins_late_or_when_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """A start and a short training do not pay for it."""
    lowered = jax.jit(jnp.dot).lower(jnp.ones((2, 3)), jnp.ones((3, 5)))
    count = Counting(lowered)
    assert not count.done()
    assert not count.running()
    assert isinstance(count.exception(), counting.TooShort)
    assert (count.result().total, count.done()) == (60, True)
    monkeypatch.setattr(counting, 'DELAY_SECONDS', 0)
    late = Counting(lowered)
    for _ in range(1000):
        if late.done():
            break
        time.sleep(0.01)
    assert late.exception() is None
    assert late.result().total == 60


def test_what_cannot_be_counted_is_an_error_of_the_count(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(counting, 'DELAY_SECONDS', 0)
    count = Counting(None)  # type: ignore[arg-type]
    assert isinstance(count.exception(), AttributeError)
    with pytest.raises(AttributeError):
        count.result()
