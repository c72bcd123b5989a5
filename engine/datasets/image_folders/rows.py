"""The examples of folders of classes. A folder may hold millions, so each row is made when it is needed.

In memory, an example is only the text of its path, a tenth of a row with id, `Path` and class.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

Row = tuple[str, Path, Any]  # id, file, class


def chosen(rows: Sequence[Row], is_chosen: np.ndarray) -> Sequence[Row]:
    """Returns the rows where a bool [n] is true."""
    if isinstance(rows, FolderRows):
        return rows.chosen(is_chosen)
    return [rows[row] for row in np.flatnonzero(is_chosen).tolist()]


class FolderRows(Sequence[Row]):
    """Id, file and class of each image in `<folder>/<class>/`.

    Args:
      folder: the folder of the classes. Its name begins the ids.
      files: the paths of the images, at any depth below a class.
    """

    def __init__(self, folder: Path, files: list[str]):
        self._folder, self._files, self._start = folder, files, len(str(folder)) + 1

    def __len__(self) -> int:
        return len(self._files)

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, slice):
            return FolderRows(self._folder, self._files[index])
        file = self._files[index]
        return self._id(file), Path(file), self._class(file)

    def classes(self) -> list[str]:
        """Returns the class of each image."""
        return [*map(self._class, self._files)]

    def chosen(self, is_chosen: np.ndarray) -> 'FolderRows':
        """Returns the rows where a bool [n] is true."""
        return FolderRows(self._folder, [self._files[row] for row in np.flatnonzero(is_chosen).tolist()])

    def _id(self, file: str) -> str:
        return f'{self._folder.name}/{file[self._start :]}'

    def _class(self, file: str) -> str:
        return file[self._start :].partition('/')[0]
