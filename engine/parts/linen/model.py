"""A Linen module as an NNX module: its variables are NNX variables, and NNX sets its mode."""

from functools import partial, reduce
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
from flax import nnx
from flax.core import meta

from engine.parts.linen import calls
from engine.parts.linen.layout import PARAMS, Layout, Path

STREAM = '_stream'  # of random keys, where a module draws random numbers


class LinenVariables(nnx.Module):
    """The variables of a Linen module, and those of its modules. NNX's `train` and `eval` set its mode."""

    def __init__(self) -> None:
        self.deterministic = False

    def inner(self, name: str) -> 'LinenVariables':
        """Returns those of a module inside; they are new if it has none yet."""
        if name not in vars(self):
            setattr(self, name, LinenVariables())
        return getattr(self, name)

    def nearest(self, path: Path) -> 'LinenVariables':
        """Returns those of the module at a path, or of the nearest module around it that has variables."""
        following = vars(self).get(path[0]) if path else None
        return following.nearest(path[1:]) if isinstance(following, LinenVariables) else self


class LinenModel(LinenVariables):
    """A Linen module as an NNX module, alone or in an NNX model of your own.

    Each method of the Linen module is one of the model, with one argument. The parameters have the names that
    Linen gives them, such as `Dense_0/kernel`. Batch statistics are named like `BatchNorm_0/mean`. A part in
    evaluation mode, such as a frozen one, stays in this mode although the module around it trains.

    >>> model = LinenModel(nn.Dense(3), jnp.zeros((1, 4)), rngs=nnx.Rngs(0))
    >>> model(jnp.ones((2, 4))).shape
    (2, 3)

    Args:
      module: the Linen module.
      example: an input, from which Linen infers the shapes of the variables.
      streams: random streams that the module may ask for, besides 'params'.
      rngs: random streams of the first parameters and of training.
    """

    def __init__(
        self, module: nn.Module, example: Any, *, streams: tuple[str, ...] = ('dropout',), rngs: nnx.Rngs
    ):
        super().__init__()
        self._calls, self._streams = calls.LinenCalls(module), (PARAMS, *streams)
        keys = {name: rngs[name]() for name in self._streams}
        variables = meta.unbox(self._calls.init(example, keys))
        survey = self._calls.survey(variables, example, keys)
        variables = {name: tree for name, tree in variables.items() if name not in survey.sown}
        self._layout = Layout(variables)
        places = zip(self._layout.paths, self._layout.collections, self._layout.flat(variables), strict=True)
        for (*modules, name), collection, value in places:
            variable = (nnx.Param if collection == PARAMS else nnx.Variable)(jnp.asarray(value))
            setattr(reduce(LinenVariables.inner, modules, self), name, variable)
        for path in survey.random:
            setattr(self.nearest(path), STREAM, rngs[PARAMS].fork())

    def __call__(self, x: Any) -> Any:
        """Returns the module's output for an input, an array [B, ...] or a dict of them."""
        return self._call('__call__', x)

    def __getattr__(self, name: str) -> Any:
        """Returns a method of the Linen module."""
        if name in _methods(vars(self).get('_calls')):
            return partial(self._call, name)
        raise AttributeError(f'{type(self).__name__!r} object has no attribute {name!r}')

    def __dir__(self) -> list[str]:
        return [*super().__dir__(), *_methods(self._calls)]

    def _call(self, method: str, x: Any) -> Any:
        variables = self._layout.nested([variable.get_value() for variable in self._variables()])
        if self.deterministic:
            return self._calls.evaluate(method, variables, x, self._keys() or self._split(jax.random.key(0)))
        output, variables = self._calls.train(method, variables, x, self._keys(), self._is_frozen)
        for variable, value in zip(self._variables(), self._layout.flat(variables), strict=True):
            if not isinstance(variable, nnx.Param):
                variable.set_value(value)
        return output

    def _variables(self) -> list[nnx.Variable]:
        """Returns all variables, in the order of the layout."""
        return [reduce(getattr, path, self) for path in self._layout.paths]  # type: ignore[return-value]

    def _is_frozen(self, path: Path) -> bool:
        return self.nearest(path).deterministic

    def _keys(self) -> dict[str, jax.Array]:
        """Returns a random key for each stream of Linen; {} if the module draws no random numbers."""
        streams = (node for _, node in nnx.iter_graph(self) if isinstance(node, nnx.RngStream))
        stream = next(streams, None)
        return self._split(stream()) if stream else {}

    def _split(self, key: jax.Array) -> dict[str, jax.Array]:
        return dict(zip(self._streams, jax.random.split(key, len(self._streams)), strict=True))


def _methods(linen: calls.LinenCalls | None) -> set[str]:
    """Returns the names of the methods that a Linen module has besides those of all."""
    kind = type(linen.module) if linen else nn.Module
    names = set(dir(kind)) - set(dir(nn.Module))
    return {name for name in names if not name.startswith('_') and callable(getattr(kind, name))}
