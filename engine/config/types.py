"""Whether a value fits a parameter: annotations, read and checked. A `bool` is no number here."""

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


def of(target: Any, parameter: str) -> Any:
    """Returns the annotation of a parameter, `Any` if it has none or one that cannot be evaluated."""
    found = signature(target).parameters.get(parameter)
    return _evaluated(found.annotation if found else inspect.Parameter.empty, target)


def _evaluated(annotation: Any, target: Any) -> Any:
    if isinstance(annotation, str):
        function = inspect.unwrap(target.__init__ if inspect.isclass(target) else target)
        try:
            return eval(annotation, getattr(function, '__globals__', {}))
        except Exception:  # a forward reference that only a type checker can follow
            return Any
    return Any if annotation is inspect.Parameter.empty else annotation


def misfit(value: Any, annotation: Any) -> str:
    """Returns why a value does not fit an annotation and what would, '' if it fits."""
    reason = _reason(value, annotation)
    return reason and reason + _correction(value, annotation)


def misfit_of_factory(factory: Any, annotation: Any) -> str:
    """Returns why a class or function itself does not fit an annotation, '' if it does."""
    # A class has the methods of its instances, and so would pass for what a protocol of methods describes.
    callable_too = any('__call__' in vars(each) for each in getattr(annotation, '__mro__', ()))
    stands_for_instance = _is_protocol(annotation) and not callable_too
    return 'it is not called' if stands_for_instance or _reason(factory, annotation) else ''


def misfit_of_made(factory: Any, annotation: Any) -> str:
    """Returns why what a factory makes does not fit an annotation, '' if it does or cannot be told."""
    made = factory if inspect.isclass(factory) else _evaluated(signature(factory).return_annotation, factory)
    wanted = typing.get_args(annotation)[-1:] if typing.get_origin(annotation) is Callable else ()
    if wanted and all(inspect.isclass(each) and each is not Any for each in (made, *wanted)):
        return 'it is called where a factory is wanted: leave out ()' if issubclass(made, wanted[0]) else ''
    told = all(inspect.isclass(each) and each is not Any for each in (made, annotation))
    if not told or _is_protocol(annotation) or (made, annotation) == (int, float):
        return ''
    return '' if issubclass(made, annotation) else f'it makes {shown(made)}'


def _is_protocol(annotation: Any) -> bool:
    return getattr(annotation, '_is_protocol', False)


def shown(annotation: Any) -> str:
    """Returns an annotation as a person would write it."""
    if inspect.isclass(annotation):
        return annotation.__name__
    return re.sub(r'\b(?:\w+\.)+', '', str(annotation))  # without the modules


def _reason(value: Any, annotation: Any) -> str:
    if (
        isinstance(value, bool)
        and not {bool, Any} & _members(annotation)
        and {int, float} & _members(annotation)
    ):
        return 'it is a bool'  # which Python counts as a number, and a config must not
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


def _members(annotation: Any) -> set[Any]:
    """Returns the types of a union; a type by itself is one of one."""
    is_union = typing.get_origin(annotation) in (typing.Union, types.UnionType)
    return set(typing.get_args(annotation)) if is_union else {annotation}


def _correction(value: Any, annotation: Any) -> str:
    """Returns advice where the value that was meant is plain: 1e3 for 1000, '0.1' for 0.1."""
    better: Any = value
    if isinstance(value, float) and value.is_integer():
        better = int(value)
    elif isinstance(value, str):
        try:
            better = ast.literal_eval(value)
        except (ValueError, SyntaxError):
            return ''
    return '' if better is value or _reason(better, annotation) else f'; write {better!r}'
