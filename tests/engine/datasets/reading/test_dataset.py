"""Damaged files of a built dataset: one message names the file, when the split is read."""

import re
from collections.abc import Callable
from pathlib import Path

import jax
import numpy as np
import pytest

from engine.datasets.reading.dataset import Dataset
from engine.errors import UserError
from engine.interfaces import Spec

IMAGE = jax.ShapeDtypeStruct((2, 2, 1), np.uint8)


@pytest.fixture
def dataset(tmp_path: Path) -> Dataset:
    """Three examples with a field of fixed shape and one of varying size."""
    arrays = tmp_path / 'arrays'
    folder = arrays / 'train'
    folder.mkdir(parents=True)
    np.save(folder / 'image.npy', np.arange(12, dtype=np.uint8).reshape(3, 2, 2, 1))
    np.save(folder / 'photo.offsets.npy', np.array([0, 2, 4, 7]))
    (folder / 'photo.bin').write_bytes(b'1234567')
    (folder / 'ids.txt').write_text('a\u2028b\nc\x0bd\ne\n', encoding='utf-8', newline='')
    return Dataset('zoo', '1', 'f', Spec({'image': IMAGE}), {'train': 3}, arrays, encoded={'photo': 3})


def test_ids_keep_every_character_but_the_end_of_a_line(dataset: Dataset) -> None:
    examples = dataset.split('train')
    assert examples.ids == ['a\u2028b', 'c\x0bd', 'e']
    assert list(examples.encoded['photo']) == [b'12', b'34', b'567']


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1])


def halve(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def empty(path: Path) -> None:
    path.write_bytes(b'')


def fill(path: Path) -> None:
    path.write_bytes(b'\xff\xfe garbage ' * 20)


def replace_by_archive(path: Path) -> None:
    with path.open('wb') as file:
        np.savez(file, a=np.zeros(3))


def replace_by_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


def drop_an_example(path: Path) -> None:
    with path.open('rb') as file:
        array = np.load(file)
    np.save(path, array[:-1])


DAMAGES = (cut, halve, empty, fill, replace_by_archive, replace_by_folder)


@pytest.mark.parametrize('damage', [*DAMAGES, drop_an_example])
@pytest.mark.parametrize('name', ['image.npy', 'photo.offsets.npy'])
def test_a_damaged_array_is_named(name: str, damage: Callable[[Path], None], dataset: Dataset) -> None:
    assert_named(dataset, name, damage)


@pytest.mark.parametrize('damage', DAMAGES)
@pytest.mark.parametrize('name', ['ids.txt', 'photo.bin'])
def test_other_damaged_files_are_named(name: str, damage: Callable[[Path], None], dataset: Dataset) -> None:
    assert_named(dataset, name, damage)


@pytest.mark.parametrize('name', ['ids.txt', 'photo.offsets.npy'])
def test_a_missing_file_is_named(name: str, dataset: Dataset) -> None:
    assert_named(dataset, name, Path.unlink)


def assert_named(dataset: Dataset, name: str, damage: Callable[[Path], None]) -> None:
    path = dataset.folder / 'train' / name
    damage(path)
    with pytest.raises(UserError, match=re.escape(f'{path} is damaged: ')) as error:
        dataset.split('train')
    assert f'Delete {dataset.folder}: the next command builds it again.' in str(error.value)
