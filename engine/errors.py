"""Exit codes, and the errors that end a program with one clear message and no traceback.

This module imports the standard library alone.
"""

import difflib
from collections.abc import Iterable

# The last one is EX_TEMPFAIL of sysexits.h: the same command may succeed later.
EXIT_FINISHED, EXIT_FAILED, EXIT_MISTAKE, EXIT_INTERRUPTED = 0, 1, 2, 75

MAX_LISTED_NAMES = 40


class UserError(Exception):
    """A mistake of the user. The message says what is wrong, where, the nearest valid name and what to do.

    Programs print the message without a traceback and exit with code 2.
    """


class RunError(Exception):
    """A failure that neither code nor config caused, such as a full disk or a loss that is NaN.

    Programs print the message without a traceback and exit with code 1. The run can be continued.
    """


class Interrupted(Exception):  # noqa: N818 (not an error)
    """A signal asked the program to stop, and everything is saved. Programs exit with code 75."""


def nearest(name: str, candidates: Iterable[str], count: int = 3) -> list[str]:
    """Returns up to `count` of `candidates` that resemble `name`, the most similar first.

    >>> nearest('tset', ['train', 'val', 'test'])
    ['test']
    """
    return difflib.get_close_matches(name, sorted(set(candidates)), n=count, cutoff=0.5)


def did_you_mean(name: str, candidates: Iterable[str]) -> str:
    """Returns a sentence that suggests the names nearest to `name`, or lists the names if none is near.

    A long list is cut: nobody reads the 300 names of a library.

    >>> did_you_mean('tset', ['train', 'val', 'test'])
    "Did you mean 'test'?"
    """
    names = sorted(set(candidates))
    suggestions = nearest(name, names)
    if suggestions:
        return 'Did you mean ' + ' or '.join(map(repr, suggestions)) + '?'
    if not names:
        return 'There are none.'
    more = len(names) - MAX_LISTED_NAMES
    return 'There are: ' + ', '.join(names[:MAX_LISTED_NAMES]) + (f' and {more} more.' if more > 0 else '.')
