"""Files and folders are replaced atomically, and failures of the file system are recognised."""

import json
from pathlib import Path

import pytest

from engine import files
from engine.errors import UserError

MARK = 'mark.json'


def fill(folder: Path, text: str, overwrite: bool = False) -> None:
    with files.user_folder(folder, MARK, overwrite) as temporary:
        (temporary / MARK).write_text(text)


def test_a_folder_appears_complete_with_its_parents(tmp_path: Path):
    folder = tmp_path / 'a' / 'b'
    with files.user_folder(folder, MARK, overwrite=False) as temporary:
        (temporary / MARK).write_text('x')
        assert not folder.exists()
    assert [path.name for path in folder.iterdir()] == [MARK]


def test_an_existing_folder_is_kept_unless_overwritten(tmp_path: Path):
    folder = tmp_path / 'it'
    fill(folder, 'old')
    with pytest.raises(UserError, match='exists already'):
        fill(folder, 'new')
    assert (folder / MARK).read_text() == 'old'
    fill(folder, 'new', overwrite=True)
    assert (folder / MARK).read_text() == 'new'
    assert list(tmp_path.iterdir()) == [folder]


def test_a_folder_with_other_files_is_never_replaced(tmp_path: Path):
    (tmp_path / 'thesis.tex').write_text('years of work')
    with pytest.raises(UserError, match=r'contains other files: it has no mark\.json'):
        fill(tmp_path, 'new', overwrite=True)
    assert (tmp_path / 'thesis.tex').read_text() == 'years of work'


def test_an_empty_folder_may_be_filled(tmp_path: Path):
    fill(tmp_path, 'new')
    assert (tmp_path / MARK).read_text() == 'new'


@pytest.mark.parametrize('existing', [False, True])
def test_an_interrupted_write_changes_nothing(tmp_path: Path, existing: bool):
    folder = tmp_path / 'it'
    if existing:
        fill(folder, 'old')
    before = sorted(tmp_path.rglob('*'))
    with pytest.raises(KeyboardInterrupt), files.user_folder(folder, MARK, overwrite=True) as temporary:
        (temporary / MARK).write_text('half')
        raise KeyboardInterrupt
    assert sorted(tmp_path.rglob('*')) == before
    assert not existing or (folder / MARK).read_text() == 'old'


def test_the_old_one_comes_back_if_the_new_one_cannot_take_its_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    folder = tmp_path / 'it'
    fill(folder, 'old')
    rename, failures = Path.rename, ['no']

    def fails_into_place(self: Path, to: Path) -> Path:
        if to == folder and failures:
            raise OSError(failures.pop())
        return rename(self, to)

    monkeypatch.setattr(Path, 'rename', fails_into_place)
    with pytest.raises(OSError, match='no'):
        fill(folder, 'new', overwrite=True)
    assert (folder / MARK).read_text() == 'old'
    assert list(tmp_path.iterdir()) == [folder]


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path):
    (tmp_path / 'file').write_text('')
    with pytest.raises(UserError, match='it cannot be written: Not a directory'):
        fill(tmp_path / 'file' / 'it', 'new')


def test_json_is_replaced_atomically(tmp_path: Path) -> None:
    """A reader that has the old file open reads the old text to its end."""
    path = tmp_path / 'a.json'
    assert files.read_json(path) == {}
    files.write_json(path, {'a': 1})
    with path.open() as old:
        files.write_json(path, {'b': [2, None]})
        assert json.load(old) == {'a': 1}
    assert files.read_json(path) == {'b': [2, None]}
    assert [file.name for file in tmp_path.iterdir()] == ['a.json']


def test_json_that_cannot_be_written_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / 'a.json'
    files.write_json(path, {'a': 1})
    with pytest.raises(TypeError):
        files.write_json(path, {'a': object()})
    assert files.read_json(path) == {'a': 1}


def test_a_path_that_ends_early_says_how_far_it_exists(tmp_path: Path) -> None:
    (tmp_path / 'runs').mkdir()
    with pytest.raises(UserError) as raised:
        files.topmost(tmp_path / 'runs' / 'first' / 'outputs', lambda folder: True)
    assert str(raised.value).endswith(f'outputs does not exist. The path exists up to {tmp_path / "runs"}.')
