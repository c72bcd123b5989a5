"""Calls a Linen module in training mode or in evaluation mode."""

import inspect
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import flax.linen as nn
import jax
from flax import errors

from engine.errors import UserError
from engine.modes import IN_EVALUATION, mode_arguments
from engine.parts.linen.interception import Interceptor
from engine.parts.linen.layout import PARAMS, Path

Variables = Mapping[str, Any]
Keys = Mapping[str, jax.Array]

_BY_NAME = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)


@dataclass(frozen=True)
class Survey:
    """What a call in training does.

    Attributes:
      sown: collections that grow from call to call, as those of `Module.sow` do.
      random: paths of the modules that draw random numbers.
    """

    sown: frozenset[str]
    random: tuple[Path, ...]


class LinenCalls:
    """The calls of a Linen module, in training and in evaluation.

    Args:
      module: the module.
    """

    def __init__(self, module: nn.Module):
        self.module, self._name = module, type(module).__name__

    def init(self, x: Any, keys: Keys) -> dict[str, Any]:
        """Returns the first variables by collection, with those that training alone uses."""
        module, modes = self._in_mode('__call__', training=True)
        return dict(module.init(dict(keys), x, **modes))

    def survey(self, variables: Variables, x: Any, keys: Keys) -> Survey:
        """Returns what a call in training does. It is traced on shapes."""
        interceptor = self._interceptor('__call__', training=True)
        names = [name for name in variables if name != PARAMS]
        _, updated = jax.eval_shape(lambda: self._apply(interceptor, '__call__', variables, x, keys, names))
        sown = {name for name in names if _structure(updated.get(name)) != _structure(variables[name])}
        return Survey(frozenset(sown), tuple(sorted(interceptor.random)))

    def train(
        self, method: str, variables: Variables, x: Any, keys: Keys, is_frozen: Callable[[Path], bool]
    ) -> tuple[Any, Variables]:
        """Returns the output of a call in training, and all variables after it.

        Args:
          method: name of the method.
          variables: by collection.
          x: its argument.
          keys: random keys by stream.
          is_frozen: whether the module at a path runs in evaluation mode nevertheless.
        """
        interceptor = self._interceptor(method, training=True, is_frozen=is_frozen)
        names = [name for name in variables if name != PARAMS]
        output, updated = self._apply(interceptor, method, variables, x, keys, names)
        return output, {**variables, **updated}

    def evaluate(self, method: str, variables: Variables, x: Any, keys: Keys) -> Any:
        """Returns the output of a call in evaluation, which changes no variable.

        A module may draw random numbers and change variables in evaluation too; the changes are dropped.
        """
        interceptor = self._interceptor(method, training=False)
        given: Keys = {}
        mutable: list[str] = []
        while True:
            try:
                return self._apply(interceptor, method, variables, x, given, mutable)[0]
            except errors.InvalidRngError:
                if given:
                    raise
                given = keys
            except errors.ModifyScopeVariableError:
                if mutable:
                    raise
                mutable = [name for name in variables if name != PARAMS]

    def _apply(
        self,
        interceptor: Interceptor,
        method: str,
        variables: Variables,
        x: Any,
        keys: Keys,
        mutable: Collection[str],
    ) -> tuple[Any, Variables]:
        module, modes = self._in_mode(method, interceptor.training)
        with nn.intercept_methods(interceptor), self._explained(method, interceptor.training):
            return module.apply(variables, x, method=method, rngs=dict(keys), mutable=list(mutable), **modes)

    def _interceptor(
        self, method: str, training: bool, is_frozen: Callable[[Path], bool] = lambda path: False
    ) -> Interceptor:
        arguments, fields = self._modes(method, training)
        modes = [*arguments, *(f'self.{name}' for name in fields)]
        return Interceptor(training, is_frozen, f'{self._name}.{method}', modes[0] if modes else '')

    def _in_mode(self, method: str, training: bool) -> tuple[nn.Module, dict[str, Any]]:
        """Returns the module in a mode, and the arguments that tell the mode to its method."""
        arguments, fields = self._modes(method, training)
        for parameter in _required(getattr(type(self.module), method)):
            if parameter not in arguments:
                raise UserError(
                    f'{self._name}.{method} needs the argument {parameter!r}, but models get one input. '
                    f'Give {parameter!r} a default value. If it tells the mode, call it '
                    f'{" or ".join(IN_EVALUATION)}.'
                )
        return (self.module.clone(**fields) if fields else self.module), arguments

    def _modes(self, method: str, training: bool) -> tuple[dict[str, Any], dict[str, Any]]:
        """Returns the arguments of a method, and the fields of the module, that tell the mode."""
        function = getattr(type(self.module), method)
        arguments, parameters = mode_arguments(function, training), inspect.signature(function).parameters
        # Of a field and an argument of one name, as of nn.merge_param, only one may be given.
        settled = {name for name in IN_EVALUATION if getattr(self.module, name, None) is not None}
        given = {name: value for name, value in arguments.items() if name not in settled}
        given |= {name: arguments[name] for name in arguments if parameters[name].default is not None}
        fields = {name: IN_EVALUATION[name] != training for name in sorted(settled - given.keys())}
        return given, fields

    @contextmanager
    def _explained(self, method: str, training: bool) -> Iterator[None]:
        """Turns Flax's errors into what to do in a model."""
        place = f'{self._name}.{method}'
        try:
            yield
        except errors.ScopeParamNotFoundError as error:
            raise UserError(
                f'{place}: {_sentence(error)} Linen makes the parameters that __call__ uses: use this one '
                'there, too, under `if self.is_initializing():`.'
            ) from error
        except errors.InvalidRngError as error:
            if not training:
                raise
            raise UserError(
                f'{place}: {_sentence(error)} Name each random stream in Linen.streams, such as '
                "('dropout', 'noise'). A stream that another method uses must be drawn from in __call__, too."
            ) from error


def _required(function: Callable[..., Any]) -> list[str]:
    """Returns the arguments without default that a method needs besides its input."""
    parameters = list(inspect.signature(function).parameters.values())[2:]
    return [each.name for each in parameters if each.kind in _BY_NAME and each.default is each.empty]


def _structure(tree: Any) -> Any:
    return jax.tree.structure(tree)


def _sentence(error: Exception) -> str:
    """Returns the message of an error of Flax without its address."""
    return str(error).partition(' (http')[0].rstrip('.') + '.'
