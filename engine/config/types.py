"""Decides whether a value fits the annotation of a parameter. A `bool` does not count as a number here."""

import ast
import inspect
import re
import types
import typing
from collections.abc import Callable
from itertools import product
from typing import Any

import typeguard

from engine.config import bindable
from engine.config.bindable import adapter, constructor, signature
from engine.errors import did_you_mean

_OF_VALUES = {'builtins', 'jax', 'jaxlib', 'numpy'}  # their numbers and arrays stand for one another


def annotation(target: Any, parameter: str) -> Any:
    """Returns the annotation of a parameter, `Any` if it has none or one that cannot be evaluated."""
    known = bindable.parameter(target, parameter)
    return _evaluated(known.annotation, target) if known else Any


def _evaluated(written: Any, target: Any) -> Any:
    if isinstance(written, str):
        function = inspect.unwrap(constructor(target) if inspect.isclass(target) else target)
        try:
            return eval(written, getattr(function, '__globals__', {}))
        except Exception:  # a forward reference that only a type checker can follow
            return Any
    return Any if written is inspect.Parameter.empty else written


def misfit(value: Any, annotation: Any) -> str:
    """Returns why a value does not fit an annotation, and what to write instead; '' if it fits.

    >>> misfit(1e3, int)
    'float is not an instance of int; write 1000'
    """
    reason = _reason(value, annotation)
    return reason and reason + _correction(value, annotation)


def items(value: Any, annotation: Any) -> list[tuple[Any, Any]]:
    """Returns the items of a list, tuple or dict with their annotations, `Any` where there are none.

    >>> items(('loss', 'min'), tuple[str, int] | None)
    [('loss', <class 'str'>), ('min', <class 'int'>)]
    """
    fitting = [member for member in _members(annotation) if isinstance(value, _origin(member))]
    arguments = typing.get_args(fitting[0]) if len(fitting) == 1 else ()
    if fitting and typing.is_typeddict(fitting[0]):
        hints = typing.get_type_hints(fitting[0])
        return [(item, hints.get(name, Any)) for name, item in value.items()]
    if isinstance(value, dict):
        return [(item, arguments[1] if len(arguments) == 2 else Any) for item in value.values()]
    if not arguments or arguments[-1] is Ellipsis or len(arguments) != len(value):
        arguments = (arguments[0] if arguments else Any,) * len(value)
    return list(zip(value, arguments, strict=True))


def misfit_of_container(value: Any, annotation: Any) -> str:
    """Returns why a list, tuple or dict does not fit an annotation, whatever it holds; '' if it fits."""
    return _least([_misfit_of_size(value, member) for member in _members(annotation)])


def _misfit_of_size(value: Any, annotation: Any) -> str:
    arguments = typing.get_args(annotation)
    if _origin(annotation) is not _NoClass and not isinstance(value, _origin(annotation)):
        return f'{type(value).__name__} is not {display(annotation)}'
    known = typing.get_type_hints(annotation) if typing.is_typeddict(annotation) else value
    if isinstance(value, dict) and (unknown := sorted(value.keys() - known.keys())):
        return f'it has no {unknown[0]!r}. {did_you_mean(unknown[0], known)}'
    if _origin(annotation) is tuple and arguments and arguments[-1] is not Ellipsis:
        return '' if len(arguments) == len(value) else f'it has {len(value)} items, not {len(arguments)}'
    return ''


def _origin(annotation: Any) -> Any:
    """Returns the class of an annotation, `tuple` of `tuple[str, ...]`; `_NoClass` if none is known."""
    origin = dict if typing.is_typeddict(annotation) else typing.get_origin(annotation) or annotation
    is_known = inspect.isclass(origin) and origin is not Any and not _is_protocol(origin)
    return origin if is_known else _NoClass


class _NoClass:
    """The class of no value."""


def misfit_of_factory(factory: Any, annotation: Any) -> str:
    """Returns why a class or function, not called, does not fit an annotation; '' if it fits."""
    members = _members(annotation)
    if any(map(_is_function_type, members)) and _is_called(_result(factory)):
        return 'it is not called'
    return _least([_misfit_of_maker(factory, member) for member in members])


def _misfit_of_maker(factory: Any, wanted: Any) -> str:
    """Returns why a class or function, not called, does not fit one type; '' if it fits."""
    made = _result(factory)
    if not _is_callable_type(wanted):
        # A class has the methods of its instances, so it would satisfy a protocol that describes an instance.
        has_call = any('__call__' in vars(base) for base in getattr(wanted, '__mro__', ()))
        describes_instance = _is_protocol(wanted) and not has_call
        return 'it is not called' if describes_instance or _reason(factory, wanted) else ''
    if _may_return(made, typing.get_args(wanted)[-1]):
        return ''
    is_uncalled = _is_called(made) and _may_return(_result_of_call(made), typing.get_args(wanted)[-1])
    return 'it is not called' if is_uncalled else f'it makes {display(made)}{adapter(_origin(made))}'


def misfit_of_product(factory: Any, annotation: Any) -> str:
    """Returns why the result of a factory does not fit an annotation; '' if it fits or nobody can know."""
    return _least([_misfit_of_made(_result(factory), member) for member in _members(annotation)])


