"""Seals: every kind of damage is found, the seal's own too."""

from pathlib import Path

import pytest

from engine.runs import checksums


@pytest.fixture
def sealed(tmp_path: Path) -> Path:
    (tmp_path / 'deep').mkdir()
    (tmp_path / 'deep' / 'array').write_bytes(b'0123456789')
    (tmp_path / 'empty').touch()
    checksums.seal(tmp_path, {'train.jsonl': 'abc'})
    return tmp_path


def test_a_sound_folder(sealed: Path) -> None:
    assert checksums.damage(sealed) == ''
    assert checksums.notes(sealed) == {'train.jsonl': 'abc'}
    (sealed / 'commit_success.txt').touch()  # Orbax writes it after the seal
    assert checksums.damage(sealed) == ''


def test_a_flipped_bit(sealed: Path) -> None:
    path = sealed / 'deep' / 'array'
    path.write_bytes(bytes([path.read_bytes()[0] ^ 1]) + path.read_bytes()[1:])
    assert checksums.damage(sealed) == 'deep/array has changed'


def test_missing_and_foreign_files(sealed: Path) -> None:
    (sealed / 'foreign').touch()
    assert checksums.damage(sealed) == 'foreign does not belong there'
    (sealed / 'foreign').unlink()
    (sealed / 'empty').unlink()
    assert checksums.damage(sealed) == 'empty is missing'


@pytest.mark.parametrize('byte', range(0, 300, 7))
def test_a_flipped_bit_anywhere_in_the_seal(sealed: Path, byte: int) -> None:
    path = sealed / checksums.SEAL
    content = bytearray(path.read_bytes())
    content[byte % len(content)] ^= 2
    path.write_bytes(bytes(content))
    assert checksums.damage(sealed) or checksums.notes(sealed) == {
        'train.jsonl': 'abc'
    }  # white space may change


@pytest.mark.parametrize('content', ['', '[]', '{}', '{"files": {}, "notes": {}}', 'null'])
def test_what_is_no_seal(sealed: Path, content: str) -> None:
    (sealed / checksums.SEAL).write_text(content)
    assert checksums.damage(sealed)
    (sealed / checksums.SEAL).unlink()
    assert checksums.damage(sealed)
