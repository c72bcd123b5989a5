"""A kind of a project's own, as docs/kinds.md shows it: two new files, and nothing else is edited."""

import re
import sys
from pathlib import Path

import numpy as np
import pytest

from engine import outputs
from engine.errors import UserError
from engine.evaluation.evaluator import Evaluator
from engine.outputs import kind_folders
from engine.workspace import REPOSITORY


@pytest.fixture
def counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The kind `counts` in a package of its own."""
    document = (REPOSITORY / 'docs/kinds.md').read_text(encoding='utf-8')
    declaration, evaluation = re.findall(r'```python\n(.*?)```', document, re.DOTALL)[:2]
    folder = tmp_path / 'own_kinds/counts'
    folder.mkdir(parents=True)
    (folder / '__init__.py').write_text(declaration)
    (folder / 'evaluate.py').write_text(evaluation)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(
        kind_folders, 'PACKAGES', kind_folders.PACKAGES | {'own_kinds': tmp_path / 'own_kinds'}
    )


def save(folder: Path, error: float) -> Path:
    arrays = {'counts': np.arange(6, dtype=np.float32) + error, 'targets': np.arange(6, dtype=np.int32)}
    meanings = dict.fromkeys(arrays, 'of the test')
    outputs.write(folder, outputs.Manifest('counts'), arrays, list('abcdef'), meanings)
    return folder


@pytest.mark.usefixtures('counts')
def test_it_is_evaluated_and_gets_its_page(tmp_path: Path) -> None:
    folder = save(tmp_path / 'it', 0.5)
    assert Evaluator(resamples=100).evaluate(folder)['metrics']['mean_error']['value'] == 0.5
    assert 'mean absolute error' in (folder / 'evaluation/report.html').read_text()


@pytest.mark.usefixtures('counts')
def test_its_methods_are_compared(tmp_path: Path, program) -> None:
    worse, better = save(tmp_path / 'worse', 1), save(tmp_path / 'better', 0.5)
    code, out, _ = program('compare', str(worse), str(better), '--resamples=100', '--format=csv')
    assert (code, out.splitlines()[1].split(',')[0]) == (0, 'better')


def test_an_unknown_kind_imports_nothing(tmp_path: Path) -> None:
    before = set(sys.modules)
    for kind in ('os.path', '..', 'no_such_kind', '__pycache__'):
        with pytest.raises(UserError, match='unknown kind of outputs'):
            kind_folders.declaration(kind)
    assert set(sys.modules) == before
