"""Crops against the slow way: the whole image, the mean of small squares, linear interpolation."""

import dataclasses
import io
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import simplejpeg
from PIL import Image

from engine.datasets.reading import dataset as datasets
from engine.datasets.reading.images import Box
from engine.errors import RunError, UserError
from engine.training.batches import decoding
from engine.training.batches.decoding import TRIES, Crops, Decoder
from engine.training.batches.evaluation import evaluation_batches
from engine.training.batches.order import Order
from engine.training.batches.training import training_batch
from tests.engine import photos

CROPS = Crops(size=32)
DRAWS = np.random.default_rng(0).random((400, TRIES, 4))


def slowly(data: bytes, box: Box, size: int, mode: str = 'RGB') -> np.ndarray:
    """Decodes the whole, takes the part, takes means while it stays large enough, then interpolates."""
    image = np.asarray(Image.open(io.BytesIO(data)).convert(mode)).astype(np.float64)
    times = 1
    while times < 8 and min(box.height, box.width) >= 2 * times * size:
        times *= 2
    top, left, height, width = (each // times * times for each in box)
    part = image[top : top + height, left : left + width].reshape(height, width, -1)
    small = part.reshape(height // times, times, width // times, times, -1).mean((1, 3))
    return cv2.resize(small, (size, size), interpolation=cv2.INTER_LINEAR).reshape(size, size, -1)


def psnr(one: np.ndarray, other: np.ndarray) -> float:
    return 10 * np.log10(255**2 / max(np.mean((one.astype(float) - other) ** 2), 1e-9))


@pytest.mark.parametrize('size', [8, 17, 32, 100, 200])
@pytest.mark.parametrize('name', photos.files())
def test_crops_are_those_of_the_slow_way(name: str, size: int) -> None:
    data, crops = photos.files()[name], Crops(size=size)
    boxes = [crops.central_box(150, 210), *(crops.random_box(150, 210, each) for each in DRAWS[:5])]
    found = [crops.evaluate(data, 3), *(crops.train(data, 3, each) for each in DRAWS[:5])]
    for box, image in zip(boxes, found, strict=True):
        assert (image.shape, image.dtype) == ((size, size, 3), np.uint8)
        assert psnr(image, slowly(data, box, size)) > 40


def test_gray_images_have_one_channel() -> None:
    for name in ('gray jpeg', 'gray png', 'jpeg 4:2:0'):
        data = photos.files()[name]
        found = CROPS.evaluate(data, 1)
        assert found.shape == (32, 32, 1)
        assert psnr(found, slowly(data, CROPS.central_box(150, 210), 32, 'L')) > 40


def test_random_parts_are_inside_and_as_asked_for() -> None:
    height, width = 375, 500
    boxes = [CROPS.random_box(height, width, each) for each in DRAWS]
    for top, left, h, w in boxes:
        assert 0 <= top <= top + h <= height and 0 <= left <= left + w <= width
        assert 0.079 < h * w / (height * width) <= 1
        assert 0.74 < w / h < 1.35
    areas = np.array([box.height * box.width for box in boxes]) / (height * width)
    assert areas.min() < 0.12 and areas.max() > 0.9
    assert abs(np.mean([box.top / (height - box.height + 1) for box in boxes]) - 0.5) < 0.05


@pytest.mark.parametrize('shape', [(1, 1), (1, 50), (50, 1), (3, 1000), (1000, 3), (7, 7)])
def test_images_of_any_shape_have_parts(shape: tuple[int, int]) -> None:
    data = simplejpeg.encode_jpeg(np.full((*shape, 3), 128, np.uint8))
    for draws in DRAWS[:20]:
        top, left, h, w = CROPS.random_box(*shape, draws)
        assert h >= 1 and w >= 1 and 0 <= top <= shape[0] - h and 0 <= left <= shape[1] - w
        assert CROPS.train(data, 3, draws).shape == (32, 32, 3)
    assert CROPS.evaluate(data, 3).shape == (32, 32, 3)


def test_the_middle_is_a_square_in_the_middle() -> None:
    assert Crops(central=0.5).central_box(100, 200) == Box(25, 75, 50, 50)
    assert Crops(central=1.0).central_box(100, 201) == Box(0, 50, 100, 100)


@pytest.mark.parametrize(
    'wrong',
    [
        {'size': 0},
        {'area': (0.5, 0.1)},
        {'area': (0, 1)},
        {'aspect': (2, 1)},
        {'central': 0},
        {'workers': -1},
    ],
)
def test_numbers_out_of_range_are_named(wrong: dict[str, Any]) -> None:
    with pytest.raises(UserError, match=rf'Crops.{next(iter(wrong))} = '):
        Crops(**wrong)


@pytest.mark.parametrize('workers', [1, 3])
def test_a_row_is_a_function_of_seed_step_and_row(workers: int) -> None:
    """Whatever the workers, and whichever rows are wanted."""
    examples = photos.examples(7)
    several = dataclasses.replace(examples, decode=Crops(size=24, workers=workers))
    alone = Decoder(dataclasses.replace(examples, decode=Crops(size=24, workers=0)))
    indices = np.array([3, 3, 0, 6, 1, 5])
    whole = alone.training(indices, 1, 2, np.arange(6)).result()['image']
    for rows in ([0, 1, 2, 3, 4, 5], [0, 3], [4], [1, 5]):
        found = Decoder(several).training(indices, 1, 2, np.array(rows)).result()['image']
        np.testing.assert_array_equal(found, whole[rows])
    assert not np.array_equal(whole[0], whole[1])
    for seed, step in ((1, 3), (2, 2), (2, 1)):
        other = alone.training(indices, seed, step, np.arange(6)).result()['image']
        assert not any(np.array_equal(one, another) for one, another in zip(other, whole, strict=True))


def test_crops_are_the_same_in_every_version() -> None:
    """A run continued after an upgrade goes on with the same parts."""
    drawn = []

    class Kept(Crops):
        def train(self, data: bytes, channels: int, draws: np.ndarray) -> np.ndarray:
            drawn.append(self.random_box(375, 500, draws))
            return np.zeros((self.size, self.size, channels), np.uint8)

    examples = dataclasses.replace(photos.examples(2), decode=Kept(size=24, workers=0))
    Decoder(examples).training(np.array([0, 1]), seed=0, step=5, rows=np.array([1])).result()
    assert drawn == [Box(27, 234, 314, 263)]


def test_what_must_be_bound_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    photos.dataset(tmp_path, monkeypatch)
    data = datasets.load('photos')
    with pytest.raises(UserError, match=r"'image' of photos vary in size.*decode = @decoding.Crops\(\)"):
        decoding.bound(data, None)
    bound = decoding.bound(data, CROPS)
    assert bound.spec.example['image'].shape == (32, 32, 3)
    fixed = dataclasses.replace(data, encoded={}, spec=bound.spec)
    with pytest.raises(UserError, match='all fields of photos have fixed shapes'):
        decoding.bound(fixed, CROPS)
    assert decoding.bound(fixed, None) is fixed


def test_a_damaged_image_is_named_with_its_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    raw = photos.dataset(tmp_path, monkeypatch)
    data = decoding.bound(datasets.load('photos'), CROPS)
    examples = data.split('train')
    path = data.folder / 'train/image.bin'
    start, end = examples.encoded['image'].offsets[[4, 5]]
    content = bytearray(path.read_bytes())
    content[start:end] = bytes(end - start)
    path.write_bytes(content)
    order = Order(13, 13, seed=0)
    expected = rf"example 'train-04' \({raw / 'train/train-04.jpg'}\) cannot be decoded"
    with pytest.raises(RunError, match=expected):
        training_batch(data.split('train'), order, 0)
    with pytest.raises(RunError, match=expected):
        list(evaluation_batches(data.split('train'), 4))
