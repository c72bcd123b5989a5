"""Data frames as tables."""

from pathlib import Path

import pandas as pd

from engine.render import table as tables
from engine.render.table import Table


def table(frame: pd.DataFrame) -> Table:
    """Returns a data frame as a table. Its index is the first column."""
    return Table.of(_titles(frame), frame.itertuples(name=None))


def write_csv(frame: pd.DataFrame, path: Path) -> None:
    """Writes a data frame as CSV. Its index is the first column."""
    with path.open('w', encoding='utf-8') as file:
        tables.write_csv(file, _titles(frame), frame.itertuples(name=None))


def _titles(frame: pd.DataFrame) -> list[str]:
    return ['' if frame.index.name is None else str(frame.index.name), *map(str, frame.columns)]
