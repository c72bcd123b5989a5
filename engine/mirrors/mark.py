"""The mark of a copied run: what a destination holds of it, and whether the run still begins so.

A run that a kill has interrupted continues the same curve, so a later copy adds what is new. A run that
continued with accepted changes, or was trained again, has another curve: then the mark does not fit, and the
copy is replaced.
"""

import hashlib
from typing import Any

import pandas as pd

from engine.mirrors.mirrored_run import MirroredRun, Tables

Mark = dict[str, Any]  # JSON


def of(run: MirroredRun) -> Mark:
    """Returns the mark of a run: digests of its config and of its rows, its state and the last steps."""
    tables = {name: [_last(table), _digest(table)] for name, table in run.tables.items()}
    config = hashlib.sha256(run.config.encode()).hexdigest()
    return {'config': config, 'state': run.state, 'tables': tables}


def fits(mark: Mark, run: MirroredRun) -> bool:
    """Returns whether a copy with this mark only lacks later rows of the run; a damaged mark never fits."""
    now, tables = of(run), mark.get('tables')
    if not isinstance(tables, dict) or mark.get('config') != now['config']:
        return False
    return all(_begins_with(table, tables.get(name)) for name, table in run.tables.items())


def rows_after(mark: Mark, run: MirroredRun) -> Tables:
    """Returns the rows of a run that a copy with a fitting mark lacks."""
    return {name: table.loc[table.index > mark['tables'][name][0]] for name, table in run.tables.items()}


def _begins_with(table: pd.DataFrame, entry: Any) -> bool:
    """Returns whether a table begins with the rows that an entry of a mark stands for."""
    if not isinstance(entry, list) or not entry or type(entry[0]) is not int:
        return False
    return entry == [entry[0], _digest(table.loc[table.index <= entry[0]])]


def _last(table: pd.DataFrame) -> int:
    return int(table.index[-1]) if len(table) else -1


def _digest(table: pd.DataFrame) -> str:
    """Returns a digest of all numbers and their steps. A column without numbers does not count."""
    sha256 = hashlib.sha256()
    for name in sorted(table.columns):
        numbers = table[name].dropna()
        if len(numbers):
            sha256.update(f'{name}\n{len(numbers)}\n'.encode())
            sha256.update(numbers.index.to_numpy('<i8').tobytes() + numbers.to_numpy('<f8').tobytes())
    return sha256.hexdigest()
