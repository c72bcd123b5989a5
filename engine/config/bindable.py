"""Which classes and functions a config can bind: Gin wraps them, and gives values by name alone."""

import enum
import inspect
from typing import Any

from engine.config import types

_IS_BASE_TYPE = 1 << 10  # Py_TPFLAGS_BASETYPE: other classes, such as `range`, cannot be derived from
_BY_POSITION = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.POSITIONAL_ONLY)
_ADVICE = 'Write a function of your own that returns what you need, and bind that.'


def refusal(target: Any) -> str:
    """Returns why a config cannot bind or refer to `target`, and what to do; '' if it can.

    >>> import operator
    >>> refusal(operator.itemgetter).partition('.')[0]
    'is a class of Python that a config cannot wrap'
    """
    if isinstance(target, enum.Enum) or (inspect.isclass(target) and issubclass(target, enum.Enum)):
        return f'is an enumeration, which no config can hold. {_advice_for_enum(target)}'
    if not callable(target):
        return 'is neither a class nor a function: only those can be bound.'
    if inspect.isclass(target) and not target.__flags__ & _IS_BASE_TYPE:
        return f'is a class of Python that a config cannot wrap. {_ADVICE}'
    try:
        kinds = [parameter.kind for parameter in types.signature(target).parameters.values()]
    except (TypeError, ValueError):  # some builtins do not tell their parameters
        return f'does not tell its parameters. {_ADVICE}'
    if kinds and all(kind in _BY_POSITION for kind in kinds):
        return f'takes values by position alone, and a config gives them by name. {_ADVICE}'
    return ''


def _advice_for_enum(target: Any) -> str:
    kind: Any = target if inspect.isclass(target) else type(target)
    names = ', '.join(map(repr, kind.__members__))
    return (
        f"Take the member's name as a string, one of {names}, and write {kind.__name__}[name] in your code."
    )
