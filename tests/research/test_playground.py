"""Every notebook of playground/ runs from top to bottom in a fresh kernel, and stores no outputs."""

import os
from pathlib import Path

import nbformat
import pytest
from jupyter_client.kernelspec import KernelSpecManager
from jupyter_client.manager import AsyncKernelManager
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError

from engine.workspace import REPOSITORY

PLAYGROUND = REPOSITORY / 'playground'
NOTEBOOKS = sorted(PLAYGROUND.rglob('*.ipynb'))


def execute(notebook: nbformat.NotebookNode, folder: Path) -> None:
    """Runs a notebook in `folder`; raises `CellExecutionError` at the first cell that fails."""
    # With no folder to look for kernels in, there is but the one of the Python that runs the tests.
    manager = AsyncKernelManager(kernel_spec_manager=KernelSpecManager(kernel_dirs=[]))
    client = NotebookClient(notebook, km=manager, timeout=300, resources={'metadata': {'path': str(folder)}})
    client.execute(cleanup_kc=True, env=os.environ | {'PYTHONPATH': str(REPOSITORY)})


@pytest.mark.parametrize('path', NOTEBOOKS, ids=lambda path: path.name)
def test_a_notebook_runs(path: Path) -> None:
    execute(nbformat.read(path, as_version=4), path.parent)


@pytest.mark.parametrize('path', NOTEBOOKS, ids=lambda path: path.name)
def test_a_notebook_stores_no_outputs(path: Path) -> None:
    cells = [cell for cell in nbformat.read(path, as_version=4).cells if cell.cell_type == 'code']
    assert not any(cell.outputs or cell.execution_count for cell in cells)


def test_a_cell_that_fails_is_noticed(tmp_path: Path) -> None:
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell('1 / 0')])
    with pytest.raises(CellExecutionError, match='ZeroDivisionError'):
        execute(notebook, tmp_path)


def test_a_mistake_is_one_message(tmp_path: Path) -> None:
    code = "from engine.errors import UserError\nraise UserError('nowhere is not a run.')"
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(code)])
    with pytest.raises(CellExecutionError):
        execute(notebook, tmp_path)
    (output,) = notebook.cells[0].outputs
    assert len(output.traceback) == 1
    assert output.traceback[0].startswith('error: nowhere is not a run.')
