"""The built digits equal scikit-learn's arrays."""

import csv
import hashlib
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from sklearn.datasets import load_digits

from data.digits import explore, original
from data.digits.digits_dataset_builder import splits
from engine.datasets.checks import check
from engine.datasets.load import load, prepare
from engine.datasets.reading.dataset import Dataset
from engine.errors import UserError

FOLDER = Path(original.__file__).parent
COUNTS = {'train': 1248, 'val': 185, 'test': 364}
# sha256 of the ids of each split. If these change, the dataset has changed: raise its version.
IDS = {
    'train': '56ee83cd79821eccc45955080481e8bb1f8736077af5d3983a02f4240d34e79b',
    'val': 'a9c380041a61ba16586eaef46372d0fb25984bac53b4a70be00e7d3b732cf813',
    'test': 'c23001af86a5585387c8c8a2da2906e3fe3b2fa05c7202e0fc06f5fb5903b807',
}


@pytest.fixture(scope='module')
def workspace(tmp_path_factory: pytest.TempPathFactory):
    folder = tmp_path_factory.mktemp('workspace')
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv('WORKSPACE', str(folder))
        yield folder


@pytest.fixture(scope='module')
def full(workspace: Path) -> Dataset:
    return load('digits')


@pytest.fixture(scope='module')
def toy(workspace: Path) -> Dataset:
    return load('digits/toy')


def digest(ids: list[str]) -> str:
    return hashlib.sha256('\n'.join(ids).encode()).hexdigest()


def test_counts_shapes_and_names(full: Dataset):
    assert full.splits == COUNTS
    assert {name: (field.shape, field.dtype) for name, field in full.spec.example.items()} == {
        'image': ((8, 8, 1), np.uint8),
        'label': ((), np.int32),
    }
    assert full.spec.class_names == {'label': tuple('0123456789')}
    for split, count in COUNTS.items():
        examples = full.split(split)
        assert len(examples) == count
        assert examples.arrays['image'].shape == (count, 8, 8, 1)
        assert examples.arrays['image'].dtype == np.uint8
        assert examples.arrays['label'].shape == (count,)
        assert examples.arrays['label'].dtype == np.int32


def test_every_example_of_scikit_learn_appears_once(full: Dataset):
    counts, labels = load_digits(return_X_y=True)
    all_indices = []
    for split in full.splits:
        examples = full.split(split)
        indices = [int(identity) for identity in examples.ids]
        images = examples.arrays['image']
        assert not (images % original.BRIGHTNESS).any()
        np.testing.assert_array_equal(images.reshape(-1, 64) // original.BRIGHTNESS, counts[indices])
        np.testing.assert_array_equal(examples.arrays['label'], labels[indices])
        all_indices += indices
    assert sorted(all_indices) == list(range(len(labels)))


def test_no_image_is_in_two_splits(full: Dataset):
    images = [image.tobytes() for split in full.splits for image in full.split(split).arrays['image']]
    assert len(set(images)) == len(images)


def test_splits_never_change(full: Dataset):
    assert {split: digest(full.split(split).ids) for split in full.splits} == IDS


def test_splits_are_balanced(full: Dataset):
    whole = Counter(load_digits(return_X_y=True)[1].tolist())
    for split, share in {'train': 0.7, 'val': 0.1, 'test': 0.2}.items():
        labels = Counter(full.split(split).arrays['label'].tolist())
        # The last files of a class, when fewer than ten, leave train short by up to 2.1.
        assert all(abs(labels[label] - share * count) < 2.2 for label, count in whole.items())


def test_splits_do_not_depend_on_the_order_of_the_files():
    labels = {f'{index}.png': str(index % 3) for index in range(60)}
    assert splits(dict(reversed(labels.items()))) == splits(labels)


def test_toy_is_a_subset_of_full(full: Dataset, toy: Dataset):
    assert toy.splits == {'train': 30, 'val': 10, 'test': 20}
    for split in toy.splits:
        few, all_ = toy.split(split), full.split(split)
        indices = [all_.ids.index(identity) for identity in few.ids]
        np.testing.assert_array_equal(few.arrays['image'], all_.arrays['image'][indices])
        np.testing.assert_array_equal(few.arrays['label'], all_.arrays['label'][indices])
        assert set(few.arrays['label'].tolist()) == set(range(10))


@pytest.mark.parametrize('name', ['digits', 'digits/toy'])
def test_records_equal_the_originals(workspace: Path, name: str):
    builder = prepare(name)
    for split, raw in builder.raw_examples().items():
        records = builder.as_data_source(split)
        assert len(records) == len(raw)
        for record, (identity, path, label) in zip(records, raw, strict=True):
            assert record['id'].decode() == identity == path.stem
            assert str(record['label']) == label
            np.testing.assert_array_equal(record['image'][..., 0], original.pixels(path))


def test_toy_files_equal_the_files_in_raw(workspace: Path, full: Dataset):
    raw = workspace / 'data' / 'digits' / 'raw'
    labels = original.labels(FOLDER / 'toy')
    assert sorted(path.name for path in (FOLDER / 'toy' / 'images').iterdir()) == sorted(labels)
    assert labels.items() <= original.labels(raw).items()
    for name in labels:
        assert (FOLDER / 'toy' / 'images' / name).read_bytes() == (raw / 'images' / name).read_bytes()


def test_build_fails_if_scikit_learn_has_other_digits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Another version of scikit-learn may have other labels or images."""
    counts, labels = load_digits(return_X_y=True)
    for name, change in {'labels.csv': (counts, 9 - labels), 'images': (16 - counts, labels)}.items():
        monkeypatch.setenv('WORKSPACE', str(tmp_path / name))
        monkeypatch.setattr('sklearn.datasets.load_digits', lambda change=change, **_: change)
        with pytest.raises(UserError, match=rf'raw/{name} differs from checksums.tsv.*scikit-learn'):
            load('digits')
        assert not list(tmp_path.rglob('*.npy'))


def test_build_fails_if_an_original_is_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv('WORKSPACE', str(tmp_path))
    folder = tmp_path / 'data' / 'digits' / 'toy'
    (folder / 'images').mkdir(parents=True)
    (folder / 'labels.csv').write_text('file,label\n0001.png,1\n')
    with pytest.raises(UserError, match=r'toy is damaged: .*0001.png is missing.*Delete'):
        load('digits/toy')


def test_readme_states_the_counts():
    readme = (FOLDER / 'README.md').read_text()
    for split, count in COUNTS.items():
        assert f'| {split} | {count:,} |' in readme


def test_readme_shows_the_toy_images():
    pixels = np.asarray(explore.contact_sheet(FOLDER / 'toy'))
    np.testing.assert_array_equal(pixels, original.pixels(FOLDER / 'contact_sheet.png'))


def test_tfds_has_description_and_citation(full: Dataset):
    info = prepare('digits').info
    assert 'handwritten digits' in info.description
    assert 'Alpaydin' in info.citation


def test_checksums_state_each_config():
    with (FOLDER / 'checksums.tsv').open() as file:
        assert [row[0] for row in csv.reader(file, delimiter='\t')] == [
            'full/labels.csv',
            'full/images',
            'toy/labels.csv',
            'toy/images',
        ]


@pytest.mark.parametrize('name', ['digits', 'digits/toy'])
def test_all_checks_pass(workspace: Path, name: str):
    findings = check.run(check.DatasetUnderTest(name))
    assert [
        f'{finding.check}: {finding.message}' for finding in findings if finding.verdict == check.WRONG
    ] == []
