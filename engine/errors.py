"""Exit codes, and the errors that end a program with one clear message and no traceback.

This module imports the standard library alone.
"""

import difflib
import inspect
import linecache
import re
import sysconfig
import traceback
from collections.abc import Iterable
from pathlib import Path
from types import FrameType
from typing import Any

# The last one is EX_TEMPFAIL of sysexits.h: the same command may succeed later.
EXIT_FINISHED, EXIT_FAILED, EXIT_MISTAKE, EXIT_INTERRUPTED = 0, 1, 2, 75

MAX_LISTED_NAMES = 40
MAX_REASON_LINES, MAX_CALLERS = 10, 5  # of an error of own code

_ENGINE = Path(__file__).resolve().parent
_LIBRARIES = tuple(sysconfig.get_paths()[name] for name in ('stdlib', 'platstdlib', 'purelib', 'platlib'))
# How XLA, CUDA, NumPy, OpenCV and the C library say that memory ran out.
_OUT_OF_MEMORY = re.compile(
    r'RESOURCE_EXHAUSTED|out.of.memory|(?:unable|failed) to allocate|cannot allocate memory|bad_alloc|'
    r'status_alloc_failed|attempting to (?:allocate|reserve) [\d.]+|insufficient memory',
    re.IGNORECASE,
)
LESS_MEMORY = (
    'To train with less, lower Trainer.batch_size, set accumulation_steps or remat of the task, or take a '
    'smaller model.'
)
# What Gin and JAX append to the messages of others.
_APPENDED = re.compile(
    r'\n  (?:In call to configurable|No values supplied by Gin|In bindings string line)|\n-{10,}\n'
)


class _OneMessageError(Exception):
    """An error whose message says all: neither programs nor notebooks show its traceback."""

    def _render_traceback_(self) -> list[str]:
        """Returns the lines that IPython and Jupyter print of this error."""
        return [f'error: {self}']


class UserError(_OneMessageError):
    """A mistake of the user. The message says what is wrong, where, the nearest valid name and what to do.

    Programs print the message without a traceback and exit with code 2.
    """


class ExampleError(UserError):
    """What is wrong with one example. Whoever knows the ids raises a `UserError` with the id instead.

    Args:
      row: of the example.
      problem: what is wrong, a sentence that begins with the name of an array.
    """

    def __init__(self, row: int, problem: str):
        super().__init__(problem)
        self.row = row


class RunError(_OneMessageError):
    """A failure that neither code nor config caused, such as a full disk or a loss that is NaN.

    Programs print the message without a traceback and exit with code 1. The run can be resumed.
    """


class Interrupted(Exception):  # noqa: N818 (not an error)
    """A signal asked the program to stop, and everything is saved. Programs exit with code 75."""


class Paused(Interrupted):
    """The training has reached the step of `--until`, and everything is saved. Programs exit with code 0."""


def exit_code(error: BaseException | None) -> int:
    """Returns the exit code of a program that ended by an error, or without one."""
    if error is None:
        return EXIT_FINISHED
    return _EXIT_CODES.get(type(error), EXIT_FAILED)


_EXIT_CODES = {UserError: EXIT_MISTAKE, Interrupted: EXIT_INTERRUPTED, Paused: EXIT_FINISHED}


def nearest(name: str, candidates: Iterable[str], count: int = 3, cutoff: float = 0.5) -> list[str]:
    """Returns up to `count` of `candidates` that resemble `name`, the most similar first.

    Capitals make no difference, and a name may stand for the words of which it holds the initials.

    >>> nearest('tset', ['train', 'val', 'test'])
    ['test']
    >>> nearest('lr', ['STEPS', 'LEARNING_RATE'])
    ['LEARNING_RATE']
    """
    names = sorted(set(candidates) - {name})
    wanted = name.casefold()
    same = [known for known in names if wanted in (known.casefold(), _initials(known))]
    by_folded = {known.casefold(): known for known in names}
    similar = difflib.get_close_matches(wanted, by_folded, n=count, cutoff=cutoff)
    return list(dict.fromkeys([*same, *(by_folded[folded] for folded in similar)]))[:count]


def _initials(name: str) -> str:
    """Returns the first letters of a name's words: 'lr' of LEARNING_RATE; '' of a single word."""
    words = name.casefold().split('_')
    return ''.join(word[:1] for word in words) if len(words) > 1 else ''


