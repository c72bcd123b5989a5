"""The devices that programs are compiled for.

These are JAX's devices, unless others are described: XLA compiles for devices that are not there.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import jax

_described: list[Sequence[Any]] = []  # the innermost last


def devices() -> Sequence[Any]:
    """Returns the devices that programs are compiled for."""
    return _described[-1] if _described else jax.devices()


def platform() -> str:
    """Returns the kind of these devices: 'cpu', 'gpu' or 'tpu'."""
    return _described[-1][0].platform if _described else jax.default_backend()


@contextmanager
def described(devices: Sequence[Any]) -> Iterator[None]:
    """Has programs inside compiled for devices that need not be there, such as those of a topology."""
    _described.append(devices)
    try:
        yield
    finally:
        _described.pop()
