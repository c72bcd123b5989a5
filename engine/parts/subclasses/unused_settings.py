"""Finds settings that a config binds and a subclass of a task does not use. Only shapes are traced."""

from collections.abc import Callable, Mapping, Sequence
from copy import copy
from functools import cached_property
from typing import Any

import jax
import jax.numpy as jnp

from engine import errors
from engine.errors import UserError
from engine.interfaces import STEP, Spec
from engine.network import Network

# (task, batch, key, output of the network) -> the arrays that a setting must change
Run = Callable[[Any, Any, Any, Any], Any]


class SettingsCheck:
    """Checks the settings of a task on the shapes of a batch of two examples.

    Args:
      task: the task.
      base: the class whose methods use the settings.
      spec: describes the dataset.
      network: the network of the task.
    """

    def __init__(self, task: Any, base: type, spec: Spec, network: Network):
        self._task, self._base, self._network = task, base, network
        self._batch = {**spec.batch(2), STEP: jax.ShapeDtypeStruct((2,), jnp.int32)}
        self._key = jax.eval_shape(jax.random.key, 0)

    def inputs(self) -> Any:
        """Returns the shapes of the network's inputs in training; raises `UserError` if images do not fit."""
        return jax.eval_shape(self._training_inputs, self._batch, self._key)

    def _training_inputs(self, batch: Any, key: Any) -> Any:
        return self._task.inputs(self._task.augment_batch(batch, key))

    @cached_property
    def _output(self) -> Any:
        """The shapes of the network's output."""
        params, model_state = self._network.variables
        return jax.eval_shape(self._network, params, model_state, self.inputs())[0]

    def check_used(self, methods: Sequence[str], defaults: Mapping[str, Any], run: Run, advice: str) -> None:
        """Checks that each setting that is bound changes what the task computes.

        Nothing is traced unless the task overrides one of the methods and a setting is bound.

        Args:
          methods: names of the methods that use the settings.
          defaults: by setting, the value that has no effect.
          run: computes the arrays to compare.
          advice: sentence of the message: how a subclass uses the settings.

        Raises:
          UserError: a setting is bound, and `run` computes the same without it.
        """
        kind = type(self._task)
        overridden = [name for name in methods if getattr(kind, name) is not getattr(self._base, name)]
        bound = [name for name, default in defaults.items() if getattr(self._task, name) != default]
        for setting in bound if overridden else ():
            if self._program(run, self._task) == self._program(
                run, self._without(setting, defaults[setting])
            ):
                place = errors.function_place(getattr(kind, overridden[0]))
                own = ' and '.join(f'{method}()' for method in overridden)
                raise UserError(
                    f'{kind.__name__}.{setting} is bound and does nothing: {own} of {kind.__name__} '
                    f'({place}) leaves it out. {advice} Or remove the binding.'
                )

    def check_inputs(self, defaults: Mapping[str, Any]) -> None:
        """Checks that each setting of `augment_batch` and `inputs` that is bound changes the inputs."""
        self.check_used(
            ('augment_batch', 'inputs'),
            defaults,
            lambda task, batch, key, _: task.inputs(task.augment_batch(batch, key)),
            'Call super().augment_batch(batch, key) and super().inputs(batch), and use what they return.',
        )

    def _without(self, setting: str, default: Any) -> Any:
        """Returns a copy of the task without a setting, though the task is frozen."""
        other = copy(self._task)
        object.__setattr__(other, setting, default)
        return other

    def _program(self, run: Run, task: Any) -> str:
        """Returns what XLA would compile: all constants, and nothing that no result depends on."""

        def program(batch: Any, key: Any, output: Any) -> Any:
            return run(task, batch, key, output)

        return jax.jit(program).lower(self._batch, self._key, self._output).as_text()
