"""Classes and functions that the tests of configs bind; some have the bugs that researchers make."""

import dataclasses
import enum
import subprocess  # noqa: F401 (a config must not reach it through this module)
import sys
from collections import OrderedDict  # noqa: F401 (a config may bind a class through this module)
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np
from flax import nnx

from engine.parts.classification import Classification
from engine.training.observers.observer import Observer


@dataclasses.dataclass(frozen=True)
class Leaf:
    size: int = 0
    name: str = ''


@dataclasses.dataclass(frozen=True)
class Pair:
    first: Leaf
    second: Leaf


class Mode(enum.Enum):
    FAST = 1
    EXACT = 2


class Point(NamedTuple):
    x: float
    y: float = 0.0


@dataclasses.dataclass(frozen=True)
class Values:
    """Takes what configs find hard to hold."""

    mode: Mode = Mode.FAST
    dtype: Any = jnp.float32
    number: float = 1.0
    leaves: Sequence[Leaf] = ()
    by_name: dict[str, Leaf] = dataclasses.field(default_factory=dict)
    point: Point | None = None
    schedule: float | Callable[[Any], Any] = 1.0
    any: Any = None


class Flexible:
    """Takes any parameter by name."""

    def __init__(self, **options: Any):
        self.options = options


def by_position(*values: Any) -> tuple[Any, ...]:
    """Takes values by position alone."""
    return values


# Models with bugs.


class Model(nnx.Module):
    """A linear model without a bug."""

    def __init__(self, input_shape: tuple[int, ...], outputs: int, *, rngs: nnx.Rngs, **options: Any):
        self.linear = nnx.Linear(int(np.prod(input_shape)), outputs, rngs=rngs, **options)

    def __call__(self, x: Any) -> Any:
        return self.linear(x.reshape(len(x), -1).astype(float))


class WithoutRngs(nnx.Module):
    def __init__(self, input_shape: tuple[int, ...], outputs: int, *, rngs: nnx.Rngs):
        self.linear = nnx.Linear(64, outputs)  # type: ignore[call-arg]


class WrongKey(nnx.Module):
    def __init__(self, input_shape: tuple[int, ...], outputs: int, *, rngs: nnx.Rngs):
        self.width = {'narrow': 1}['wide']


class WrongAttribute(Model):
    def __call__(self, x: Any) -> Any:
        return self.liner(x)  # type: ignore[attr-defined]


class WrongShape(Model):
    def __call__(self, x: Any) -> Any:
        return self.linear(x.astype(float)[:, :3])


class WrongArguments(nnx.Module):
    def __init__(self, shape: tuple[int, ...], *, rngs: nnx.Rngs):
        self.shape = shape


class MissingArgument(Model):
    def __init__(self, input_shape: tuple[int, ...], outputs: int, width: int, *, rngs: nnx.Rngs):
        super().__init__(input_shape, outputs, rngs=rngs)


def failing_schedule(step: Any) -> Any:
    return step['step']


def failing_optimizer(learning_rate: Any) -> Any:
    raise RuntimeError('no such optimizer')


def untyped_schedule(value=0.1):
    return lambda step: value


@dataclasses.dataclass(frozen=True)
class Nested:
    inner: Any = None


class WrongTask(Classification):
    def per_example(self, output: Any, batch: Any) -> Any:
        raise TypeError('f() missing 1 required positional argument')


class Exiting(nnx.Module):
    def __init__(self, input_shape: tuple[int, ...], outputs: int, *, rngs: nnx.Rngs):
        sys.exit()


class Recursive(nnx.Module):
    def __init__(self, input_shape: tuple[int, ...], outputs: int, *, rngs: nnx.Rngs):
        self.inner = Recursive(input_shape, outputs, rngs=rngs)


class FailingObserver(Observer):
    def on_steps(self, first: int, metrics: Any) -> None:
        metrics['nothing']
