"""Decides whether a value fits the annotation of a parameter. A `bool` does not count as a number here."""

import ast
import inspect
import re
import types
import typing
from collections.abc import Callable
from typing import Any

import typeguard


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


def parameter_names(target: Any) -> list[str]:
    """Returns the parameters of a class or function that can be given by name."""
    by_position = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.POSITIONAL_ONLY)
    parameters = signature(target).parameters
    return [name for name, parameter in parameters.items() if parameter.kind not in by_position]


def constructor(target: type) -> Any:
    """Returns the function that takes a class's arguments: the first `__init__` or `__new__` of its bases."""
    base = next(base for base in target.__mro__ if {'__init__', '__new__'} & vars(base).keys())
    return getattr(base, '__init__' if '__init__' in vars(base) else '__new__')


def selector(target: Any) -> str:
    """Returns the name of a class or function with the last part of its module's, as configs write it."""
    return f'{target.__module__.rpartition(".")[2]}.{target.__qualname__}'


def annotation(target: Any, parameter: str) -> Any:
    """Returns the annotation of a parameter, `Any` if it has none or one that cannot be evaluated."""
    parameters = signature(target).parameters
    return _evaluated(parameters[parameter].annotation, target) if parameter in parameters else Any


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
    if isinstance(value, dict):
        wanted = arguments[1] if len(arguments) == 2 else Any
        return [(item, wanted) for item in value.values()]
    if not arguments or arguments[-1] is Ellipsis or len(arguments) != len(value):
        arguments = (arguments[0] if arguments else Any,) * len(value)
    return list(zip(value, arguments, strict=True))


def _origin(annotation: Any) -> type:
    """Returns the class of an annotation, `tuple` of `tuple[str, ...]`; `_NoClass` if none is known."""
    origin = typing.get_origin(annotation) or annotation
    return origin if inspect.isclass(origin) and origin is not Any else _NoClass


class _NoClass:
    """The class of no value."""


def misfit_of_factory(factory: Any, annotation: Any) -> str:
    """Returns why a class or function, not called, does not fit an annotation; '' if it fits."""
    # A class has the methods of its instances, so it would satisfy a protocol that describes an instance.
    has_call = any('__call__' in vars(base) for base in getattr(annotation, '__mro__', ()))
    wants_instance = _is_protocol(annotation) and not has_call
    makes_function = any(map(_is_function_type, _members(annotation))) and _is_callable_type(_result(factory))
    return 'it is not called' if wants_instance or makes_function or _reason(factory, annotation) else ''


def _is_function_type(annotation: Any) -> bool:
    """Whether an annotation describes functions of known arguments that make no function or model in turn."""
    arguments = typing.get_args(annotation)
    is_known = typing.get_origin(annotation) is Callable and arguments[0] is not Ellipsis
    return is_known and not _is_callable_type(arguments[-1])


def _is_callable_type(annotation: Any) -> bool:
    """Whether all values of an annotation can be called, as far as the annotation tells."""
    return annotation is not Any and issubclass(_origin(annotation), Callable)


def misfit_of_product(factory: Any, annotation: Any) -> str:
    """Returns why the result of a factory does not fit an annotation; '' if it fits or nobody can know."""
    result = _result(factory)
    wanted = typing.get_args(annotation)[-1:] if typing.get_origin(annotation) is Callable else ()
    if wanted and _are_classes(result, *wanted):
        is_wanted_product = issubclass(result, wanted[0])
        return 'it is called where a factory is wanted: leave out ()' if is_wanted_product else ''
    fits = any(_may_be(result, member) for member in _members(annotation))
    return '' if fits else f'it makes {display(result)}'


def _may_be(result: Any, annotation: Any) -> bool:
    """Whether a value of a type may be one of another type, as far as the two annotations tell."""
    result, wanted = _origin(result), _origin(annotation)
    if _NoClass in (result, wanted) or _is_protocol(annotation) or (result, wanted) == (int, float):
        return True
    return issubclass(result, wanted)


def _result(factory: Any) -> Any:
    """Returns the annotation of what a class or function makes."""
    if inspect.isclass(factory):
        return factory
    return _evaluated(signature(factory).return_annotation, factory)


def _are_classes(*annotations: Any) -> bool:
    return all(inspect.isclass(annotation) and annotation is not Any for annotation in annotations)


def _is_protocol(annotation: Any) -> bool:
    return getattr(annotation, '_is_protocol', False)


def display(annotation: Any) -> str:
    """Returns an annotation as a person would write it.

    >>> display(tuple[str, ...] | None)
    'tuple[str, ...] | None'
    """
    if inspect.isclass(annotation):
        return annotation.__name__
    return re.sub(r'\b(?:\w+\.)+', '', str(annotation))  # without the modules


def _reason(value: Any, annotation: Any) -> str:
    if isinstance(value, bool) and _wants_number_only(annotation):
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


def _wants_number_only(annotation: Any) -> bool:
    members = _members(annotation)
    return bool({int, float} & members) and not {bool, Any} & members


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
