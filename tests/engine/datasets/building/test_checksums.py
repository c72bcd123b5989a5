"""Checksums of files, folders and pixels."""

import hashlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from engine.datasets.building import checksums
from engine.datasets.building.checksums import Checksum


@pytest.fixture
def originals(tmp_path: Path) -> Path:
    folder = tmp_path / 'raw'
    (folder / 'texts' / 'deep').mkdir(parents=True)
    (folder / 'labels.csv').write_text('file,label\n')
    (folder / 'texts' / 'b.txt').write_text('two')
    (folder / 'texts' / 'deep' / 'a.txt').write_text('three')
    (folder / '.DS_Store').write_text('written by macOS')
    return folder


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def test_a_folder_is_hashed_as_its_files_in_order(originals: Path) -> None:
    assert checksums.measure(originals) == {
        'labels.csv': Checksum(11, sha256(b'file,label\n')),
        'texts': Checksum(8, sha256(b'twothree')),
    }


def test_a_png_is_hashed_by_its_pixels(tmp_path: Path) -> None:
    pixels = np.arange(12, dtype=np.uint8).reshape(3, 4)
    for level in (0, 9):
        Image.fromarray(pixels).save(tmp_path / f'{level}.png', compress_level=level)
    assert set(checksums.measure(tmp_path).values()) == {Checksum(12, sha256(pixels.tobytes()))}


def test_written_checksums_are_read_back(originals: Path, tmp_path: Path) -> None:
    measured = checksums.measure(originals)
    file = tmp_path / checksums.FILE
    file.write_text(checksums.text({'full': measured, 'toy': {'x': Checksum(1, 'abc')}}))
    assert checksums.stated(file, 'full') == measured
    assert checksums.stated(file, 'toy') == {'x': Checksum(1, 'abc')}
    assert checksums.stated(tmp_path / 'none.tsv', 'full') == {}


def test_differences_describe_each_problem(originals: Path) -> None:
    measured = checksums.measure(originals)
    assert checksums.differences(measured, measured) == {}
    problems = checksums.differences(measured, {'texts': Checksum(8, 'abc'), 'images': Checksum(1, 'abc')})
    assert problems['images'] == 'is missing, but checksums.tsv states it'
    assert problems['labels.csv'] == 'exists, but checksums.tsv does not state it'
    assert problems['texts'].startswith('differs from checksums.tsv: its sha256 is ')
