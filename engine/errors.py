"""What ends a program with one clear message and no traceback. Imports the standard library alone."""

import difflib
from collections.abc import Iterable

# Exit codes; the last is EX_TEMPFAIL of sysexits.h: try again.
FINISHED, FAILED, MISTAKE, INTERRUPTED = 0, 1, 2, 75


class UserError(Exception):
    """A mistake of the user's: what is wrong, where, the nearest right thing, what to do.

    Programs print the message without a traceback and exit with code 2.
    """


class RunError(Exception):
    """What ends a run and is no mistake in code or config: a full disk, a loss that is NaN.

    Programs print the message without a traceback and exit with code 1; the run can be continued.
    """


class Interrupted(Exception):  # noqa: N818 (no error)
    """A signal has asked for the end, and all is saved. Programs exit with code 75."""


def nearest(name: str, candidates: Iterable[str], most: int = 3) -> list[str]:
    """Returns at most `most` of `candidates` that resemble `name`, the most alike first."""
    return difflib.get_close_matches(name, sorted(set(candidates)), n=most, cutoff=0.5)


def did_you_mean(name: str, candidates: Iterable[str]) -> str:
    """Returns a sentence that names what resembles `name`, or else all there is to choose from."""
    names = sorted(set(candidates))
    close = nearest(name, names)
    if close:
        return 'Did you mean ' + ' or '.join(repr(each) for each in close) + '?'
    return 'There are: ' + ', '.join(names) + '.' if names else 'There are none.'
