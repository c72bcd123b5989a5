"""Acts on each call inside a Linen module: frozen modules evaluate; statistics are those of the batch."""

import inspect
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import flax.linen as nn
import jax

from engine.errors import UserError
from engine.interfaces import DATA_AXIS
from engine.modes import IN_EVALUATION
from engine.parts.linen.layout import Path

# Flax's own modules that must not run in training mode in evaluation.
LAYERS = (nn.BatchNorm, nn.Dropout, nn.SpectralNorm, nn.MultiHeadDotProductAttention)

Call = Callable[..., Any]


@dataclass
class Interceptor:
    """Acts before and after each method of each module; see `flax.linen.intercept_methods`.

    Args:
      training: whether the outermost module trains.
      is_frozen: whether the module at a path runs in evaluation mode nevertheless.
      method: name of the outermost method, for messages.
      mode: the argument or field that tells its mode, such as 'train' or 'self.train'; '' without one.

    Attributes:
      random: paths of the modules that drew random numbers.
    """

    training: bool
    is_frozen: Callable[[Path], bool]
    method: str
    mode: str = ''
    random: set[Path] = field(default_factory=set)

    def __call__(self, function: Call, args: Any, kwargs: Any, context: nn.module.InterceptorContext) -> Any:
        """Returns the result of the method, called in the mode of its module."""
        module: Any = context.module
        if module.scope is None or context.method_name == 'setup':
            return function(*args, **kwargs)
        fields = {'axis_name': _axes(module.axis_name)} if isinstance(module, nn.BatchNorm) else {}
        modes = _Modes(module, context.orig_method, args, kwargs)
        if self.is_frozen(module.path):
            args, kwargs = modes.arguments_in_evaluation()
            fields |= modes.fields_in_evaluation()
        elif not self.training and isinstance(module, LAYERS):
            self._check(module, modes)
        with _replaced(module, fields):
            output = function(*args, **kwargs)
        if any(count for name, count in module.scope.rng_counters.items() if isinstance(name, str)):
            self.random.add(module.path)
        return output

    def _check(self, module: Any, modes: '_Modes') -> None:
        """Raises `UserError` for a layer in training mode, where the model evaluates."""
        wrong = next((name for name, value in modes.stated() if value != IN_EVALUATION[name]), None)
        is_off = 0 in (getattr(module, 'rate', None), getattr(module, 'dropout_rate', None))
        if wrong and not is_off:
            path = '/'.join(module.path) or type(module).__name__
            raise UserError(
                f'{path} has {wrong}={not IN_EVALUATION[wrong]} in evaluation, too. {self._remedy(wrong)}'
            )

    def _remedy(self, wrong: str) -> str:
        """Returns what to do about a layer whose mode `wrong` is that of training."""
        mode = self.mode or 'train'
        is_opposite = IN_EVALUATION[mode.removeprefix('self.')] != IN_EVALUATION[wrong]
        value = f'{wrong}={"not " if is_opposite else ""}{mode}'
        if self.mode:
            return f'{self.method} knows the mode by {mode}: pass it on, as {value}.'
        return f'Give {self.method} an argument `train: bool`, and pass it on, as {value}.'


class _Modes:
    """The arguments and fields of a call that state a mode."""

    def __init__(self, module: Any, method: Call, args: Any, kwargs: Any):
        self._bound = inspect.signature(method).bind(*args, **kwargs)
        self._bound.apply_defaults()
        given = self._bound.arguments
        self._arguments = {name: given[name] for name in IN_EVALUATION if given.get(name) is not None}
        fields = {name: vars(module).get(name) for name in IN_EVALUATION}
        self._fields = {name: value for name, value in fields.items() if value is not None}

    def stated(self) -> Iterator[tuple[str, bool]]:
        """Yields names and values of the modes that are known before the call runs."""
        both = [*self._fields.items(), *self._arguments.items()]
        return ((name, value) for name, value in both if isinstance(value, bool))

    def arguments_in_evaluation(self) -> tuple[Any, Any]:
        """Returns the arguments of the call, with modes of evaluation."""
        self._bound.arguments |= {name: IN_EVALUATION[name] for name in self._arguments}
        return self._bound.args, self._bound.kwargs

    def fields_in_evaluation(self) -> dict[str, bool]:
        """Returns the fields of the module, with modes of evaluation."""
        return {name: IN_EVALUATION[name] for name in self._fields}


@contextmanager
def _replaced(module: Any, fields: dict[str, Any]) -> Iterator[None]:
    """Gives fields of a module other values for the time of a call; a Linen module lets nobody set them."""
    before = {name: getattr(module, name) for name in fields}
    for name, value in fields.items():
        object.__setattr__(module, name, value)
    try:
        yield
    finally:
        for name, value in before.items():
            object.__setattr__(module, name, value)


def _axes(named: Any) -> tuple[str, ...] | None:
    """Returns the axes over which batch normalisation averages: those that exist, and that of the devices.

    The axis that a module names for `jax.pmap` does not exist where one program sees the whole batch.
    """
    names = (named,) if isinstance(named, str) else tuple(named or ())
    return tuple(name for name in dict.fromkeys((*names, DATA_AXIS)) if _exists(name)) or None


def _exists(axis: str) -> bool:
    try:
        jax.lax.axis_index(axis)
    except NameError:
        return False
    return True
