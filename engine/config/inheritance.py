"""Bindings of a class that hold for the classes that derive from it.

A binding of a class also binds each class that a config builds or refers to, derives from that class, and
takes a parameter of that name. In each scope, a binding of the class itself wins; among those of its bases,
that of the nearest one in the method resolution order wins. Functions do not inherit.
"""

import inspect
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import gin.config

from engine.config import bindable
from engine.config.statements import Binding, Key, referenced


def inherited(final: Mapping[Key, Binding], names: Mapping[Any, str]) -> dict[Key, Binding]:
    """Returns the bindings that classes have from their bases alone.

    Args:
      final: the bindings that win, by key.
      names: the classes and functions that the config builds or refers to, as it writes them.

    Returns:
      By key, each binding of a base as one of the class that derives from it.
    """
    bindings: dict[Key, Binding] = {}
    for target, name in names.items():
        for base in reversed(bases(target)):
            for parent in final.values():
                if parent.target is base and bindable.takes(target, parent.parameter):
                    binding = replace(parent, selector=name, target=target, parent=parent)
                    bindings[binding.key] = binding
    return {key: binding for key, binding in bindings.items() if key not in final}


def bases(target: Any) -> tuple[type, ...]:
    """Returns the classes from which a class derives, the nearest first; () for a function.

    >>> bases(bool), bases(len)
    ((<class 'int'>, <class 'object'>), ())
    """
    return target.__mro__[1:] if inspect.isclass(target) else ()


def heritable(defaults: Sequence[Binding], operative: Sequence[Binding]) -> list[Binding]:
    """Returns the default values that other classes would inherit if a config stated them.

    An operative config states no default value of a class that was not called, and none that cannot be
    written, such as a function. Such a class would inherit the value that the config states of its base.

    Args:
      defaults: the bindings of an operative config that state default values.
      operative: all of its bindings.
    """
    called = {binding.target for binding in operative}
    targets = called | set(referenced(operative))

    def is_inherited(binding: Binding, heir: Any) -> bool:
        if binding.target not in bases(heir) or not bindable.takes(heir, binding.parameter):
            return False
        return heir not in called or not _is_stated(heir, binding.parameter)

    return [binding for binding in defaults if any(is_inherited(binding, target) for target in targets)]


def _is_stated(target: Any, parameter: str) -> bool:
    """Whether Gin can write the default value of a parameter."""
    known = bindable.signature(target).parameters.get(parameter)
    if known is None:  # one of `**options`
        return False
    try:
        return known.default is known.empty or gin.config.parse_value(repr(known.default)) == known.default
    except SyntaxError:
        return False
