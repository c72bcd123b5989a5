"""A workspace for tests of the catalogue of runs."""

from pathlib import Path

import pytest


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of runs of a workspace of the test's own."""
    monkeypatch.setenv('WORKSPACE', str(tmp_path))
    (tmp_path / 'runs').mkdir()
    return tmp_path / 'runs'
