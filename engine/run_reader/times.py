"""Where the time of a training went, from the lines of `performance.jsonl`."""

from collections.abc import Mapping
from typing import Any

import pandas as pd

REST = 'steps'  # the time that no other kind of work accounts for: the device is at work, and waited for
KINDS = ('data', REST, 'evaluation', 'checkpoint', 'log')
# What each kind contains, as `engine/training/logs/clock.py` calls it.
CONTAINED = {
    'data': ['data'],
    'evaluation': ['evaluation', 'pictures'],
    'checkpoint': ['checkpoint'],
    'log': ['log', 'observers'],
}


def flat(line: Mapping[str, Any]) -> dict[str, Any]:
    """Returns a line with its seconds by kind beside the other numbers."""
    seconds = line.get('seconds')
    numbers = {'examples_per_second': line.get('examples_per_second')}
    numbers |= seconds if isinstance(seconds, dict) else {}
    return numbers | {'step': line['step']}


def by_kind(table: pd.DataFrame) -> pd.DataFrame:
    """Returns the columns `examples_per_second`, `total` and `KINDS`.

    The time of the steps is `total` without the other kinds of work.

    Args:
      table: flat lines, by step.
    """
    columns = [name for names in CONTAINED.values() for name in names]
    table = table.reindex(columns=['examples_per_second', 'total', *columns])
    known = table[columns].fillna(0.0)
    times = pd.DataFrame({kind: known[names].sum(axis=1) for kind, names in CONTAINED.items()})
    times[REST] = (table['total'] - times.sum(axis=1)).clip(lower=0.0)
    return pd.concat([table[['examples_per_second', 'total']], times[list(KINDS)]], axis=1)
