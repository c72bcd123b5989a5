"""The exceptions that a config states: checks that it fails for a good reason.

Each is a line of the comment at the top of the config:

    #   exception: overfit_one_batch - half of the labels are noise, on purpose
"""

import re
from collections.abc import Iterable
from itertools import takewhile
from pathlib import Path

from engine.errors import UserError, did_you_mean

_LINE = re.compile(r'#\s*exception:\s*(?P<check>\S*)\s*(?:-\s*(?P<reason>.*))?$')


def header(path: Path) -> list[str]:
    """Returns the lines of the comment at the top of a config, with their `#`."""
    return list(takewhile(lambda line: line.startswith('#'), path.read_text(encoding='utf-8').splitlines()))


def stated(path: Path, checks: Iterable[str]) -> dict[str, str]:
    """Returns the reasons that a config states, by name of the check.

    Raises:
      UserError: there is no such check, or a reason is missing.
    """
    reasons, names = {}, list(checks)
    for number, line in enumerate(header(path), start=1):
        match = _LINE.match(line)
        if not match:
            continue
        check, reason = match['check'], (match['reason'] or '').strip()
        if check not in names:
            raise UserError(f'{path}:{number}: there is no check {check!r}. {did_you_mean(check, names)}')
        if not reason:
            raise UserError(f'{path}:{number}: state the reason: `#   exception: {check} - <reason>`.')
        reasons[check] = reason
    return reasons
