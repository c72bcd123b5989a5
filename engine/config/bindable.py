"""Which classes and functions a config can bind, and by which parameters: Gin gives values by name alone."""

import enum
import inspect
from typing import Any

_IS_BASE_TYPE = 1 << 10  # Py_TPFLAGS_BASETYPE: other classes, such as `range`, cannot be derived from
_BY_POSITION = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.POSITIONAL_ONLY)
_ADVICE = 'Write a function of your own that returns what you need, and bind that.'
_CHAIN = (
    'Bind @optimizers.Chained() of engine/parts/ instead, and list its parts: '
    'optimizers.Chained.transformations = [...].'
)
_INSTEAD = {('optax', 'chain'): _CHAIN, ('optax', 'named_chain'): _CHAIN}  # by package and name

# What to bind instead of a class of another library, by the base class of such classes.
_ADAPTERS = {
    'flax.linen.module.Module': 'a Linen module comes in by engine.parts.linen: bind @linen.Linen(), and '
    'this class to linen.Linen.module',
}


def adapter(made: type) -> str:
    """Returns what to bind instead of a class of another library, as a part of a sentence; '' if unknown."""
    bases = {f'{base.__module__}.{base.__qualname__}' for base in made.__mro__}
    return ''.join(f'; {advice}' for base, advice in _ADAPTERS.items() if base in bases)


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
        kinds = [parameter.kind for parameter in signature(target).parameters.values()]
    except (TypeError, ValueError):  # some builtins do not tell their parameters
        return f'does not tell its parameters. {_ADVICE}'
    if kinds and all(kind in _BY_POSITION for kind in kinds):
        package = (getattr(target, '__module__', None) or '').partition('.')[0]
        advice = _INSTEAD.get((package, getattr(target, '__name__', '')), _ADVICE)
        return f'takes values by position alone, and a config gives them by name. {advice}'
    return ''


def _advice_for_enum(target: Any) -> str:
    kind: Any = target if inspect.isclass(target) else type(target)
    names = ', '.join(map(repr, kind.__members__))
    return (
        f"Take the member's name as a string, one of {names}, and write {kind.__name__}[name] in your code."
    )


def signature(target: Any) -> inspect.Signature:
    """Returns the signature of a function, or what a class takes.

    Raises:
      TypeError, ValueError: it is a builtin that does not tell its parameters.
    """
    if inspect.isclass(target):  # of a class with a metaclass, inspect would see the metaclass's __call__
        return inspect.Signature(list(inspect.signature(constructor(target)).parameters.values())[1:])
    return inspect.signature(target)


def takes(target: Any, parameter: str) -> bool:
    """Whether a class or function takes a parameter by name.

    >>> takes(sorted, 'reverse'), takes(dict, 'anything'), takes(print, 'nothing')
    (True, True, False)
    """
    takes_all = any(known.kind is known.VAR_KEYWORD for known in signature(target).parameters.values())
    return takes_all or parameter in parameter_names(target)


def parameter(target: Any, name: str) -> inspect.Parameter | None:
    """Returns the parameter that takes a name: the one that is called so, or else `**options`."""
    parameters = signature(target).parameters
    options = (known for known in parameters.values() if known.kind is known.VAR_KEYWORD)
    return parameters.get(name) or next(options, None)


def parameter_names(target: Any) -> list[str]:
    """Returns the parameters of a class or function that can be given by name."""
    parameters = signature(target).parameters
    return [name for name, parameter in parameters.items() if parameter.kind not in _BY_POSITION]


def constructor(target: type) -> Any:
    """Returns the function that takes a class's arguments: the first `__init__` or `__new__` of its bases."""
    base = next(base for base in target.__mro__ if {'__init__', '__new__'} & vars(base).keys())
    return getattr(base, '__init__' if '__init__' in vars(base) else '__new__')


def selector(target: Any) -> str:
    """Returns the name of a class or function with the last part of its module's, as configs write it."""
    return f'{target.__module__.rpartition(".")[2]}.{target.__qualname__}'
