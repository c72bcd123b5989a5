"""The built shapes equal the rendered scenes."""

import csv
from pathlib import Path

import numpy as np
import pytest

from data.shapes import explore, original
from engine.datasets.checks import check
from engine.datasets.load import load, prepare
from engine.datasets.reading.dataset import Dataset
from engine.errors import UserError

FOLDER = Path(original.__file__).parent
COUNTS = {'train': 1500, 'val': 150, 'test': 150}
SIDE = original.SIDE


@pytest.fixture(scope='module')
def workspace(tmp_path_factory: pytest.TempPathFactory):
    folder = tmp_path_factory.mktemp('workspace')
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv('WORKSPACE', str(folder))
        yield folder


@pytest.fixture(scope='module')
def full(workspace: Path) -> Dataset:
    return load('shapes')


@pytest.fixture(scope='module')
def toy(workspace: Path) -> Dataset:
    return load('shapes/toy')


def test_counts_shapes_and_names(full: Dataset):
    assert full.splits == COUNTS
    assert {name: (field.shape, field.dtype) for name, field in full.spec.example.items()} == {
        'image': ((SIDE, SIDE, 3), np.uint8),
        'mask': ((SIDE, SIDE), np.uint8),
        'instances': ((SIDE, SIDE, 1), np.uint8),
        'boxes': ((original.MAX_OBJECTS, 4), np.float32),
        'classes': ((original.MAX_OBJECTS,), np.int32),
    }
    assert full.spec.class_names == {'mask': original.CLASSES, 'classes': original.CLASSES}
    for split, count in COUNTS.items():
        assert full.split(split).arrays['mask'].shape == (count, SIDE, SIDE)


def test_scenes_are_numbered_in_the_order_of_the_splits(full: Dataset):
    listed = [identity for split in COUNTS for identity in full.split(split).ids]
    assert listed == [f'{number:04d}' for number in range(1800)]


def test_every_split_has_exactly_the_stated_classes(full: Dataset):
    for split in COUNTS:
        masks = full.split(split).arrays['mask']
        assert np.unique(masks).tolist() == list(range(len(original.CLASSES)))


def test_all_scenes_differ(full: Dataset):
    images = {image.tobytes() for split in COUNTS for image in full.split(split).arrays['image']}
    assert len(images) == 1800


@pytest.mark.parametrize('number', [0, 1500, 1799])
def test_a_scene_depends_only_on_its_number(full: Dataset, number: int):
    identity = f'{number:04d}'
    [examples] = [full.split(split) for split in COUNTS if identity in full.split(split).ids]
    example, scene = examples.example(examples.ids.index(identity)), original.scene(number)
    count = len(scene.classes)
    np.testing.assert_array_equal(example['image'], scene.image)
    np.testing.assert_array_equal(example['mask'], scene.mask)
    np.testing.assert_array_equal(example['instances'][..., 0], scene.instances)
    np.testing.assert_array_equal(
        example['classes'], [*scene.classes, *[-1] * (original.MAX_OBJECTS - count)]
    )
    np.testing.assert_array_equal(example['boxes'][:count], scene.boxes)
    assert not example['boxes'][count:].any()


def test_objects_masks_and_boxes_agree():
    """Compared pixel by pixel, the slow way."""
    scenes = [original.scene(number) for number in range(40)]
    assert any(scene.instances.max() == original.MAX_OBJECTS for scene in scenes)
    for scene in scenes:
        assert np.unique(scene.instances).tolist() == list(range(len(scene.classes) + 1))
        for index, (kind, box) in enumerate(zip(scene.classes, scene.boxes, strict=True), 1):
            places = [(x, y) for y, x in np.ndindex(SIDE, SIDE) if scene.instances[y, x] == index]
            assert {int(scene.mask[y, x]) for x, y in places} == {kind}
            low, high = np.min(places, 0), np.max(places, 0) + 1
            np.testing.assert_array_equal(box, [*low, *high])
        assert not scene.mask[scene.instances == 0].any()


def test_hidden_objects_do_not_count():
    for number in range(400):
        random = np.random.default_rng((original.SEED, number))
        original._texture(random, 8)
        count = random.integers(original.MIN_OBJECTS, original.MAX_OBJECTS, endpoint=True)
        if len(original.scene(number).classes) < count:
            return
    pytest.fail('none of 400 scenes hides an object')


@pytest.mark.parametrize(('encoding', 'ending'), [('png', '.png'), ('jpeg', '.jpg')])
def test_write_renders_scenes_of_any_size_and_seed(encoding: str, ending: str, tmp_path: Path):
    original.write(tmp_path / 'some', {'train': 2, 'val': 1, 'test': 0}, 96, encoding, seed=7)
    path = tmp_path / 'some' / 'images' / f'0002{ending}'
    rendered = original.scene(2, 96, seed=7).image
    distance = np.abs(original.pixels(path).astype(int) - rendered).mean()
    assert distance == 0 if encoding == 'png' else 0 < distance < 10
    assert np.abs(rendered.astype(int) - original.scene(2, 96).image).mean() > 10


def test_a_larger_scene_shows_the_same_objects():
    small, large = original.scene(7).mask, original.scene(7, 4 * SIDE).mask
    assert np.mean(small.repeat(4, 0).repeat(4, 1) == large) > 0.97


def test_toy_is_a_subset_of_full(full: Dataset, toy: Dataset):
    assert toy.splits == {'train': 12, 'val': 4, 'test': 4}
    for split in toy.splits:
        few, all_ = toy.split(split), full.split(split)
        assert few.ids == all_.ids[: len(few)]
        for field in few.arrays:
            np.testing.assert_array_equal(few.arrays[field], all_.arrays[field][: len(few)])


def test_lists_name_the_mask_of_each_image(workspace: Path, toy: Dataset):
    for rows in prepare('shapes/toy').raw_examples().values():
        for identity, image, mask in rows:
            assert image.stem == mask.stem == identity
            assert image.is_file()
            assert mask.is_file()


def test_build_fails_if_scenes_render_differently(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Another version of NumPy may draw other noise."""
    monkeypatch.setenv('WORKSPACE', str(tmp_path))
    monkeypatch.setattr(original, 'NOISE_STD', 5)
    with pytest.raises(UserError, match=r'raw/images differs from checksums.tsv.*Pillow'):
        load('shapes')
    assert not list(tmp_path.rglob('*.npy'))


def test_build_fails_if_an_original_is_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv('WORKSPACE', str(tmp_path))
    prepare('shapes/toy')
    raw = tmp_path / 'data' / 'shapes' / 'toy'
    (raw / 'masks' / '0003.png').unlink()
    for built in ('records', 'arrays'):
        for folder in (tmp_path / 'data' / 'shapes').glob(f'{built}*'):
            folder.rename(tmp_path / folder.name)
    with pytest.raises(UserError, match=r'toy is damaged: .*0003.png is missing.*Delete'):
        load('shapes/toy')


def test_readme_states_counts_and_shares(full: Dataset):
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
    names = ('images', 'instances', 'masks', 'objects.csv', 'test.txt', 'train.txt', 'val.txt')
    assert stated == [f'{config}/{name}' for config in ('full', 'toy', 'large') for name in names]


@pytest.mark.parametrize('name', ['shapes', 'shapes/toy'])
def test_all_checks_pass(workspace: Path, name: str):
    findings = check.run(check.DatasetUnderTest(name))
    assert [
        f'{finding.check}: {finding.message}' for finding in findings if finding.verdict == check.WRONG
    ] == []
