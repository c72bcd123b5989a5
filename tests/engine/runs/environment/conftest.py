"""A small repository in the place of this one, and the folder of a run."""

from pathlib import Path

import pytest

from tests.engine.runs.environment.repositories import SOURCES, git


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The folder of a run."""
    (tmp_path / 'run').mkdir()
    return tmp_path / 'run'


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository with one commit, in the place of this one."""
    folder = tmp_path / 'repository'
    for name, text in SOURCES.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    (folder / '.gitignore').write_text('ignored\n')
    git(folder, 'init', '-q')
    git(folder, 'add', '.')
    git(folder, 'commit', '-qm', 'first')
    monkeypatch.setattr('engine.workspace.REPOSITORY', folder)
    return folder
