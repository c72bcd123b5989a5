"""Training mode and evaluation mode of modules. Frozen modules stay in evaluation mode."""

import inspect
from collections.abc import Callable, Collection, Iterator
from itertools import accumulate
from typing import Any

import jax
from flax import nnx

from engine.errors import UserError
from engine.interfaces import DATA_AXIS

# Arguments by which modules are told to train or to evaluate, as in Flax and its users' code, and their value
# in evaluation. In training each has the opposite value.
IN_EVALUATION = {
    'train': False,
    'training': False,
    'is_training': False,
    'is_train': False,
    'enable_dropout': False,
    'update_stats': False,
    'deterministic': True,
    'use_running_average': True,
    'inference': True,
}
_STREAMS = nnx.Rngs, nnx.RngStream, nnx.RngState


def mode_arguments(function: Callable[..., Any], training: bool) -> dict[str, bool]:
    """Returns the arguments of a function that tell the mode, with their values.

    >>> mode_arguments(lambda x, train: x, training=True)
    {'train': True}
    """
    names = IN_EVALUATION.keys() & inspect.signature(function).parameters.keys()
    return {name: IN_EVALUATION[name] != training for name in sorted(names)}


def checked_model(model: Any) -> nnx.Module:
    """Returns a model that knows its mode; raises `UserError` for any other."""
    if not isinstance(model, nnx.Module):
        raise UserError(
            f'the model is of type {type(model).__qualname__}, but must be a flax.nnx.Module. A Linen module '
            "comes in by engine.parts.linen: bind the task's model to @linen.Linen()."
        )
    for _, node in nnx.iter_graph(model):
        if isinstance(node, nnx.bridge.ToNNX):
            _check_bridge(node)
    return model


def _check_bridge(bridge: nnx.bridge.ToNNX) -> None:
    """Raises `UserError` for a Linen module that has modes, because the bridge does not tell it the mode."""
    module = bridge.to_nnx__module
    has_state = bool(jax.tree.leaves(nnx.state(bridge, nnx.Not(nnx.Any(nnx.Param, nnx.RngState)))))
    if has_state or mode_arguments(type(module).__call__, training=True):
        raise UserError(
            f'nnx.bridge.ToNNX does not tell {type(module).__name__} whether to train or to evaluate: its '
            'statistics would not move, or its Dropout not drop. Bind @linen.Linen() of engine.parts.linen '
            f'instead; in a model of your own, write linen.LinenModel({type(module).__name__}(...), x, '
            'rngs=rngs).'
        )


class FrozenModules:
    """The modules of a model whose variables, at least one, are all frozen, and the modules inside them.

    Args:
      model: the model.
      paths: paths of its parameters and of its model state.
      frozen: those of them that are frozen.
    """

    def __init__(self, model: nnx.Module, paths: Collection[str], frozen: Collection[str]):
        trained = {parent for path in paths if path not in frozen for parent in _parents(path)}
        self._prefixes = {parent for path in frozen for parent in _parents(path)} - trained
        self._model = model

    def evaluate(self) -> None:
        """Sets these modules to evaluation mode."""
        for path, node in self._nodes():
            if self._has(path) and isinstance(node, nnx.Module):
                nnx.Module.eval(node)

    def others_are_random(self) -> bool:
        """Whether another module holds a random stream, such as that of Dropout."""
        return any(
            isinstance(node, nnx.RngState) or _holds_stream(node)
            for path, node in self._nodes()
            if not self._has(path)
        )

    def _nodes(self) -> Iterator[tuple[str, Any]]:
        return (('/'.join(map(str, path)), node) for path, node in nnx.iter_graph(self._model))

    def _has(self, path: str) -> bool:
        return not self._prefixes.isdisjoint([path, *_parents(path)])


def _parents(path: str) -> list[str]:
    """Returns the paths of all modules around a variable: '', 'a' and 'a/b' of 'a/b/kernel'."""
    return ['', *accumulate(path.split('/')[:-1], lambda parent, name: f'{parent}/{name}')]


def _holds_stream(node: Any) -> bool:
    """Whether a module itself holds a random stream; the stream may have its path in another module."""
    if not isinstance(node, nnx.Module):
        return False
    values = jax.tree.leaves(vars(node), is_leaf=lambda value: isinstance(value, (nnx.Module, *_STREAMS)))
    return any(isinstance(value, _STREAMS) for value in values)


def average_statistics_across_devices(model: nnx.Module) -> None:
    """Makes batch normalisation use the statistics of the whole batch, where each device has its own rows."""
    for _, module in nnx.iter_graph(model):
        if isinstance(module, nnx.BatchNorm):
            module.axis_name = DATA_AXIS
