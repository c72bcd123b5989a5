"""Classes and functions that the tests of configs bind; some have the bugs that researchers make."""

import dataclasses
import enum
import subprocess  # noqa: F401 (a config must not reach it through this module)
import sys
from collections import OrderedDict  # noqa: F401 (a config may bind a class through this module)
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, TypedDict

import jax.numpy as jnp
import numpy as np
import optax
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

    def __call__(self, *args: Any) -> Any:
        return self.inner


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
    def on_steps(self, steps: Any, metrics: Any) -> None:
        metrics['nothing']


# Optimizers.


class Rule(TypedDict, total=False):
    """What holds for some parameters."""

    weight_decay: float
    optimizer: Callable[..., optax.GradientTransformation]


@dataclasses.dataclass(frozen=True)
class ByPath:
    """Makes an optimizer from a learning rate, as a function does."""

    optimizer: Callable[..., optax.GradientTransformation] = optax.adamw
    rules: tuple[tuple[str, Rule], ...] = ()
    parts: Sequence[Callable[..., optax.GradientTransformation]] = ()

    def __call__(self, learning_rate: Any) -> optax.GradientTransformation:
        others = [rule['optimizer'](learning_rate) for _, rule in self.rules if 'optimizer' in rule]
        return optax.chain(*others, *(part() for part in self.parts), self.optimizer(learning_rate))


@dataclasses.dataclass(frozen=True)
class Learner:
    """Takes an optimizer as tasks do."""

    optimizer: Callable[..., optax.GradientTransformation]
    augment: Callable[[Any, Any], Any] | None = None


class Momentum:
    """An optimizer that is no named tuple, but has the two functions of one."""

    def __init__(self, learning_rate: float):
        self.init, self.update = optax.sgd(learning_rate, momentum=0.9)

    def init(self, params: Any) -> Any:
        raise AssertionError  # `__init__` sets it

    def update(self, *args: Any, **kwargs: Any) -> Any:
        raise AssertionError


def plain_optimizer(learning_rate: Any) -> tuple[Any, Any]:
    return optax.sgd(learning_rate)


def unannotated_optimizer(learning_rate):
    return optax.sgd(learning_rate)
