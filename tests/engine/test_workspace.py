from pathlib import Path

import pytest

from engine import workspace


def test_the_repository_is_where_pyproject_lies():
    assert (workspace.REPOSITORY / 'pyproject.toml').is_file()


def test_the_default_lies_in_the_repository(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv('WORKSPACE', raising=False)
    assert workspace.workspace() == workspace.REPOSITORY / 'workspace'
    monkeypatch.setenv('WORKSPACE', '')
    assert workspace.workspace() == workspace.REPOSITORY / 'workspace'


def test_the_environment_decides_at_each_call(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.setenv('WORKSPACE', str(tmp_path / 'first'))
    assert workspace.workspace() == tmp_path / 'first'
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv('WORKSPACE', 'second')
    assert workspace.workspace() == tmp_path / 'second'


def test_the_project_is_named_by_pyproject(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    (tmp_path / 'pyproject.toml').write_text('[project]\nname = "a-fork"\n')
    monkeypatch.setattr(workspace, 'REPOSITORY', tmp_path)
    assert workspace.project() == 'a-fork'
