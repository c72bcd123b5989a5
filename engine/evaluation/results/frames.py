"""Data frames as tables."""

import pandas as pd

from engine.render.table import Table


def table(frame: pd.DataFrame) -> Table:
    """Returns a data frame as a table. Its index is the first column."""
    titles = ['' if frame.index.name is None else frame.index.name, *frame.columns]
    return Table.of(titles, frame.itertuples(name=None))