def _misfit_of_made(made: Any, wanted: Any) -> str:
    """Returns why a `made` does not fit one type; '' if it fits or nobody can know."""
    returned = typing.get_args(wanted)[-1] if _is_callable_type(wanted) else Any
    if _origin(returned) is not _NoClass and _is_like(_origin(made), _origin(returned)):
        return 'it is called where a factory is wanted: leave out ()'
    if not _may_be(made, wanted):
        return f'it makes {display(made)}{adapter(_origin(made))}'
    result = _result_of_call(made)
    if _may_return(result, returned):
        return ''
    return f'it makes {display(made)}, which makes {display(result)}{adapter(_origin(made))}'


def _least(misfits: list[str]) -> str:
    """Returns '' if one of the misfits is; else the longest, which says most."""
    return '' if '' in misfits else max(misfits, key=len)


def _is_callable_type(annotation: Any) -> bool:
    """Whether an annotation is `Callable[..., what it returns]`."""
    return typing.get_origin(annotation) is Callable


def _is_function_type(annotation: Any) -> bool:
    """Whether an annotation describes functions of known arguments that make no function or model in turn."""
    arguments = typing.get_args(annotation)
    is_known = _is_callable_type(annotation) and arguments[0] is not Ellipsis
    return is_known and not _is_called(arguments[-1])


def _is_called(annotation: Any) -> bool:
    """Whether all values of a type can be called, as far as the annotation tells."""
    return issubclass(_origin(annotation), Callable)


def _may_be(made: Any, annotation: Any) -> bool:
    """Whether a value of a type may be one of another type, as far as the two annotations tell."""
    result, wanted = _origin(made), _origin(annotation)
    return _NoClass in (result, wanted) or (result, wanted) == (int, float) or issubclass(result, wanted)


def _may_return(made: Any, annotation: Any) -> bool:
    """Whether a function that states one type may return another: it may state a more general one."""
    for result, wanted in product(map(_origin, _members(made)), map(_origin, _members(annotation))):
        are_values = {result.__module__.partition('.')[0], wanted.__module__.partition('.')[0]} <= _OF_VALUES
        if are_values or _may_be(result, wanted) or issubclass(wanted, result) or _is_like(result, wanted):
            return True
    return False


def _is_like(made: type, wanted: type) -> bool:
    """Whether a class derives from another, or has all fields of a named tuple."""
    names = getattr(wanted, '_fields', ())
    return issubclass(made, wanted) or (bool(names) and all(hasattr(made, name) for name in names))


def _result(factory: Any) -> Any:
    """Returns the annotation of what a class or function makes."""
    if inspect.isclass(factory):
        return factory
    return _evaluated(signature(factory).return_annotation, factory)


def _result_of_call(made: Any) -> Any:
    """Returns the annotation of what a value of a type returns when it is called; `Any` if it is unknown."""
    if _is_callable_type(made):
        return typing.get_args(made)[-1]
    calls = [vars(base)['__call__'] for base in getattr(made, '__mro__', ()) if '__call__' in vars(base)]
    return _result(calls[0]) if calls and inspect.isfunction(calls[0]) else Any


def _is_protocol(annotation: Any) -> bool:
    return getattr(annotation, '_is_protocol', False)


def display(annotation: Any) -> str:
    """Returns an annotation as a person would write it.

    >>> display(tuple[str, ...] | None)
    'tuple[str, ...] | None'
    """
    text = annotation.__name__ if inspect.isclass(annotation) else str(annotation)
    return re.sub(r'\b(?:\w+\.)+', '', text)  # without the modules


def _reason(value: Any, annotation: Any) -> str:
    if _holds_bool(value, annotation):
        return 'it is a bool'  # Python counts it as a number, and a config must not
    try:
        typeguard.check_type(
            value,
            annotation,
            forward_ref_policy=typeguard.ForwardRefPolicy.IGNORE,
            collection_check_strategy=typeguard.CollectionCheckStrategy.ALL_ITEMS,
        )
    except typeguard.TypeCheckError as error:
        return str(error).split('\n')[0].rstrip(':')
    return ''


def _holds_bool(value: Any, annotation: Any) -> bool:
    """Whether a value, or an item of it, is a bool where a number is wanted."""
    if isinstance(value, list | tuple | dict):
        return any(_holds_bool(item, wanted) for item, wanted in items(value, annotation))
    members = _members(annotation)
    return isinstance(value, bool) and bool({int, float} & members) and not {bool, Any} & members


def _members(annotation: Any) -> set[Any]:
    """Returns the types of a union; for any other type, that type."""
    is_union = typing.get_origin(annotation) in (typing.Union, types.UnionType)
    return set(typing.get_args(annotation)) if is_union else {annotation}


def _correction(value: Any, annotation: Any) -> str:
    """Suggests the value that was clearly meant: 1000 for 1e3, 0.1 for '0.1'. Returns '' if none is clear."""
    better: Any = value
    if isinstance(value, list) and not _reason(tuple(value), annotation):
        better = tuple(value)
    elif not _reason((value,), annotation):
        better = (value,)
    elif isinstance(value, float) and value.is_integer():
        better = int(value)
    elif isinstance(value, str):
        try:
            better = ast.literal_eval(value)
        except (ValueError, SyntaxError):
            return ''
    return '' if better is value or _reason(better, annotation) else f'; write {better!r}'
