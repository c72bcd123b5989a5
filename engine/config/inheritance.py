"""Bindings of a class hold for the classes that derive from it, too.

A binding of a class also binds each class that a config builds or refers to, derives from that class, and
takes a parameter of that name. In each scope, a binding of the class itself wins; among those of its bases,
that of the nearest one in the method resolution order wins. Functions do not inherit. A class does not
inherit a binding that would build the class itself again: if `Small` derives from `Net`, it does not inherit
`Net.inner = @Small()`.
"""

import inspect
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import gin.config

from engine.config import bindable
from engine.config.statements import Binding, Key, Macro, Reference, leaves, referenced


def inherited(final: Mapping[Key, Binding], names: Mapping[Any, str]) -> dict[Key, Binding]:
    """Returns the bindings that classes inherit from their bases.

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
    effective = {**bindings, **final}
    return {
        key: binding
        for key, binding in bindings.items()
        if key not in final and not _leads_back(binding, effective)
    }


def innermost(bindings: Mapping[Key, Binding], used: Key) -> Binding | None:
    """Returns the binding that counts for a parameter in a scope: the one of the innermost scope."""
    scopes = used[0].split('/') if used[0] else []
    prefixes = ['/'.join(scopes[:length]) for length in range(len(scopes), -1, -1)]
    return next((bindings[scope, *used[1:]] for scope in prefixes if (scope, *used[1:]) in bindings), None)


def _leads_back(inherited: Binding, bindings: Mapping[Key, Binding]) -> bool:
    """Whether what a class inherits builds the class again, where it inherits the same."""
    pending, seen = _named(inherited, inherited.scope), set[tuple[Any, str]]()
    while pending:
        target, scope = pending.pop()
        if (target, scope) not in seen:
            seen.add((target, scope))
            counting = _counting(target, scope, bindings)
            if any(binding is inherited for binding in counting):
                return True
            pending += [named for binding in counting for named in _named(binding, scope)]
    return False


def _named(binding: Binding, scope: str) -> list[tuple[Any, str]]:
    """Returns what a value refers to, with scopes. A macro is None in the scope of its name, as in Gin."""
    named = [leaf for leaf in leaves(binding.value) if isinstance(leaf, Reference | Macro)]
    return [
        (None, leaf.name) if isinstance(leaf, Macro) else (leaf.target, leaf.scope or scope) for leaf in named
    ]


def _counting(target: Any, scope: str, bindings: Mapping[Key, Binding]) -> list[Binding]:
    """Returns the bindings that count when something is built in a scope."""
    keys = (
        {(scope, target, key[2]) for key in bindings if key[1] is target} if target else {('', None, scope)}
    )
    return list(filter(None, (innermost(bindings, key) for key in keys)))


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
