"""Checkpoints: from the state of a task, the parameters that the task evaluates are loaded."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import jax
import optax
from jax.sharding import NamedSharding, PartitionSpec

from engine.errors import UserError, did_you_mean
from engine.parts.optimizers.evaluated import evaluation_params
from engine.parts.pretrained import variable_names
from engine.parts.pretrained.stored_arrays import OpenArrays, StoredArrays
from engine.runs import checksums
from engine.stored_trees import tree as trees
from engine.stored_trees.on_devices import Shapes

PARAMS, MODEL_STATES = 'params', ('model_state', 'batch_stats')  # Linen calls it batch_stats


class _ScheduleFree(NamedTuple):
    """The parts of a state of schedule-free that its evaluation parameters depend on, by path or value."""

    b1: Any
    z: Any


@dataclass(frozen=True, kw_only=True)
class CheckpointFolder(StoredArrays):
    """A folder of a checkpoint.

    Attributes:
      item: the folder of the tree of arrays: `place` or a folder in it.
      stored: shapes of the whole tree, by path.
      paths: where each array of the source is in the tree.
      averaged: for arrays that schedule-free averages, where the parts of the average are.
    """

    item: Path
    stored: Shapes
    paths: Mapping[str, str]
    averaged: Mapping[str, _ScheduleFree]

    def sha256(self) -> str:
        """Returns the sha256 of the checksums of all files, those that a run wrote if there are any."""
        if not _has_checksums(self.place):
            return checksums.of_folder(self.place)
        _check(self.place)
        return checksums.of_undamaged(self.place)

    def load(self, targets: Shapes) -> dict[str, jax.Array]:
        """Restores arrays straight into their shardings."""
        wanted = {self.paths[name]: target for name, target in targets.items() if name not in self.averaged}
        result = trees.restored(self.item, wanted)
        loaded = {name: result[self.paths[name]] for name in targets if name not in self.averaged}
        for name in targets.keys() & self.averaged.keys():  # one by one: an average needs twice the memory
            loaded[name] = self._average(name, targets[name])
        return loaded

    def _average(self, name: str, target: jax.ShapeDtypeStruct) -> jax.Array:
        parts = self.averaged[name]
        like = {
            self.paths[name]: target.sharding,
            parts.z: target.sharding,
            parts.b1: _whole(target.sharding),
        }
        arrays = trees.restored(
            self.item, {path: _with(self.stored[path], sharding) for path, sharding in like.items()}
        )
        state = _ScheduleFree(arrays[parts.b1], arrays[parts.z])
        return _evaluated(state, arrays[self.paths[name]]).astype(target.dtype)

    @contextmanager
    def opened(self) -> Iterator[OpenArrays]:
        """Restores all arrays to the host."""
        arrays = jax.device_get(self.load({name: _with(self.shapes[name], None) for name in self.shapes}))
        yield OpenArrays({name: partial(arrays.get, name) for name in arrays}, lambda: None)


@jax.jit
def _evaluated(state: _ScheduleFree, params: jax.Array) -> jax.Array:
    """Returns the average of an array, as evaluation computes it."""
    opt_state = optax.contrib.ScheduleFreeState(state.b1, 0, 0, 0, (), {'': state.z})
    return evaluation_params({'params': {'': params}, 'opt_state': opt_state})['']


def _with(shape: jax.ShapeDtypeStruct, sharding: Any) -> jax.ShapeDtypeStruct:
    return jax.ShapeDtypeStruct(shape.shape, shape.dtype, sharding=sharding)


def _whole(sharding: Any) -> Any:
    """Returns the sharding of a scalar that belongs to arrays of another sharding."""
    return NamedSharding(sharding.mesh, PartitionSpec()) if isinstance(sharding, NamedSharding) else sharding


def read(place: Path, item: Path, tree: str, record: Mapping[str, Any]) -> CheckpointFolder:
    """Returns the arrays of a checkpoint.

    Args:
      place: its folder.
      item: the folder of the tree of arrays.
      tree: entry of the state to load; '' loads the parameters that the task evaluates or, without
        `params`, everything.
      record: what environment.json records of it.

    Raises:
      UserError: it cannot be read, or has no such tree.
    """
    try:
        stored = trees.stored_shapes(item)
    except UserError:
        if _has_checksums(place):
            _check(place)
        raise
    paths = _named(place, stored, tree)
    averaged = {} if tree else _averaged(stored, paths)
    shapes = {name: stored[path] for name, path in paths.items()}
    if not shapes:
        raise UserError(f'{place} is empty: it holds no arrays.')
    return CheckpointFolder(
        place=place, shapes=shapes, record=record, item=item, stored=stored, paths=paths, averaged=averaged
    )


def _has_checksums(place: Path) -> bool:
    return (place / checksums.CHECKSUM_FILE).is_file()


def _check(place: Path) -> None:
    """Raises `UserError` if a checkpoint with checksums is damaged."""
    if damage := checksums.damage(place):
        raise UserError(
            f'the checkpoint {place} is damaged: {damage}. Choose another one by Pretrained.checkpoint.'
        )


def _named(place: Path, stored: Shapes, tree: str) -> dict[str, str]:
    """Returns the paths of the arrays to take by their names."""
    if not tree:
        evaluated = _variables(stored, '')
        return evaluated | _moving_averages(stored, evaluated)
    named = _variables(stored, f'{tree}/')
    if not named:
        trees = {path.partition('/')[0] for path in stored}
        hint = did_you_mean(tree, trees)
        if place.parent.name == 'best':
            hint += " A best checkpoint holds only what is evaluated: take checkpoint = 'latest'."
        raise UserError(f'Pretrained.params = {tree!r}: {place} has no such tree. {hint}')
    return named


def _variables(stored: Shapes, parent: str) -> dict[str, str]:
    """Returns paths by name: of parameters and model state if they are there, else of everything.

    Other parameters, such as `teacher`, may have no model state of their own. They share that of the state.
    """
    params = _below(stored, f'{parent}{PARAMS}/')
    if params:
        return variable_names.by_name(params, _model_state(stored, parent))
    rest = _below(stored, parent)
    return variable_names.by_name(rest, _model_state(stored, '')) if parent and rest else rest


def _model_state(stored: Shapes, parent: str) -> dict[str, str]:
    return {name: path for tree in MODEL_STATES for name, path in _below(stored, f'{parent}{tree}/').items()}


def _below(stored: Shapes, parent: str) -> dict[str, str]:
    return {path.removeprefix(parent): path for path in stored if path.startswith(parent)}


def _moving_averages(stored: Shapes, names: Mapping[str, str]) -> dict[str, str]:
    """Returns the paths of averages by name: of `ema_params`, and of trees such as `ema_generator`."""
    averages = _below(stored, f'ema_{PARAMS}/')
    for tree in {path.partition('/')[0] for path in stored if path.startswith('ema_')}:
        if _below(stored, f'{tree}/{PARAMS}/'):
            module = tree.removeprefix('ema_')
            averages |= {f'{module}/{name}': path for name, path in _variables(stored, f'{tree}/').items()}
    return {name: path for name, path in averages.items() if name in names}


def _averaged(stored: Shapes, paths: Mapping[str, str]) -> dict[str, _ScheduleFree]:
    """Returns where the parts of averages by schedule-free are, for the parameters that have one."""
    states = [path.removesuffix('weight_sum') for path in stored if path.endswith('/weight_sum')]
    return {
        name: _ScheduleFree(f'{state}b1', f'{state}z/{name}')
        for state in states
        for name, path in paths.items()
        if path == f'{PARAMS}/{name}' and f'{state}z/{name}' in stored and f'{state}b1' in stored
    }
