"""docs/kinds.md keeps its word: its kind can be written and evaluated."""

import re
from pathlib import Path

import numpy as np
import pytest

from engine import outputs
from engine.evaluation.evaluator import Evaluator
from engine.outputs import kind_folders
from engine.workspace import REPOSITORY

DOCUMENT = (REPOSITORY / 'docs/kinds.md').read_text(encoding='utf-8')
DECLARATION, EVALUATION = re.findall(r'```python\n(.*?)```', DOCUMENT, re.DOTALL)


@pytest.fixture
def kind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A kind of a project's own, which lies outside of the repository."""
    folder = tmp_path / 'kinds_of_the_document' / 'counts'
    folder.mkdir(parents=True)
    (folder / '__init__.py').write_text(DECLARATION)
    (folder / 'evaluate.py').write_text(EVALUATION)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setitem(kind_folders.PACKAGES, folder.parent.name, folder.parent)
    return folder.name


def test_the_kind_of_the_document_is_evaluated(kind: str, tmp_path: Path) -> None:
    arrays = {'counts': np.array([1, 2, 5], np.float32), 'targets': np.array([1, 3, 3], np.int32)}
    meanings = dict.fromkeys(arrays, 'of the test')
    outputs.write(tmp_path / 'outputs', outputs.Manifest(kind), arrays, ['a', 'b', 'c'], meanings)
    report = Evaluator(resamples=100).evaluate(tmp_path / 'outputs')
    assert report['metrics']['mean_error']['value'] == 1
    assert (tmp_path / 'outputs/evaluation/report.html').is_file()
