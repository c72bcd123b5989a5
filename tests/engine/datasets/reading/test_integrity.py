"""Arrays that have changed since they were built are found, file by file."""

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from engine import files
from engine.datasets.reading import integrity
from engine.errors import UserError


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The arrays of a small dataset."""
    for split in ('train', 'val'):
        (tmp_path / split).mkdir()
        (tmp_path / split / 'image.npy').write_bytes(bytes(range(256)))
        (tmp_path / split / 'ids.txt').write_text('a\nb\n')
    integrity.write(tmp_path)
    return tmp_path


def flip(folder: Path) -> None:
    content = bytearray((folder / 'val/image.npy').read_bytes())
    content[100] ^= 1
    with (folder / 'val/image.npy').open('r+b') as file:
        file.write(content)


def flip_and_restore_the_time(folder: Path) -> None:
    status = (folder / 'val/image.npy').stat()
    flip(folder)
    os.utime(folder / 'val/image.npy', ns=(status.st_atime_ns, status.st_mtime_ns))


def truncate(folder: Path) -> None:
    os.truncate(folder / 'val/image.npy', 10)


def remove(folder: Path) -> None:
    (folder / 'val/image.npy').unlink()


def add(folder: Path) -> None:
    (folder / 'val/mask.npy').touch()


def swap(folder: Path) -> None:
    (folder / 'val').rename(folder / 'x')
    (folder / 'train').rename(folder / 'val')
    (folder / 'x').rename(folder / 'train')
    flip(folder)


def edit_the_fingerprint(folder: Path) -> None:
    (folder / 'fingerprint.txt').write_text('0' * 64)


def edit_the_checksums(folder: Path) -> None:
    path = folder / 'checksums.txt'
    path.write_text(path.read_text().replace('val/', 'test/'))


def lose_the_checksums(folder: Path) -> None:
    (folder / 'checksums.txt').unlink()


DAMAGE: dict[Callable[[Path], None], str] = {
    flip: 'val/image.npy has changed',
    flip_and_restore_the_time: 'val/image.npy has changed',
    truncate: 'val/image.npy has changed',
    remove: 'val/image.npy is missing',
    add: 'val/mask.npy was added',
    swap: 'val/image.npy has changed',
    edit_the_fingerprint: 'fingerprint.txt is not the sha256 of checksums.txt',
    edit_the_checksums: 'fingerprint.txt is not the sha256 of checksums.txt',
    lose_the_checksums: 'cannot be read',
}


@pytest.mark.parametrize('always_read', [integrity.ALWAYS_READ, 0], ids=['small', 'large'])
@pytest.mark.parametrize('damage', DAMAGE)
def test_damage_is_named(
    damage: Callable[[Path], None], always_read: int, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(integrity, 'ALWAYS_READ', always_read)
    integrity.check(folder)
    damage(folder)
    with pytest.raises(UserError) as error:
        integrity.check(folder)
    assert f'the dataset in {folder} has changed since it was built' in str(error.value)
    assert DAMAGE[damage] in str(error.value)


def test_a_copy_is_read_once(folder: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch) -> None:
    copy = tmp_path_factory.mktemp('copied') / 'arrays'
    subprocess.run(['cp', '-a', str(folder), str(copy)], check=True)
    os.utime(copy / 'val/image.npy')
    monkeypatch.setattr(integrity, 'ALWAYS_READ', 0)
    read: list[Path] = []
    sha256 = files.sha256
    monkeypatch.setattr(files, 'sha256', lambda path: (read.append(path), sha256(path))[1])
    integrity.check(copy)
    assert copy / 'val/image.npy' in read
    read.clear()
    integrity.check(copy)
    assert read == []


def test_other_tools_can_check_them_too(folder: Path) -> None:
    subprocess.run(['sha256sum', '--check', '--quiet', 'checksums.txt'], cwd=folder, check=True)
