"""The names and versions of releases."""

from pathlib import Path

import pytest

from engine.errors import UserError
from engine.stored_trees import release_folder


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of all releases."""
    monkeypatch.setenv('WORKSPACE', str(tmp_path))
    return tmp_path / 'models'


def test_versions_are_ordered_by_their_numbers(home: Path) -> None:
    ordered = ['0.9', '1.0-rc1', '1.0-rc2', '1.0', '1.0.1', '1.2', '1.10', '2']
    for version in sorted(ordered):
        (home / 'net' / version).mkdir(parents=True)
        (home / 'net' / version / 'release.json').touch()
    (home / 'net' / 'notes').mkdir()
    (home / 'net' / '.3.01234567.tmp').mkdir()
    (home / 'net' / '.3.01234567.tmp' / 'release.json').touch()
    assert release_folder.versions('net') == ordered


def test_there_may_be_no_model() -> None:
    with pytest.raises(UserError, match=r"has no model 'net'\. There are none\."):
        release_folder.find('model:net/1')
    with pytest.raises(UserError, match=r"has no model '\.\.'"):
        release_folder.find('../etc')
