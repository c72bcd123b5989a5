"""What users read when what a config describes cannot be built, traced or checked.

An error in the user's own code ends at their line. Other errors name the statement of the config that led to
them.
"""

import inspect
import re
import traceback
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from inspect import Parameter
from itertools import takewhile
from types import FrameType
from typing import Any

import gin

from engine import errors
from engine.config import bindable
from engine.config.bindings import Bindings
from engine.config.statements import Location, leaves
from engine.errors import Interrupted, RunError, UserError

_PLACE = re.compile(r'\S.*?:\d+[:,] |--gin_bindings')  # how a message begins that names its place
_VARIADIC = (Parameter.VAR_POSITIONAL, Parameter.VAR_KEYWORD)
_MANY_CALLS = 20  # in a stack of Python, which holds a thousand frames
_Frame = tuple[FrameType, int]  # with the line at which it is
_PARAMETER = re.compile(r'\b(\w+)\.(\w+)\b|\b(\w+) =')


@contextmanager
def explained(bindings: Bindings) -> Iterator[None]:
    """Turns errors inside into a `UserError` that says what is wrong, where, and what to do.

    Failures of the run and of the file system pass unchanged.

    Args:
      bindings: of the config. They know the places of its statements.
    """
    try:
        yield
    except UserError as mistake:
        raise UserError(_located(errors.reason(mistake), bindings)) from None
    except (RunError, Interrupted):
        raise
    except (Exception, SystemExit) as error:
        own = _own_code_failure(error, bindings)
        if isinstance(error, OSError | SystemExit) and not own:
            raise
        memory = errors.memory_failure(error)
        message = memory or _call_failure(error, bindings) or own or _other_failure(error, bindings)
        raise UserError(_located(message, bindings)) from error


def _located(message: str, bindings: Bindings) -> str:
    """Returns a message after the place of a statement that it mentions, if it names none itself."""
    if _PLACE.match(message):
        return message
    location = next(_mentioned(message, bindings), None)
    return f'{location}: {message}' if location else message


def _mentioned(message: str, bindings: Bindings) -> Iterator[Location]:
    """Yields the places of the parameters, strings, classes and functions that a message mentions."""
    effective = [binding for binding in bindings.effective.values() if binding.target]
    for owner, parameter, alone in _PARAMETER.findall(message):
        for binding in effective:
            if binding.parameter == (parameter or alone) and owner in ('', binding.target.__name__):
                yield bindings.origin(binding).location
    quoted = set(re.findall(r"'([^']*)'", message))
    for binding in map(bindings.origin, effective):
        strings = [leaf for leaf in leaves(binding.value) if isinstance(leaf, str)]
        if any({string, *re.split('[/:]', string)} & quoted for string in strings):
            yield binding.location
    words = set(re.findall(r'\w+', message))
    for target in bindings.targets():
        location = bindings.mention(target)[1]
        if location and getattr(target, '__name__', '') in words:
            yield location


def _own_code_failure(error: BaseException, bindings: Bindings) -> str:
    """Describes an error that came from the user's own code, and names what Gin was building."""
    failure = errors.own_code_failure(error)
    targets = [_target(frame) for frame, _ in traceback.walk_tb(error.__traceback__) if _is_call(frame)]
    if not failure or not targets:
        return failure
    heritage = _heritage(error, targets[-1], bindings)
    return '\n  '.join([failure, f'to build {_mention(targets[-1], bindings)}', *heritage])


def _heritage(error: BaseException, target: Any, bindings: Bindings) -> list[str]:
    """Returns what a class inherits of the parameters that a refusal of arguments mentions."""
    words = re.findall(r'\w+', errors.reason(error)) if isinstance(error, TypeError) else []
    return [
        f'{binding} is inherited from {binding.parent.owner} ({binding.location})'
        for binding in bindings.inherited.values()
        if binding.parent and binding.target is target and binding.parameter in words
    ]


# Errors of the calls that Gin makes.


