"""The result of a check: a verdict, the numbers behind it, advice if it fails, and pictures."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

PASS, FAIL, SKIP, EXCUSED = 'pass', 'fail', 'not applicable', 'excused'

Picture = Callable[[Path], None]  # draws itself into a file


@dataclass(frozen=True)
class Finding:
    """The result of a check.

    Attributes:
      verdict: PASS, FAIL, SKIP (the task lacks what the check examines) or EXCUSED (the check fails, and the
        config gives a reason).
      result: the measured numbers.
      advice: the probable cause of a failure and what to do, '' without a failure.
      pictures: functions that draw a picture, by title.
    """

    verdict: str
    result: str
    advice: str = ''
    pictures: Mapping[str, Picture] = field(default_factory=dict)


def judged(passed: bool, result: str, advice: str, pictures: Mapping[str, Picture] | None = None) -> Finding:
    """Returns a finding that passes, or fails with the advice."""
    return Finding(PASS if passed else FAIL, result, '' if passed else advice, pictures or {})


def skipped(reason: str) -> Finding:
    """Returns a finding that states why the check does not apply."""
    return Finding(SKIP, reason)
