"""What a page of predictions says of each example. A kind may define it in `page.py` of its folder."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from engine.outputs import kind_folders
from engine.outputs.outputs import Outputs
from engine.render.names import isolated
from engine.render.pictures import Picture, eight_bits, visible

MAX_COLUMNS, MAX_TEXT = 4, 200  # columns of the table in a caption, characters of a cell


@dataclass(frozen=True)
class Shown:
    """Predictions as a page shows them. `page.py` of a kind defines `shown(outputs)`, which returns this.

    Attributes:
      caption: returns lines on the example of a row, the prediction first.
      pictures: returns the pictures of the example of a row; None shows the image itself, as large as it is.
      certainty: how sure the model is of each example, f64 [n]; None if it does not say.
      measure: what `certainty` is; a probability counts as uncertain below one half.
      groups: the predicted class of each example, for kinds with one class; () otherwise.
      legend: name and CSS colour of each class that pictures show in colours.
    """

    caption: Callable[[int], Sequence[str]]
    pictures: Callable[[int], Sequence[Picture]] | None = None
    certainty: np.ndarray | None = None
    measure: str = 'probability'
    groups: Sequence[str] = ()
    legend: Sequence[tuple[str, str]] = ()


def of(outputs: Outputs) -> Shown:
    """Returns what a page says of outputs: what their kind defines, else cells of predictions.csv."""
    defined = kind_folders.load_optional(outputs.kind, 'page', 'shown')
    return defined(outputs) if defined else _default(outputs)


def _default(outputs: Outputs) -> Shown:
    declared = kind_folders.declaration(outputs.kind)
    table = declared.table(outputs.arrays, outputs.ids, outputs.class_names) if declared.table else {}
    columns = {name: cells for name, cells in table.items() if name != 'id'}
    images = [
        name
        for name in outputs.arrays
        if name not in declared.from_data and declared.field(name).axes.split()[:3] == ['n', 'h', 'w']
    ]
    return Shown(
        lambda row: (
            [_line(name, cells[row]) for name, cells in [*columns.items()][:MAX_COLUMNS]]
            or _numbers(outputs, row)
        ),
        (lambda row: [*_pictures(outputs, ['inputs', *images], row)]) if images else None,
    )


def _pictures(outputs: Outputs, names: Sequence[str], row: int) -> Sequence[Picture]:
    """Returns pictures of these arrays, as far as they exist. Numbers span black to white."""
    drawn = {name: outputs.arrays[name][row] for name in names if name in outputs.arrays}
    return [
        Picture(f'{name.removesuffix("s")} of {outputs.ids[row]}', _image(array))
        for name, array in drawn.items()
        if array.size
    ]


def _image(array: np.ndarray) -> np.ndarray:
    channels = visible(array) if array.ndim == 3 else array
    return channels if channels.dtype.kind in 'iu' else eight_bits(np.nan_to_num(channels))


def _line(name: str, cell: Any) -> str:
    text = str(cell)
    return f'{name.replace("_", " ")}: {isolated(text[:MAX_TEXT])}{"…" * (len(text) > MAX_TEXT)}'


def _numbers(outputs: Outputs, row: int) -> list[str]:
    """Returns the first predicted numbers of an example, of a kind without a table."""
    declared = kind_folders.declaration(outputs.kind)
    lines = []
    for name, array in outputs.arrays.items():
        if name not in declared.from_data and declared.rows(name) == 'n' and array.ndim <= 2:
            values = np.ravel(array[row])[:MAX_COLUMNS]
            more = ', ...' * (np.size(array[row]) > MAX_COLUMNS)
            lines.append(f'{name}: {", ".join(f"{value:.4g}" for value in values)}{more}')
    return lines[:MAX_COLUMNS]
