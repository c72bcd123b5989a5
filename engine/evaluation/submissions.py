"""Formats of submissions, and functions that kinds of outputs share to export predictions."""

import io
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from engine.outputs.outputs import Outputs
from engine.outputs.pictures.sequence import Pictures
from engine.render.escape import formula

Column = np.ndarray | Sequence[str]  # numbers or text


@dataclass(frozen=True)
class Export:
    """A format of submissions.

    Attributes:
      ending: ending of the file name, such as '.csv'.
      content: returns the content of the file.
    """

    ending: str
    content: Callable[[Outputs], bytes]


def csv(columns: Mapping[str, Column]) -> bytes:
    """Returns a table as CSV in UTF-8, with all digits of the numbers and escaped formulas."""
    cells = {
        name: _digits(column) if isinstance(column, np.ndarray) else [formula(cell) for cell in column]
        for name, column in columns.items()
    }
    return pd.DataFrame(cells).to_csv(index=False, lineterminator='\n').encode()


def _digits(column: np.ndarray) -> np.ndarray | list[str]:
    """Returns numbers of float16 and float32 with nine digits and of float64 with 17: all that they have."""
    if column.dtype.kind != 'f':
        return column
    form = '%.17g' if column.dtype == np.float64 else '%.9g'
    return [form % number for number in column.tolist()]


def npz(outputs: Outputs) -> bytes:
    """Returns all arrays, `ids` and `class_names` as an .npz file.

    Pictures of varying size are padded with 0 at the right and the bottom. `<array>_sizes` holds height and
    width of each.
    """
    file, arrays = io.BytesIO(), {}
    for name, array in outputs.arrays.items():
        if isinstance(array, Pictures):
            arrays |= {name: array.padded(), f'{name}_sizes': array.sizes}
        else:
            arrays[name] = array
    names = {'ids': np.array(outputs.ids), 'class_names': np.array(outputs.class_names, str)}
    np.savez_compressed(file, allow_pickle=False, **arrays, **names)
    return file.getvalue()


def class_names(outputs: Outputs, classes: int) -> tuple[str, ...]:
    """Returns the names of the classes, or their indices if they have no names."""
    return outputs.class_names or tuple(map(str, range(classes)))
