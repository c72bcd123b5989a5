"""A folder of photographs with ten kinds of damage, and files of unusual kinds that are sound.

Each program names each damaged file once. Those that are allowed are left out, and all others are used.
"""

import csv
import html
import json
import re
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from engine import outputs
from engine.datasets.load import load
from engine.errors import UserError
from tests.conftest import Program
from tests.engine import photos
from tests.engine.datasets.reading.image_files import picture, saved

CONFIG = """
from __gin__ import dynamic_registration
from engine.parts import crops
from engine.training import trainer
from research.models import mlp
from engine.parts import classification
import optax

trainer.Trainer:
  dataset = '{name}'
  allow_damaged = {allowed}
  decode = @crops.Crops()
  task = @classification.Classification()
  steps = 3
  batch_size = 8

crops.Crops.size = 12

classification.Classification:
  model = @mlp.MLP
  optimizer = @optax.sgd
  learning_rate = 0.01
"""


def jpeg(seed: int) -> bytes:
    return saved(Image.fromarray(photos.picture(seed, 90, 120)), 'JPEG', quality=90)


def bomb() -> bytes:
    """Returns a PNG that claims 30,000 x 30,000 pixels."""
    header = b'IHDR' + (30_000).to_bytes(4) * 2 + bytes([8, 2, 0, 0, 0])
    rows = b'IDAT' + zlib.compress(bytes(1000))
    chunks = (header, rows, b'IEND')
    return b'\x89PNG\r\n\x1a\n' + b''.join(
        (len(chunk) - 4).to_bytes(4) + chunk + zlib.crc32(chunk).to_bytes(4) for chunk in chunks
    )


def flipped(data: bytes) -> bytes:
    """Returns a file with a byte in its middle changed."""
    middle = len(data) // 2
    return data[:middle] + bytes([data[middle] ^ 0xFF]) + data[middle + 1 :]


PHOTO = Image.fromarray(photos.picture(1, 90, 120))
NAN = np.where(np.eye(90, 120), np.nan, 0.5).astype(np.float32)

DAMAGE: dict[str, tuple[Callable[[], bytes], str]] = {
    'truncated.jpg': (lambda: jpeg(1)[:-900], 'truncated|premature end'),
    'second_half_of_zeros.jpg': (lambda: jpeg(1)[:3000] + bytes(3000), 'is damaged'),
    'empty.jpg': (lambda: b'', 'is empty'),
    'failed_download.jpg': (lambda: b'<!DOCTYPE html><title>404</title>', 'page in HTML'),
    'pointer.png': (lambda: b'version https://git-lfs.github.com/spec/v1\noid sha256:0\n', 'git lfs pull'),
    'phone.jpg': (lambda: b'\0\0\0\x18ftypheic\0\0\0\0mif1heic' + bytes(99), 'HEIC'),
    'flipped.png': (lambda: flipped(saved(PHOTO, 'PNG')), "checksum of its chunk 'IDAT'"),
    'truncated.webp': (lambda: saved(PHOTO, 'WEBP')[:-200], 'is damaged'),
    'not_a_number.tif': (lambda: saved(Image.fromarray(NAN), 'TIFF'), 'NaN'),
    'bomb.png': (bomb, 'more than 178,956,970 pixels'),
}
SOUND: dict[str, Callable[[], bytes]] = {
    'on_its_side.jpg': lambda: saved(PHOTO, 'JPEG', 6),
    'upside_down.png': lambda: saved(PHOTO, 'PNG', 3),
    'deep.png': lambda: saved(picture(1, 90, 120, 'I;16'), 'PNG'),
    'transparent.png': lambda: saved(picture(1, 90, 120, 'RGBA'), 'PNG'),
    'print.jpg': lambda: saved(PHOTO.convert('CMYK'), 'JPEG'),
    'old.gif': lambda: saved(PHOTO.convert('P'), 'GIF'),
    'grey.jpg': lambda: saved(PHOTO.convert('L'), 'JPEG'),
    'floats.tif': lambda: saved(picture(1, 90, 120, 'F'), 'TIFF'),
    'really_a_png.jpg': lambda: saved(PHOTO, 'PNG'),
}


@dataclass(frozen=True)
class PhotoFolder:
    """A folder of photographs, by split and class."""

    folder: Path
    count: int

    @property
    def name(self) -> str:
        """The name of the dataset."""
        return f'images:{self.folder}'

    @property
    def unusable(self) -> Path:
        """The list of the images that cannot be used."""
        (file,) = self.folder.parent.glob('workspace/data/images-photos-*/lists/*/unusable.csv')
        return file