def did_you_mean(name: str, candidates: Iterable[str]) -> str:
    """Returns a sentence that suggests the names nearest to `name`, or lists the names if none is near.

    A long list is cut: nobody reads the 300 names of a library.

    >>> did_you_mean('tset', ['train', 'val', 'test'])
    "Did you mean 'test'?"
    """
    names = sorted(set(candidates) - {name})
    suggestions = nearest(name, names)
    if suggestions:
        return 'Did you mean ' + ' or '.join(map(repr, suggestions)) + '?'
    if not names:
        return 'There are none.'
    more = len(names) - MAX_LISTED_NAMES
    return 'There are: ' + ', '.join(names[:MAX_LISTED_NAMES]) + (f' and {more} more.' if more > 0 else '.')


# Errors of the user's own code.


def own_code_failure(error: BaseException) -> str:
    """Describes an error that came from the user's own code, by their lines alone.

    Their own code is all that belongs neither to the engine nor to Python and its packages.

    Returns:
      The message; '' if none of the user's code took part.
    """
    frames = [pair for pair in traceback.walk_tb(error.__traceback__) if is_own(pair[0])]
    kind = f'{type(error).__name__}: {reason(error)}'.removesuffix(': ')
    if isinstance(error, SyntaxError) and error.filename and is_own_file(error.filename):
        return f'{file_place(error.filename, error.lineno or 1)}: {type(error).__name__}: {error.msg}'
    if not frames:
        return ''
    *callers, (frame, line) = frames[-MAX_CALLERS - 1 :]
    code = linecache.getline(_file(frame), line).strip()
    lines = [f'{place(frame, line)}, in {frame.f_code.co_qualname}: {kind}', f'    {code}' if code else '']
    lines += [f'  called at {place(*caller)}, in {caller[0].f_code.co_qualname}' for caller in callers[::-1]]
    return '\n'.join(filter(None, lines))


def memory_failure(error: BaseException) -> str:
    """Describes an error by which memory ran out, and what to do; returns '' for other errors."""
    what = memory_reason(error)
    return f'memory ran out: {what}. {LESS_MEMORY}' if what else ''


def memory_reason(error: BaseException) -> str:
    """Returns the message of an error of memory, without its full stop; '' for other errors."""
    if not isinstance(error, MemoryError) and not _OUT_OF_MEMORY.search(str(error)):
        return ''
    return reason(error).splitlines()[0].rstrip('.') if str(error) else 'no more memory'


def is_own(frame: FrameType) -> bool:
    """Whether a frame runs the user's own code and does not hide itself, as pytest and JAX understand it."""
    return is_own_file(_file(frame)) and '__tracebackhide__' not in frame.f_locals


def is_own_file(file: str) -> bool:
    """Whether a source file is the user's, not the engine's, Python's or a package's."""
    is_installed = file.startswith(_LIBRARIES) or {'site-packages', 'dist-packages'} & set(Path(file).parts)
    return not (is_installed or file.startswith('<') or Path(file).is_relative_to(_ENGINE))


def reason(error: BaseException) -> str:
    """Returns the message of an error, without what libraries append to it and without its further lines."""
    text = _APPENDED.split(str(error))[0]
    lines = [line for line in text.strip().splitlines() if line.strip()]
    return '\n'.join(lines[:MAX_REASON_LINES])


def place(frame: FrameType, line: int) -> str:
    """Returns where a line of a frame's code is, as messages show it."""
    return file_place(_file(frame), line)


def file_place(file: str, line: int) -> str:
    """Returns a line of a file as messages show it: `research/models/mlp.py:12`."""
    return f'{_shown(file)}:{line}'


def function_place(function: Any) -> str:
    """Returns where a function begins, as `file_place` does; '' if it is not written in Python."""
    code = getattr(inspect.unwrap(function) if callable(function) else function, '__code__', None)
    return file_place(code.co_filename, code.co_firstlineno) if code else ''


def kind_of(value: Any) -> str:
    """Returns what a function returned by mistake, in words.

    >>> kind_of(None), kind_of([1])
    ('nothing', 'a value of type list')
    """
    if hasattr(value, 'dtype') and hasattr(value, 'shape'):
        return 'a bare array'
    return 'nothing' if value is None else f'a value of type {type(value).__name__}'


def _file(frame: FrameType) -> str:
    return frame.f_code.co_filename


def _shown(file: str) -> str:
    """Returns a path relative to the repository, or from the name of an installed package on."""
    path = Path(file)
    if path.is_relative_to(_ENGINE.parent) and 'site-packages' not in path.parts:
        return str(path.relative_to(_ENGINE.parent))
    roots = [Path(root) for root in _LIBRARIES if path.is_relative_to(root)]
    return str(path.relative_to(max(roots, key=lambda root: len(root.parts)))) if roots else file
