"""Results that programs keep for each other: never another result than making it again would give."""

import json
import os
import types
from collections.abc import Callable
from pathlib import Path

import pytest

from engine.runs.environment import code, packages
from engine.runs.environment.disk_cache import MAX_KEPT, DiskCache

Kept = Callable[..., list[bytes]]


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv('WORKSPACE', str(tmp_path))
    return tmp_path / 'cache' / 'maker.json'


@pytest.fixture
def made(file: Path, tmp_path: Path) -> Kept:
    """Looks keys up in a new cache, as another program would, and returns those that had to be made."""
    source = tmp_path / 'maker.py'
    source.write_text('version = 1')
    module = types.ModuleType('maker')
    module.__file__ = str(source)

    def look_up(*keys: bytes) -> list[bytes]:
        cache, missing = DiskCache(module), []

        def make(key: bytes) -> str:
            missing.append(key)
            return key.decode().upper()

        for key in keys:
            assert cache.result(key, lambda key=key: make(key)) == key.decode().upper()
        cache.save()
        return missing

    return look_up


def test_a_result_is_made_once(made: Kept) -> None:
    assert made(b'a', b'b', b'a') == [b'a', b'b']
    assert made(b'b', b'c') == [b'c']
    assert made(b'a', b'b', b'c') == []


def test_what_makes_results_is_part_of_the_key(made: Kept, tmp_path: Path) -> None:
    assert made(b'a') == [b'a']
    (tmp_path / 'maker.py').write_text('version = 2')
    assert made(b'a') == [b'a']
    assert made(b'a') == []


def test_a_damaged_file_counts_as_empty(made: Kept, file: Path) -> None:
    """Cut off, with another result, with another key, no text at all, and a folder in its place."""
    made(b'a')
    whole = file.read_bytes()
    for content in (
        whole[:-3],
        whole[:50],
        b'',
        whole.replace(b'"A"', b'"B"'),
        b'\xff' + whole,
        b'{}',
        b'\n[1]',
    ):
        file.write_bytes(content)
        assert made(b'a') == [b'a']
        assert file.read_bytes() == whole
    file.unlink()
    file.mkdir()
    assert made(b'a') == [b'a']


def test_without_a_place_nothing_is_kept(made: Kept, tmp_path: Path) -> None:
    (tmp_path / 'cache').write_text('a file where the folder would be')
    assert made(b'a') == made(b'a') == [b'a']


def test_the_file_does_not_grow_without_end(made: Kept, file: Path) -> None:
    made(*(str(number).encode() for number in range(MAX_KEPT)))
    assert made(b'0', b'new') == [b'new']
    assert len(json.loads(file.read_text().splitlines()[1])) == 2


def test_an_edit_of_the_same_size_and_time_changes_the_digest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Files are looked up by their content. A program with an empty cache sees the same digests."""
    monkeypatch.setattr('engine.workspace.REPOSITORY', tmp_path)
    monkeypatch.setenv('WORKSPACE', str(tmp_path / 'first'))
    model = tmp_path / 'research' / 'model.py'
    model.parent.mkdir()
    model.write_text('width = 8\nwith_file = "words.txt"\n')
    (tmp_path / 'words.txt').write_text('a')
    time = model.stat().st_mtime_ns
    digests = []
    for text in ('width = 8', 'width = (', 'import os', 'width = 9'):
        model.write_text(f'{text:9}\nwith_file = "words.txt"\n')
        os.utime(model, ns=(time, time))
        cold, warm = code.of(['research.model']), code.of(['research.model'])
        assert cold == warm
        monkeypatch.setenv('WORKSPACE', str(tmp_path / text[-1:]))
        assert code.of(['research.model']) == warm
        monkeypatch.setenv('WORKSPACE', str(tmp_path / 'first'))
        digests.append(warm.digest)
    assert len(set(digests)) == 4
    (tmp_path / 'words.txt').write_text('b')  # named by a source, and read each time
    assert code.of(['research.model']).digest not in digests


def test_an_engine_file_says_as_much_under_another_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same content counts with the data that it names in research, and without them in the engine."""
    monkeypatch.setattr('engine.workspace.REPOSITORY', tmp_path)
    monkeypatch.setenv('WORKSPACE', str(tmp_path))
    for room in ('engine', 'research'):
        (tmp_path / room).mkdir()
        (tmp_path / room / 'words.py').write_text("FILE = 'words.txt'\n")
        (tmp_path / room / 'words.txt').write_text('a')
    for _ in range(2):
        used = code.of(['engine.words', 'research.words']).files
        assert set(used) == {'engine/words.py', 'research/words.py', 'research/words.txt'}


def test_an_installed_package_is_seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another version, and the same version with other requirements."""
    monkeypatch.setenv('WORKSPACE', str(tmp_path / 'workspace'))
    monkeypatch.syspath_prepend(str(tmp_path))

    def install(name: str, version: str, requires: str = '') -> None:
        for old in tmp_path.glob(f'{name}-*.dist-info'):
            old.rename(tmp_path / 'removed')
            for path in (tmp_path / 'removed').iterdir():
                path.unlink()
            (tmp_path / 'removed').rmdir()
        folder = tmp_path / f'{name}-{version}.dist-info'
        folder.mkdir()
        (folder / 'METADATA').write_text(requires and f'Requires-Dist: {requires}\n')
        (folder / 'RECORD').write_text(f'{name}_module.py,,\n')

    install('bird', '1.0')
    install('fish', '1.0')
    assert packages.used(['bird_module']).get('bird') == '1.0'
    install('bird', '1.1')
    assert packages.used(['bird_module']).get('bird') == '1.1'
    assert 'fish' not in packages.used(['bird_module'])
    install('bird', '1.1', 'fish')
    assert packages.used(['bird_module']).items() >= {('bird', '1.1'), ('fish', '1.0')}
