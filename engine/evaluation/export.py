"""Submissions: predictions in the file formats of challenges, which keep the labels secret."""

from pathlib import Path

import numpy as np

from engine import files
from engine.errors import UserError
from engine.evaluation import kind_evaluation
from engine.evaluation.submissions import Export
from engine.outputs import kind_folders
from engine.outputs.outputs import Outputs


def form(outputs: Outputs, name: str) -> Export:
    """Returns a format of submissions. Checks that the outputs can be exported in it.

    Args:
      outputs: the outputs; they need no labels.
      name: name of the format, such as 'csv'.

    Raises:
      UserError: the kind lacks this format, or predictions hold NaN or infinity.
    """
    exports = kind_evaluation.load(outputs.kind).exports()
    if name not in exports:
        others = ' and '.join(f'--format={other}' for other in sorted(exports))
        raise UserError(f'{outputs.folder}: {outputs.kind} has no --format={name}; it has {others}.')
    labels = kind_folders.declaration(outputs.kind).labels
    for key, array in outputs.arrays.items():
        if key not in labels and array.dtype.kind == 'f' and not np.isfinite(array).all():
            raise UserError(
                f'{outputs.folder}: {key}.npy holds NaN or infinity. Look for where the model diverged.'
            )
    return exports[name]


def write(outputs: Outputs, export: Export, file: Path) -> None:
    """Writes a submission atomically. Replaces an existing file.

    Args:
      outputs: the outputs.
      export: their format, from `form`.
      file: the file to write. Folders above it are created.

    Raises:
      UserError: the file cannot be written.
    """
    files.user_file(file, export.content(outputs))
