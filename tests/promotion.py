"""Exempts Optax, Flax and JAX's attention from strict dtype promotion.

Optax's schedules and Adam multiply integers by floats; Flax's average pooling divides floats by an integer.
Normalisations and attention compute bfloat16 in float32, and algorithms of products promote when lowered.
"""

import inspect
from collections.abc import Callable
from functools import wraps
from typing import Any

import jax
import optax
from flax import nnx


def _lenient(function: Callable[..., Any]) -> Callable[..., Any]:
    """Returns the function, run under JAX's standard promotion."""

    @wraps(function)
    def run(*args: Any, **kwargs: Any) -> Any:
        __tracebackhide__ = True  # the code under test is at fault, not this
        with jax.numpy_dtype_promotion('standard'):
            return function(*args, **kwargs)

    return run


def _makes_lenient(factory: Callable[..., Any]) -> Callable[..., Any]:
    """Returns a maker of schedules as a maker of lenient ones. Gin sees the same name and signature."""

    @wraps(factory)
    def make(*args: Any, **kwargs: Any) -> Any:
        __tracebackhide__ = True
        return _lenient(factory(*args, **kwargs))

    make.__signature__ = inspect.signature(factory)  # type: ignore[attr-defined]
    return make


def exempt_libraries() -> None:
    """Runs optimizers and schedules of Optax, and what computes in float32, under standard promotion."""
    nnx.avg_pool = _lenient(nnx.avg_pool)
    jax.nn.dot_product_attention = _lenient(jax.nn.dot_product_attention)
    algorithms: Any = jax.lax.DotAlgorithmPreset
    algorithms.supported_output_types = _lenient(algorithms.supported_output_types)
    for layer in (nnx.BatchNorm, nnx.LayerNorm):
        layer.__call__ = _lenient(layer.__call__)
    for kind in (optax.GradientTransformation, optax.GradientTransformationExtraArgs):
        new = kind.__new__
        kind.__new__ = lambda cls, init, update, new=new: new(cls, init, _lenient(update))  # type: ignore
    for name, function in list(vars(optax).items()):
        if name.endswith('_schedule'):
            setattr(optax, name, _makes_lenient(function))
