"""Labels as a list: a file such as CSV with a row per example, its `id`, and its label, numbers or file."""

from collections.abc import Sequence
from pathlib import Path

from engine import lists
from engine.evaluation import kind_evaluation
from engine.outputs.kind import Arrays
from engine.outputs.outputs import Outputs

ID = 'id'


def read(path: Path, outputs: Outputs) -> tuple[Sequence[str], Arrays]:
    """Reads a list, such as a dataset's in the workspace. The kind says which columns it reads.

    Raises:
      UserError: the list, or a label, number or file in it, is not valid.
    """
    table = lists.read(path, ID)
    return table.column(ID), kind_evaluation.load(outputs.kind).read_list(table, outputs)
