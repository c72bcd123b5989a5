"""Figures on their way from the process that measures them to the file of results.

A process prints each figure as soon as it has it, as a line of its own. So a process that fails or hangs
later loses no earlier figure. This module needs the standard library alone.
"""

import json
from typing import Any

_MARK = 'figure '


def figure(name: str, value: Any) -> None:
    """Prints a figure, which JSON can hold."""
    print(f'{_MARK}{json.dumps({name: value})}', flush=True)


def read(line: str) -> dict[str, Any]:
    """Returns the figure of a line that a process has printed, by its name; {} if it is another line.

    >>> read('figure {"seconds": 1.5}'), read('Epoch 1')
    ({'seconds': 1.5}, {})
    """
    if not line.startswith(_MARK):
        return {}
    try:
        return dict(json.loads(line.removeprefix(_MARK)))
    except (ValueError, TypeError):  # a process that was killed in the middle of a line
        return {}
