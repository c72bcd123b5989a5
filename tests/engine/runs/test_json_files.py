"""JSON files are replaced atomically."""

import json
from pathlib import Path

import pytest

from engine.runs import json_files


def test_json_is_replaced_whole(tmp_path: Path) -> None:
    """Whoever has the old file open reads the old text to its end."""
    path = tmp_path / 'a.json'
    assert json_files.read(path) == {}
    json_files.write(path, {'a': 1})
    with path.open() as old:
        json_files.write(path, {'b': [2, None]})
        assert json.load(old) == {'a': 1}
    assert json_files.read(path) == {'b': [2, None]}
    assert [file.name for file in tmp_path.iterdir()] == ['a.json']


def test_json_that_cannot_be_written_leaves_the_old(tmp_path: Path) -> None:
    path = tmp_path / 'a.json'
    json_files.write(path, {'a': 1})
    with pytest.raises(TypeError):
        json_files.write(path, {'a': object()})
    assert json_files.read(path) == {'a': 1}
