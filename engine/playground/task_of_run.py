"""A bound task among those of several runs."""

import functools
from collections.abc import Callable
from typing import Any

from engine.interfaces import BoundTask


class TaskOfRun:
    """A bound task whose methods run with the config of its own run, while others are loaded too."""

    def __init__(self, task: BoundTask, use_config: Callable[[], None]):
        self._task, self._use_config = task, use_config

    def __getattr__(self, name: str) -> Any:
        if name.startswith('_'):
            raise AttributeError(name)
        value = getattr(self._task, name)
        if not callable(value):
            return value

        @functools.wraps(value)
        def method(*args: Any, **kwargs: Any) -> Any:
            self._use_config()
            return value(*args, **kwargs)

        setattr(self, name, method)  # the same one each time: jax.jit compiles it once
        return method

    def __dir__(self) -> list[str]:
        return dir(self._task)

    def __repr__(self) -> str:
        return repr(self._task)
