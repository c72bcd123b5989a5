"""Decoding in batches: each row is a function of seed, step and row; what to bind; damaged images."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from engine.datasets.load import load
from engine.datasets.reading.dataset import Encoded
from engine.datasets.reading.images import Box
from engine.errors import RunError, UserError
from engine.parts.crops import Crops
from engine.training.batches import decoding
from engine.training.batches.decoding import Decoder
from engine.training.batches.evaluation import evaluation_batches
from engine.training.batches.training import part_batch
from tests.engine import photos, tiny

CROPS = Crops(size=32)


@pytest.mark.parametrize('workers', [1, 3])
def test_a_row_is_a_function_of_seed_step_and_row(workers: int) -> None:
    """Whatever the workers, and whichever rows are wanted."""
    examples = photos.examples(7)
    several = dataclasses.replace(examples, decode=Crops(size=24, workers=workers))
    alone = Decoder(dataclasses.replace(examples, decode=Crops(size=24, workers=0)))
    indices = np.array([3, 3, 0, 6, 1, 5])
    whole = alone.training(indices, 1, 2, np.arange(6)).result()['image']
    for rows in ([0, 1, 2, 3, 4, 5], [0, 3], [4], [1, 5]):
        result = Decoder(several).training(indices, 1, 2, np.array(rows)).result()['image']
        np.testing.assert_array_equal(result, whole[rows])
    assert not np.array_equal(whole[0], whole[1])
    for seed, step in ((1, 3), (2, 2), (2, 1)):
        other = alone.training(indices, seed, step, np.arange(6)).result()['image']
        assert not any(np.array_equal(one, another) for one, another in zip(other, whole, strict=True))


def test_crops_are_the_same_in_every_version() -> None:
    """A run continued after an upgrade continues with the same crops."""
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
    data = load('photos')
    with pytest.raises(UserError, match=r"'image' of photos vary in size.*decode = @crops.Crops\(\)"):
        decoding.bound(data, None)
    bound = decoding.bound(data, CROPS)
    assert bound.spec.example['image'].shape == (32, 32, 3)
    fixed = dataclasses.replace(data, encoded={}, spec=bound.spec)
    with pytest.raises(UserError, match='all fields of photos have fixed shapes'):
        decoding.bound(fixed, CROPS)
    assert decoding.bound(fixed, None) is fixed


def test_a_damaged_image_is_named_with_its_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    raw = photos.dataset(tmp_path, monkeypatch)
    data = decoding.bound(load('photos'), CROPS)
    examples = data.split('train')
    path = data.folder / 'train/image.bin'
    images = examples.encoded['image']
    assert isinstance(images, Encoded)
    start, end = images.offsets[[4, 5]]
    content = bytearray(path.read_bytes())
    content[start:end] = bytes(end - start)
    path.write_bytes(content)
    order = tiny.order(13, 13, seed=0)
    expected = rf"example 'train-04' \({raw / 'train/train-04.jpg'}\) cannot be decoded"
    with pytest.raises(RunError, match=expected):
        part_batch(data.split('train'), order, 0)
    with pytest.raises(RunError, match=expected):
        list(evaluation_batches(data.split('train'), 4))
