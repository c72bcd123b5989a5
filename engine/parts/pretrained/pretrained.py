"""Trained variables to start from: their source, the choice of variables, and their names in the model."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

import jax
import numpy as np

from engine.errors import UserError
from engine.interfaces import State
from engine.parts.pretrained import comparison, sources, variable_names
from engine.parts.pretrained.comparison import Comparison
from engine.parts.pretrained.stored_arrays import StoredArrays
from engine.stored_trees.on_devices import Shapes, on_devices

Arrays = Mapping[str, np.ndarray]  # by path
Transform = Callable[[Arrays, Shapes], Arrays]


@dataclass(frozen=True, kw_only=True)
class Pretrained:
    """Trained variables from which a training starts: `trainer.Trainer.init_from = @pretrained.Pretrained()`.

    Variables are parameters and batch statistics. They have paths such as 'encoder/stages/0/kernel'. Every
    variable of the model must be in the source, in its shape, unless `only` or `missing` says otherwise.

    Args:
      source: a run, a release such as 'model:digits/1.0' ('model:digits' takes its latest version) or
        another folder of the workspace's `models/`, a file `.safetensors` (also
        the `.safetensors.index.json` of several) or `.npz`, or a folder that Orbax wrote. `~` is the home
        folder; a relative path starts at the repository. From a run, the parameters that it evaluates are
        loaded: the moving average or the average of a schedule-free optimizer, if there is one.
      only: regular expressions. Variables of the model that match are loaded, all others initialised.
      rename: pairs of a regular expression and its replacement, applied in order to the paths of the source.
        Dots in names count as slashes.
      transform: makes arrays of the model, by path, from the renamed arrays: `PyTorch()`, or a function
        (arrays, shapes of the model) -> arrays.
      missing: regular expressions. Variables of the model that match are initialised if the source lacks them
        or has them in another shape.
      checkpoint: checkpoint of a run: 'best', 'latest' or a step.
      params: entry of a checkpoint's state to load instead, such as 'teacher'.
    """

    source: str
    only: tuple[str, ...] = ()
    rename: tuple[tuple[str, str], ...] = ()
    transform: Transform | None = None
    missing: tuple[str, ...] = ()
    checkpoint: Literal['best', 'latest'] | int = 'best'
    params: str = ''

    @cached_property
    def _source(self) -> StoredArrays:
        return sources.find(self.source, self.checkpoint, self.params)

    @cached_property
    def _original(self) -> dict[str, str]:
        """The names in the source by the renamed ones."""
        return variable_names.renamed(self._source.shapes, self.rename)

    def check(self, shapes: State) -> str:
        """Compares names and shapes with those of the model. Reads no arrays.

        Args:
          shapes: shapes and dtypes of the model: `params` and `model_state`.

        Returns:
          The table that shows which variables are loaded, cast, initialised or left out.

        Raises:
          UserError: the source cannot be read or does not fit, or a pattern matches nothing.
        """
        compared = self._compared(shapes)
        compared.check(self._source.place)
        record = ''.join(f', {name} {value}' for name, value in self._source.record.items())
        return f'from {self._source.place}{record}\n\n{compared.table()}'

    def _compared(self, shapes: State) -> Comparison:
        model = variable_names.of_model(shapes)
        stored = {name: self._source.shapes[old] for name, old in self._original.items()}
        original = self._original
        if self.transform:
            stored, original = _traced(self.transform, stored, model, original)
        return comparison.compared(stored, model, original, self.only, self.missing)

    def load(self, shapes: State) -> State:
        """Loads variables onto the devices.

        Args:
          shapes: shapes, dtypes and shardings of the model: `params` and `model_state`.

        Returns:
          `params` and `model_state` with only the loaded arrays, each in its sharding.

        Raises:
          UserError: as `check`.
        """
        compared = self._compared(shapes)
        compared.check(self._source.place)
        targets = {path: compared.model[path] for path in compared.taken}
        return variable_names.as_trees(shapes, self._loaded(targets, compared.model))

    def _loaded(self, targets: Shapes, model: Shapes) -> dict[str, jax.Array]:
        if not self.transform:
            loaded = self._source.load({self._original[path]: target for path, target in targets.items()})
            return {path: loaded[self._original[path]] for path in targets}
        with self._source.opened() as arrays:
            renamed = {path: arrays[name] for path, name in self._original.items()}
            return on_devices(self.transform(renamed, model), targets, arrays.release)

    def origin(self) -> dict[str, Any]:
        """Returns source, checkpoint, step and sha256, for environment.json. Reads the whole source.

        Raises:
          UserError: the source is damaged.
        """
        source = self._source
        return {'source': str(source.place), **source.record, 'sha256': self._sha256}

    @cached_property
    def _sha256(self) -> str:
        return self._source.sha256()  # reads the whole source, so only once


def _traced(
    transform: Transform, stored: Shapes, model: Shapes, original: Mapping[str, str]
) -> tuple[dict[str, jax.ShapeDtypeStruct], dict[str, str]]:
    """Returns the shapes that a transformation makes, without reading arrays, and where each comes from."""
    zeros = {name: np.zeros((), shape.dtype) for name, shape in stored.items()}
    views = {name: np.broadcast_to(zero, stored[name].shape) for name, zero in zeros.items()}
    arrays = transform(views, model)
    if not isinstance(arrays, Mapping):
        raise UserError(f'Pretrained.transform returns {type(arrays).__name__} instead of a dict of arrays.')
    names = {id(zero): original[name] for name, zero in zeros.items()}
    shapes = {name: jax.ShapeDtypeStruct(array.shape, array.dtype) for name, array in arrays.items()}
    bases = {name: id(_base(array)) for name, array in arrays.items()}
    return shapes, {name: names[base] for name, base in bases.items() if base in names}


def _base(array: Any) -> Any:
    """Returns the array whose memory an array shows."""
    while getattr(array, 'base', None) is not None:
        array = array.base
    return array
