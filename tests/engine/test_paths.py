"""Paths as users write them: the home folder, and what cannot be a folder."""

from pathlib import Path

import pytest

from engine import paths, workspace
from engine.errors import UserError


def test_a_home_folder_is_written_as_in_a_shell(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv('HOME', str(tmp_path))
    monkeypatch.setenv('WORKSPACE', '~/work')
    assert workspace.workspace() == tmp_path / 'work'
    written = {
        '~': str(tmp_path),
        '~/a b/': f'{tmp_path}/a b/',
        'a/~': 'a/~',
        '~ mine': '~ mine',
        './~': './~',
    }
    assert {path: paths.expanded(path) for path in written} == written
    with pytest.raises(UserError, match=r'~no\.such-user is not the home folder of a user'):
        paths.expanded('~no.such-user/a')


def test_what_cannot_be_a_folder_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / 'file').touch()
    (tmp_path / 'dangling').symlink_to(tmp_path / 'nowhere')
    (tmp_path / 'loop').symlink_to('loop')
    wrong = {
        'file': 'file is not a folder',
        'file/below/it': 'file is not a folder',
        'dangling': 'dangling is a link that leads nowhere',
        'dangling/below': 'dangling is a link that leads nowhere',
        'loop': 'loop is a link that leads nowhere',
        'x' * 256: 'is longer than 255 bytes',
        'ä' * 128 + '/a': 'is longer than 255 bytes',
    }
    for name, message in wrong.items():
        monkeypatch.setenv('WORKSPACE', str(tmp_path / name))
        with pytest.raises(UserError) as error:
            paths.check_workspace()
        assert message in str(error.value)
        assert str(error.value).startswith(f'WORKSPACE={tmp_path}/')


def test_odd_but_possible_folders_are_accepted(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / 'link').symlink_to(tmp_path)
    for name in ('a b', '猫', 'x' * 255, 'link/below', 'not/yet/there', '~'):
        monkeypatch.setenv('WORKSPACE', str(tmp_path / name))
        paths.check_workspace()
        assert workspace.workspace() == tmp_path / name