class _Call:
    """A call of a configurable by Gin, on the stack of an error.

    Attributes:
      target: the class or function.
      caller: the frame and line that called it; None if the config did.
      inner: the frames below the call.
    """

    def __init__(self, frames: Sequence[_Frame], index: int):
        values = frames[index][0].f_locals
        self.target = _target(frames[index][0])
        args = values.get('new_args', ())
        self._given = args[inspect.isclass(self.target) :], values.get('new_kwargs', {})
        by_gin = list(takewhile(lambda pair: _is_gin(pair[0]), frames[index::-1]))
        by_config = any(frame.f_code.co_name == '__deepcopy__' for frame, _ in by_gin)
        self.caller = frames[index - len(by_gin)] if len(by_gin) <= index and not by_config else None
        self.inner = frames[index + 1 :]

    def missing(self) -> list[str]:
        """Returns the parameters that need a value and got none."""
        parameters = bindable.signature(self.target).parameters.values()
        required = [p.name for p in parameters if p.default is p.empty and p.kind not in _VARIADIC]
        args, kwargs = self._given
        return [name for name in required[len(args) :] if name not in kwargs]

    def has_unknown(self) -> bool:
        """Whether the call gives a parameter that the target does not have."""
        parameters = bindable.signature(self.target).parameters
        takes_all = any(p.kind is p.VAR_KEYWORD for p in parameters.values())
        return not takes_all and bool(self._given[1].keys() - parameters.keys())

    def is_refused(self) -> bool:
        """Whether the target does not take the arguments of the call."""
        args, kwargs = self._given
        try:
            bindable.signature(self.target).bind(*args, **kwargs)
        except TypeError:
            return True
        return False


def _call_failure(error: BaseException, bindings: Bindings) -> str:
    """Explains an error of a call that Gin makes; returns '' for other errors."""
    frames = list(traceback.walk_tb(error.__traceback__))
    indices = [index for index, (frame, _) in enumerate(frames) if _is_call(frame)]
    if not indices:
        return ''
    if isinstance(error, RecursionError) and len(indices) > _MANY_CALLS:
        return _recursion([_target(frames[index][0]) for index in indices], bindings)
    call = _Call(frames, indices[-1])
    if any(errors.is_own(frame) for frame, _ in call.inner):
        return ''
    if isinstance(error, TypeError) and call.is_refused():
        return _refused_arguments(error, call, bindings)
    return _other_failure(error, bindings, call.target)


def _is_call(frame: FrameType) -> bool:
    return _is_gin(frame) and frame.f_code.co_name == 'gin_wrapper'


def _target(frame: FrameType) -> Any:
    """Returns the class or function that a call by Gin calls."""
    return frame.f_locals['fn_or_cls']


def _is_gin(frame: FrameType) -> bool:
    return frame.f_globals.get('__name__', '').partition('.')[0] == gin.__name__


def _recursion(targets: Sequence[Any], bindings: Bindings) -> str:
    """Explains that a configurable is built from itself."""
    last = next((target for target in reversed(targets) if targets.count(target) > 2), targets[-1])
    rounds = list(targets[: len(targets) - list(targets)[::-1].index(last)])
    before = max((index for index, target in enumerate(rounds[:-1]) if target is last), default=0)
    chain = ' -> '.join(bindings.mention(target)[0] for target in rounds[before:])
    return f'{_mention(last, bindings)} is built from itself: {chain}. Bind something else.'


def _refused_arguments(error: BaseException, call: _Call, bindings: Bindings) -> str:
    at = f' at {errors.place(*call.caller)}' if call.caller else ''
    missing = call.missing()
    if call.has_unknown() or not missing:
        return (
            f'{_mention(call.target, bindings)} does not take what the call{at} gives it: '
            f'{errors.reason(error)}{_definition(call.target)}.'
        )
    name, _ = bindings.mention(call.target)
    lines = ' and '.join(f'`{name}.{parameter} = ...`' for parameter in missing)
    is_own = call.caller and errors.is_own(call.caller[0])
    return (
        f'{_mention(call.target, bindings)} needs a value for {", ".join(missing)}: '
        f'bind {lines} in your config{f", or give it in the call{at}" if is_own else ""}.'
    )


def _definition(target: Any) -> str:
    """Returns where the user's own code defines what a target takes; '' for other code."""
    code = getattr(bindable.constructor(target) if inspect.isclass(target) else target, '__code__', None)
    if not code or not errors.is_own_file(code.co_filename):
        return ''
    return f' ({errors.file_place(code.co_filename, code.co_firstlineno)})'


def _other_failure(error: BaseException, bindings: Bindings, target: Any = None) -> str:
    """Explains an error that code of a library or of the engine raised."""
    *_, last = traceback.walk_tb(error.__traceback__)
    what = _mention(target, bindings) if target else 'the experiment'
    kind = '' if isinstance(error, ValueError) else f'{type(error).__name__}: '
    return f'{what} cannot be built: {kind}{errors.reason(error)} (raised at {errors.place(*last)}).'


def _mention(target: Any, bindings: Bindings) -> str:
    """Returns the name of a target as the config writes it, after the place where it does."""
    name, location = bindings.mention(target)
    return f'{location}: {name}' if location else name
