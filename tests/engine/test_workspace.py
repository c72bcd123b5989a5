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


def test_a_relative_path_starts_at_the_repository(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv('PATHS_FROM', raising=False)
    assert workspace.located('../photos') == workspace.REPOSITORY / '../photos'
    assert workspace.located('/photos') == Path('/photos')


def test_what_a_copy_of_the_code_lacks_starts_at_the_original(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    copy, original = tmp_path / 'reproductions/first/code', tmp_path / 'clone'
    (copy / 'research').mkdir(parents=True)
    (copy.parent / 'run').mkdir()
    monkeypatch.setattr(workspace, 'REPOSITORY', copy)
    monkeypatch.setenv('PATHS_FROM', str(original))
    assert workspace.located('research') == copy / 'research'
    assert workspace.located('photos') == original / 'photos'  # ignored by git
    assert workspace.located('../run') == original / '../run'  # never what lies beside the copy
    assert workspace.located('research/../../run') == original / 'research/../../run'
    assert workspace.located(str(tmp_path)) == tmp_path


def test_the_project_is_named_by_pyproject(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    (tmp_path / 'pyproject.toml').write_text('[project]\nname = "a-fork"\n')
    monkeypatch.setattr(workspace, 'REPOSITORY', tmp_path)
    assert workspace.project() == 'a-fork'
