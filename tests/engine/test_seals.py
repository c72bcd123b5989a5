"""Seals: every kind of damage is found, the seal's own too."""

from pathlib import Path

import pytest

from research.engine import seals


@pytest.fixture
def sealed(tmp_path: Path) -> Path:
    (tmp_path / 'deep').mkdir()
    (tmp_path / 'deep' / 'array').write_bytes(b'0123456789')
    (tmp_path / 'empty').touch()
    seals.seal(tmp_path, {'train.jsonl': 'abc'})
    return tmp_path


def test_a_sound_folder(sealed: Path) -> None:
    assert seals.damage(sealed) == ''
    assert seals.notes(sealed) == {'train.jsonl': 'abc'}
    (sealed / 'commit_success.txt').touch()  # Orbax writes it after the seal
    assert seals.damage(sealed) == ''


def test_a_flipped_bit(sealed: Path) -> None:
    path = sealed / 'deep' / 'array'
    path.write_bytes(bytes([path.read_bytes()[0] ^ 1]) + path.read_bytes()[1:])
    assert seals.damage(sealed) == 'deep/array has changed'


def test_missing_and_foreign_files(sealed: Path) -> None:
    (sealed / 'foreign').touch()
    assert seals.damage(sealed) == 'foreign does not belong there'
    (sealed / 'foreign').unlink()
    (sealed / 'empty').unlink()
    assert seals.damage(sealed) == 'empty is missing'


@pytest.mark.parametrize('byte', range(0, 300, 7))
def test_a_flipped_bit_anywhere_in_the_seal(sealed: Path, byte: int) -> None:
    path = sealed / seals.SEAL
    content = bytearray(path.read_bytes())
    content[byte % len(content)] ^= 2
    path.write_bytes(bytes(content))
    assert seals.damage(sealed) or seals.notes(sealed) == {'train.jsonl': 'abc'}  # white space may change


@pytest.mark.parametrize('content', ['', '[]', '{}', '{"files": {}, "notes": {}}', 'null'])
def test_what_is_no_seal(sealed: Path, content: str) -> None:
    (sealed / seals.SEAL).write_text(content)
    assert seals.damage(sealed)
    (sealed / seals.SEAL).unlink()
    assert seals.damage(sealed)