def made(folder: Path, count: int) -> PhotoFolder:
    """Makes a folder with `count` files. Ten are damaged and nine unusual, spread over splits and classes."""
    planted = {**{name: make for name, (make, _) in DAMAGE.items()}, **SOUND}
    contents = [*planted.items()]
    contents += [(f'{seed:03}.jpg', lambda seed=seed: jpeg(seed)) for seed in range(count - len(planted))]
    for index, (name, make) in enumerate(contents):
        split = ('train', 'train', 'train', 'val', 'test')[index % 5]
        place = folder / split / ('cat' if index // 5 % 2 else 'dog')
        place.mkdir(parents=True, exist_ok=True)
        (place / name).write_bytes(make())
    return PhotoFolder(folder, count)


@pytest.fixture(params=[60, pytest.param(400, marks=pytest.mark.slow)])
def photo_folder(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> PhotoFolder:
    monkeypatch.setenv('WORKSPACE', str(tmp_path / 'workspace'))
    return made(tmp_path / 'photos', request.param)


def test_each_damaged_file_is_named_once(photo_folder: PhotoFolder, program: Program, tmp_path: Path) -> None:
    for command in ('build', 'check'):
        code, out, err = program('dataset', command, photo_folder.name)
        assert code == {'build': 2, 'check': 1}[command]
        check_names(out + err)
    rows = list(csv.DictReader(photo_folder.unusable.read_text(encoding='utf-8').splitlines()))
    assert sorted(Path(row['path']).name for row in rows) == sorted(DAMAGE)

    allowed = 10 / photo_folder.count
    too_few = f'--allow_damaged={allowed - 0.001}'
    assert program('dataset', 'build', photo_folder.name, too_few)[0] == 2
    code, out, err = program('dataset', 'build', photo_folder.name, f'--allow_damaged={allowed}')
    assert code == 0, err
    check_names(out)
    for sound in ('turned upright by EXIF', 'transparency on white', 'grey to RGB', 'integers up to 65535'):
        assert out.count(sound) == 1
    code, out, err = program('dataset', 'check', photo_folder.name)
    assert code == 0, out
    code, out, err = program('dataset', 'explore', photo_folder.name)
    assert code == 0
    check_names(html.unescape(Path(out.rpartition('page: ')[2].strip()).read_text(encoding='utf-8')))
    check_training(photo_folder, program, tmp_path)


def check_names(text: str) -> None:
    """Checks that a text names each damaged file once, with the reason, and no file that is sound."""
    for name, (_, reason) in DAMAGE.items():
        assert len(re.findall(rf'/{re.escape(name)}\)', text)) == 1, name
        assert re.search(rf'/{re.escape(name)}\): image .*({reason})', text)
    for name in SOUND:
        assert f'/{name}): ' not in text


def check_training(photo_folder: PhotoFolder, program: Program, tmp_path: Path) -> None:
    """Checks that training, prediction and evaluation use everything else."""
    config = tmp_path / 'photos.gin'
    config.write_text(CONFIG.format(name=photo_folder.name, allowed=10 / photo_folder.count))
    assert program('train', f'--gin_file={config}')[0] == 0
    (run,) = (tmp_path / 'workspace/runs').glob('*/images-photos-*/*')
    stored = json.loads((run / 'environment.json').read_text())
    assert sorted(Path(image['file']).name for image in stored['dataset']['left_out']) == sorted(DAMAGE)
    test = outputs.read(run / 'outputs/test')
    assert len(test.ids) == len(load(photo_folder.name).split('test').ids)
    assert program('evaluate', str(run / 'outputs/test'))[0] == 0


def test_unusual_files_are_decoded_to_what_they_show(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv('WORKSPACE', str(tmp_path / 'workspace'))
    photo_folder = made(tmp_path / 'photos', 40)
    data = load(photo_folder.name, allow_damaged=0.25)
    assert data.images.modes['image']['PNG I;16'] == 1
    shown = {}
    for split in data.splits:
        examples = data.split(split)
        shown |= {Path(name).name: examples.whole(i)['image'] for i, name in enumerate(examples.ids)}
    assert shown.keys() == {path.name for path in photo_folder.folder.rglob('*.*')} - DAMAGE.keys()
    photo = np.asarray(PHOTO)
    np.testing.assert_array_equal(shown['upside_down.png'], photo[::-1, ::-1])
    np.testing.assert_array_equal(shown['really_a_png.jpg'], photo)
    assert np.abs(np.rot90(shown['on_its_side.jpg']) - photo.astype(float)).mean() < 10
    grey = np.asarray(PHOTO.convert('L'), float)[..., np.newaxis]
    for name in ('deep.png', 'floats.tif'):
        assert np.abs(shown[name] - grey).max() <= 1


def test_a_repaired_file_is_taken_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv('WORKSPACE', str(tmp_path / 'workspace'))
    photo_folder = made(tmp_path / 'photos', 30)
    with pytest.raises(UserError, match='10 of 30 examples cannot be used'):
        load(photo_folder.name)
    for path in photo_folder.folder.rglob('*.*'):
        if path.name in DAMAGE:
            path.write_bytes(jpeg(7))
    assert sum(load(photo_folder.name).splits.values()) == 30


def test_a_repaired_file_that_was_left_out_is_taken_in(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv('WORKSPACE', str(tmp_path / 'workspace'))
    photo_folder = made(tmp_path / 'photos', 30)
    before = load(photo_folder.name, allow_damaged=0.4)
    assert load(photo_folder.name).fingerprint == before.fingerprint
    (path,) = photo_folder.folder.rglob('empty.jpg')
    path.write_bytes(jpeg(7))
    with pytest.raises(UserError, match='9 of 30 examples cannot be used'):
        load(photo_folder.name)
    after = load(photo_folder.name, allow_damaged=0.4)
    assert sum(after.splits.values()) == sum(before.splits.values()) + 1


def test_a_split_is_never_emptied(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv('WORKSPACE', str(tmp_path / 'workspace'))
    photo_folder = made(tmp_path / 'photos', 30)
    for path in (photo_folder.folder / 'test').rglob('*.*'):
        path.write_bytes(b'no image')
    with pytest.raises(UserError, match='Nothing would be left of test'):
        load(photo_folder.name, allow_damaged=0.9)


@pytest.mark.parametrize('share', [-0.1, 1, 5])
def test_a_share_is_below_one(share: float, tmp_path: Path) -> None:
    with pytest.raises(UserError, match='give a share of all examples'):
        load(f'images:{tmp_path}', allow_damaged=share)
