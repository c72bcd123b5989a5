"""Checksums of a folder: every kind of damage is noticed, also in checksums.json itself."""

from pathlib import Path

import pytest

from engine.runs import checksums


@pytest.fixture
def checked(tmp_path: Path) -> Path:
    (tmp_path / 'deep').mkdir()
    (tmp_path / 'deep' / 'array').write_bytes(b'0123456789')
    (tmp_path / 'empty').touch()
    checksums.write(tmp_path, {'train.jsonl': 'abc'})
    return tmp_path


def test_a_sound_folder(checked: Path) -> None:
    assert checksums.damage(checked) == ''
    assert checksums.metadata(checked) == {'train.jsonl': 'abc'}
    (checked / 'commit_success.txt').touch()  # Orbax writes it after the checksums
    assert checksums.damage(checked) == ''


def test_a_flipped_bit(checked: Path) -> None:
    path = checked / 'deep' / 'array'
    path.write_bytes(bytes([path.read_bytes()[0] ^ 1]) + path.read_bytes()[1:])
    assert checksums.damage(checked) == 'deep/array has changed'


def test_missing_and_foreign_files(checked: Path) -> None:
    (checked / 'foreign').touch()
    assert checksums.damage(checked) == 'foreign was added'
    (checked / 'foreign').unlink()
    (checked / 'empty').unlink()
    assert checksums.damage(checked) == 'empty is missing'


@pytest.mark.parametrize('byte', range(0, 300, 7))
def test_a_flipped_bit_anywhere_in_checksums_json(checked: Path, byte: int) -> None:
    path = checked / checksums.CHECKSUM_FILE
    content = bytearray(path.read_bytes())
    content[byte % len(content)] ^= 2
    path.write_bytes(bytes(content))
    assert checksums.damage(checked) or checksums.metadata(checked) == {
        'train.jsonl': 'abc'
    }  # white space may change


@pytest.mark.parametrize('content', ['', '[]', '{}', '{"files": {}, "metadata": {}}', 'null'])
def test_a_file_that_holds_no_checksums(checked: Path, content: str) -> None:
    (checked / checksums.CHECKSUM_FILE).write_text(content)
    assert checksums.damage(checked)
    (checked / checksums.CHECKSUM_FILE).unlink()
    assert checksums.damage(checked)
