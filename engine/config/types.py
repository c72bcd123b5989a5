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
    """Returns the signature of a function, or of a class's `__init__` without `self`."""
    if inspect.isclass(target):  # of a class with a metaclass, inspect would see the metaclass's __call__
        return inspect.Signature(list(inspect.signature(target.__init__).parameters.values())[1:])
    return inspect.signature(target)


def annotation(target: Any, parameter: str) -> Any:
    """Returns the annotation of a parameter, `Any` if it has none or one that cannot be evaluated."""
    parameters = signature(target).parameters
    return _evaluated(parameters[parameter].annotation, target) if parameter in parameters else Any


def _evaluated(written: Any, target: Any) -> Any:
    if isinstance(written, str):
        function = inspect.unwrap(target.__init__ if inspect.isclass(target) else target)
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


def misfit_of_factory(factory: Any, annotation: Any) -> str:
    """Returns why a class or function, not called, does not fit an annotation; '' if it fits."""
    # A class has the methods of its instances, so it would satisfy a protocol that describes an instance.
    has_call = any('__call__' in vars(base) for base in getattr(annotation, '__mro__', ()))
    wants_instance = _is_protocol(annotation) and not has_call
    return 'it is not called' if wants_instance or _reason(factory, annotation) else ''


def misfit_of_product(factory: Any, annotation: Any) -> str:
    """Returns why the result of a factory does not fit an annotation; '' if it fits or nobody can know."""
    result = _result(factory)
    wanted = typing.get_args(annotation)[-1:] if typing.get_origin(annotation) is Callable else ()
    if wanted and _are_classes(result, *wanted):
        is_wanted_product = issubclass(result, wanted[0])
        return 'it is called where a factory is wanted: leave out ()' if is_wanted_product else ''
    if (
        not _are_classes(result, annotation)
        or _is_protocol(annotation)
        or (result, annotation) == (int, float)
    ):
        return ''
    return '' if issubclass(result, annotation) else f'it makes {display(result)}'


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
    if isinstance(value, float) and value.is_integer():
        better = int(value)
    elif isinstance(value, str):
        try:
            better = ast.literal_eval(value)
        except (ValueError, SyntaxError):
            return ''
    return '' if better is value or _reason(better, annotation) else f'; write {better!r}'
