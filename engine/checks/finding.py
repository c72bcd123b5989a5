"""What a check finds: a verdict, the numbers behind it, advice if it fails, pictures if they say more."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

PASS, FAIL, SKIP, EXCUSED = 'pass', 'fail', 'not applicable', 'excused'

Picture = Callable[[Path], None]  # draws itself into a file


@dataclass(frozen=True)
class Finding:
    """What a check found.

    Attributes:
      verdict: PASS, FAIL, SKIP where the check asks for something that the task does not have, or EXCUSED:
        failed, and the config says why that is right.
      found: in numbers.
      advice: what is probably wrong and what to do; '' where nothing is.
      pictures: by title.
    """

    verdict: str
    found: str
    advice: str = ''
    pictures: Mapping[str, Picture] = field(default_factory=dict)


def judged(good: bool, found: str, advice: str, pictures: Mapping[str, Picture] | None = None) -> Finding:
    """Returns a finding that passes if `good`, and else fails with the advice."""
    return Finding(PASS if good else FAIL, found, '' if good else advice, pictures or {})


def skipped(reason: str) -> Finding:
    """Returns a finding that says why there was nothing to check."""
    return Finding(SKIP, reason)
