"""The shapes as they are built, against the scenes that were rendered."""

import csv
from pathlib import Path

import numpy as np
import pytest

from data.shapes import explore, original
from research.datasets import building
from research.datasets import dataset as datasets
from research.errors import UserError

FOLDER = Path(original.__file__).parent
COUNTS = {'train': 1000, 'val': 150, 'test': 150}
SIDE = original.SIDE


@pytest.fixture(scope='module')
def workspace(tmp_path_factory: pytest.TempPathFactory):
    folder = tmp_path_factory.mktemp('workspace')
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv('WORKSPACE', str(folder))
        yield folder


@pytest.fixture(scope='module')
def full(workspace: Path) -> datasets.Dataset:
    return datasets.load('shapes')


@pytest.fixture(scope='module')
def toy(workspace: Path) -> datasets.Dataset:
    return datasets.load('shapes/toy')


def test_counts_shapes_and_names(full: datasets.Dataset):
    assert full.splits == COUNTS
    assert {name: (each.shape, each.dtype) for name, each in full.spec.example.items()} == {
        'image': ((SIDE, SIDE, 3), np.uint8),
        'mask': ((SIDE, SIDE), np.uint8),
    }
    assert full.spec.class_names == original.CLASSES
    for split, count in COUNTS.items():
        assert full.split(split).arrays['mask'].shape == (count, SIDE, SIDE)


def test_splits_go_by_number(full: datasets.Dataset):
    listed = [each for split in COUNTS for each in full.split(split).ids]
    assert listed == [f'{number:04d}' for number in range(1300)]


def test_every_class_is_in_every_split_and_no_other(full: datasets.Dataset):
    for split in COUNTS:
        masks = full.split(split).arrays['mask']
        assert np.unique(masks).tolist() == list(range(len(original.CLASSES)))


def test_no_scene_is_there_twice(full: datasets.Dataset):
    images = {image.tobytes() for split in COUNTS for image in full.split(split).arrays['image']}
    assert len(images) == 1300


@pytest.mark.parametrize('number', [0, 1000, 1299])
def test_a_scene_is_a_function_of_its_number(full: datasets.Dataset, number: int):
    identity = f'{number:04d}'
    [examples] = [full.split(split) for split in COUNTS if identity in full.split(split).ids]
    image, mask = original.scene(number)
    np.testing.assert_array_equal(examples.arrays['image'][examples.ids.index(identity)], image)
    np.testing.assert_array_equal(examples.arrays['mask'][examples.ids.index(identity)], mask)


def test_a_larger_scene_shows_the_same_shapes():
    small, large = original.scene(7)[1], original.scene(7, 4 * SIDE)[1]
    assert np.mean(small.repeat(4, 0).repeat(4, 1) == large) > 0.97


def test_toy_is_a_part_of_full(full: datasets.Dataset, toy: datasets.Dataset):
    assert toy.splits == {'train': 12, 'val': 4, 'test': 4}
    for split in toy.splits:
        few, all_ = toy.split(split), full.split(split)
        assert few.ids == all_.ids[: len(few)]
        for field in ('image', 'mask'):
            np.testing.assert_array_equal(few.arrays[field], all_.arrays[field][: len(few)])


def test_lists_name_the_mask_of_each_image(workspace: Path, toy: datasets.Dataset):
    for rows in building.prepare('shapes/toy').raw_examples().values():
        for identity, image, mask in rows:
            assert image.stem == mask.stem == identity
            assert image.is_file()
            assert mask.is_file()


def test_a_changed_scene_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """As from a Pillow that draws otherwise."""
    monkeypatch.setenv('WORKSPACE', str(tmp_path))
    monkeypatch.setattr(original, 'FINE', 2)
    with pytest.raises(UserError, match=r'raw/images is not what .*checksums.tsv states.*Pillow'):
        datasets.load('shapes')
    assert not list(tmp_path.rglob('*.npy'))


def test_a_damaged_original_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv('WORKSPACE', str(tmp_path))
    building.prepare('shapes/toy')
    raw = tmp_path / 'data' / 'shapes' / 'toy'
    (raw / 'masks' / '0003.png').unlink()
    for built in ('records', 'arrays'):
        for folder in (tmp_path / 'data' / 'shapes').glob(f'{built}*'):
            folder.rename(tmp_path / folder.name)
    with pytest.raises(UserError, match=r'toy is damaged: .*0003.png.*Delete it'):
        datasets.load('shapes/toy')


def test_readme_states_counts_and_shares(full: datasets.Dataset):
    readme = (FOLDER / 'README.md').read_text()
    for split, count in COUNTS.items():
        assert f'| {split} | {count:,} |' in readme
    pixels = np.bincount(full.split('train').arrays['mask'].ravel())
    for index, (name, share) in enumerate(zip(original.CLASSES, pixels / pixels.sum(), strict=True)):
        assert f'| {index} | {name} | {100 * share:.1f} % |' in readme


def test_readme_shows_the_toy_scenes():
    pixels = np.asarray(explore.contact_sheet(FOLDER / 'toy'))
    np.testing.assert_array_equal(pixels, original.pixels(FOLDER / 'contact_sheet.png'))


def test_checksums_state_each_config():
    with (FOLDER / 'checksums.tsv').open() as file:
        stated = [row[0] for row in csv.reader(file, delimiter='\t')]
    names = ('train.txt', 'val.txt', 'test.txt', 'images', 'masks')
    assert stated == [f'{config}/{name}' for config in ('full', 'toy') for name in names]
