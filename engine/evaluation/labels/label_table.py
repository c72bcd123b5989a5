"""A list of labels: the columns of a CSV file with a row per example."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from engine.errors import UserError, did_you_mean

ID = 'id'


@dataclass(frozen=True)
class LabelTable:
    """A list of labels: a row per example.

    Attributes:
      path: the CSV file, for messages. Files named in it are relative to its folder.
      columns: name to cells.
    """

    path: Path
    columns: Mapping[str, Sequence[str]]

    def column(self, *names: str) -> Sequence[str]:
        """Returns the cells of the first of these columns that exists.

        Raises:
          UserError: none of them exists.
        """
        existing = [name for name in names if name in self.columns]
        if not existing:
            wanted = ' or '.join(map(repr, names))
            raise UserError(f'{self.path} has no column {wanted}. {did_you_mean(names[0], self.columns)}')
        return self.columns[existing[0]]
