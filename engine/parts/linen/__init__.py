"""Flax Linen modules as models: for every task that takes an NNX model."""

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
from flax import nnx

from engine.errors import UserError, did_you_mean
from engine.modes import IN_EVALUATION
from engine.parts.linen.model import LinenModel

__all__ = ['Linen', 'LinenModel']

LENGTH = 'length'
INPUTS = 'input_shape', LENGTH  # what a task may state of the input; Linen modules infer it from there
_NOT_FIELDS = {'parent', 'name', 'self'}


@dataclass(frozen=True, kw_only=True)
class Linen:
    """Makes models of a Flax Linen module. A task calls an instance like a class of NNX models.

    A config binds `model = @linen.Linen()` and `linen.Linen.module = @my_models.ConvNet`. What the task
    states, such as `outputs`, becomes the module's field of that name. The module learns whether it trains by
    an argument of its methods, or by a field: `train`, `training`, `is_training`, `is_train`,
    `enable_dropout`, `deterministic`, `inference` or `use_running_average`. A module without modes needs
    none. What a module sows is dropped: return it instead.

    >>> class Classifier(nn.Module):
    ...     num_classes: int
    ...
    ...     @nn.compact
    ...     def __call__(self, x, train):
    ...         x = nn.Dropout(0.5, deterministic=not train)(x)
    ...         return nn.Dense(self.num_classes)(x)
    >>> make = Linen(module=Classifier, names={'outputs': 'num_classes'})
    >>> make(input_shape=(4,), outputs=3, rngs=nnx.Rngs(0))(jnp.ones((2, 4))).shape
    (2, 3)

    Args:
      module: class of the Linen module, not called.
      names: names of the module's fields by the names that the task uses, where they differ.
      streams: random streams that the module may ask for, besides 'params'.
      input: what the task states that is the shape of the input, such as 'latent_dim' for the generator of a
        GAN. By default it is `input_shape`, or the `length` of int32 tokens.
    """

    module: Callable[..., nn.Module]
    names: Mapping[str, str] = field(default_factory=dict)
    streams: tuple[str, ...] = ('dropout',)
    input: str = ''

    def __post_init__(self) -> None:
        if isinstance(self.module, nn.Module):
            name = type(self.module).__name__
            raise UserError(f'Linen.module is a {name}, but must be its class: leave out () after {name}.')

    def __call__(self, *, rngs: nnx.Rngs, **stated: Any) -> LinenModel:
        """Returns the model.

        Args:
          rngs: random streams of the first parameters and of training.
          **stated: what the task states of the dataset. The shape of one example's input is a tuple, a number
            or a dict of such; an input that is not float32 comes as a `jax.ShapeDtypeStruct`.

        Raises:
          UserError: the module lacks a field for something that the task states.
        """
        module = self.module(**self._fields(stated))
        if not isinstance(module, nn.Module):
            raise UserError(f'Linen.module made a {type(module).__name__}, but must make a Linen module.')
        return LinenModel(module, self._example(stated), streams=self.streams, rngs=rngs)

    def _fields(self, stated: Mapping[str, Any]) -> dict[str, Any]:
        """Returns the values of the module's fields that the task states."""
        known = _parameters(self.module)
        unknown = next((name for name in self.names if name not in stated), None)
        if unknown is not None:
            raise UserError(f'Linen.names: the task states no {unknown!r}. {did_you_mean(unknown, stated)}')
        values = {self.names.get(name, name): (name, value) for name, value in stated.items()}
        for parameter, (name, value) in values.items():
            if parameter not in known and (name in self.names or name not in (self.input, *INPUTS)):
                raise UserError(self._missing_field(parameter, name, value, known))
        # A mode that is a field without a default; each call sets it.
        modes = {name: IN_EVALUATION[name] for name in known.keys() & IN_EVALUATION.keys() if known[name]}
        return modes | {name: value for name, (_, value) in values.items() if name in known}

    def _example(self, stated: Mapping[str, Any]) -> Any:
        """Returns an input of one example, from which the module infers the shapes of its parameters."""
        if self.input and self.input not in stated:
            raise UserError(
                f'Linen.input: the task states no {self.input!r}. {did_you_mean(self.input, stated)}'
            )
        source = self.input or next((name for name in INPUTS if name in stated), '')
        if not source:
            raise UserError(
                'A Linen module needs an input to build its parameters, and this task states neither '
                f'{" nor ".join(INPUTS)}. Bind Linen.input to what states the shape, one of: '
                f'{", ".join(stated)}.'
            )
        if source == LENGTH:
            return jnp.zeros((1, stated[source]), jnp.int32)
        return jax.tree.map(_zeros, stated[source], is_leaf=lambda shape: not isinstance(shape, Mapping))

    def _missing_field(self, parameter: str, name: str, value: Any, known: Mapping[str, bool]) -> str:
        fields = known.keys() - IN_EVALUATION.keys()
        made = getattr(self.module, 'func', self.module)  # of a partial
        return (
            f"{made.__name__} has no field {parameter!r} for the task's {name} = {value!r}. "
            f"{did_you_mean(parameter, fields)} Bind Linen.names = {{{name!r}: '<field>'}}."
        )


def _parameters(make: Callable[..., nn.Module]) -> dict[str, bool]:
    """Returns whether each parameter of a module's class, or of a function that makes one, must be given."""
    function = make.__init__ if inspect.isclass(make) else make
    parameters = inspect.signature(function).parameters.values()
    return {each.name: each.default is each.empty for each in parameters if each.name not in _NOT_FIELDS}


def _zeros(shape: Any) -> jax.Array:
    """Returns one example for a shape of float32, a number of features or a `ShapeDtypeStruct`."""
    sizes = (shape,) if isinstance(shape, int) else getattr(shape, 'shape', shape)
    return jnp.zeros((1, *sizes), getattr(shape, 'dtype', jnp.float32))
