"""A user's folder of images, by class or by lists: a config names it, `check` and `train` accept it."""

import csv
import os
import shutil
from pathlib import Path
from typing import Any

import pytest

from engine import outputs
from engine.datasets.catalogue.names import DatasetName
from engine.datasets.image_folders import image_folder, image_layout
from engine.datasets.load import load
from engine.errors import UserError
from tests.conftest import Program
from tests.engine import photos

IMAGES = photos.examples(24).encoded['image']


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of images by split and class, and a temporary workspace."""
    monkeypatch.setenv('WORKSPACE', str(tmp_path / 'workspace'))
    for index in range(24):
        split = ('train', 'train', 'valid', 'test')[index % 4]
        place = tmp_path / 'flowers' / split / ('rose' if index // 4 % 2 else 'aster')
        place.mkdir(parents=True, exist_ok=True)
        (place / f'{index:02}.JPG').write_bytes(IMAGES[index])
    return tmp_path / 'flowers'


def listed(folder: Path, **lists: list[str]) -> Path:
    """Writes lists of files, which replace the folders of classes: `train=['train/rose/04.JPG']`."""
    for split, paths in lists.items():
        with (folder / f'{split}.csv').open('w', newline='', encoding='utf-8') as file:
            csv.writer(file).writerows(
                [('path', 'label'), *((path, Path(path).parent.name) for path in paths)]
            )
    return folder


def test_splits_classes_and_files(folder: Path) -> None:
    data = load(f'images:{folder}')
    assert data.splits == {'train': 12, 'val': 6, 'test': 6}
    assert data.spec.class_names == {'label': ('aster', 'rose')}
    train = data.split('train')
    assert train.ids[0] == 'train/aster/00.JPG'
    for index, identity in enumerate(train.ids):
        assert train.encoded['image'][index] == (folder / identity).read_bytes()
        assert data.spec.class_names['label'][train.arrays['label'][index]] == identity.split('/')[1]


def test_lists_define_splits(folder: Path) -> None:
    paths = sorted(
        path.relative_to(folder).as_posix() for path in folder.rglob('*.JPG') if 'test' not in path.parts
    )
    data = load(f'images:{listed(folder, train=paths[6:18], val=paths[:6])}')
    assert data.splits == {'train': 12, 'val': 6, 'test': 6}  # test from its folder
    assert data.split('val').ids == paths[:6]


def test_an_example_of_two_splits_is_refused(folder: Path) -> None:
    with pytest.raises(UserError, match=r'03\.JPG belongs to val and to test\. Remove'):
        load(f'images:{listed(folder, val=["test/aster/03.JPG"])}')


def test_without_val_a_fixed_part_of_train_becomes_val(folder: Path) -> None:
    shutil.rmtree(folder / 'valid')
    for index in range(100):
        (folder / f'train/rose/more{index}.jpg').write_bytes(IMAGES[0])
    examples = image_layout.read(folder).splits
    assert sum(map(len, examples.values())) == 118
    assert 5 < len(examples['val']) < 20
    before = {identity: split for split, rows in examples.items() for identity, _, _ in rows}
    (folder / 'train/rose/one_more.jpg').write_bytes(IMAGES[1])
    with_one_more = {
        identity: split for split, rows in image_layout.read(folder).splits.items() for identity, _, _ in rows
    }
    assert before.items() < with_one_more.items()


def test_numeric_classes_are_sorted_by_value() -> None:
    path = Path('a.png')
    examples: Any = {'train': [('a', path, '10'), ('b', path, '9')]}
    assert image_folder._classes(examples) == ['9', '10']


def test_an_added_file_changes_the_fingerprint(folder: Path) -> None:
    first = load(f'images:{folder}').fingerprint
    (folder / 'train/rose/99.png').write_bytes(photos.files()['png'])
    data = load(f'images:{folder}')
    assert data.splits['train'] == 13
    assert data.fingerprint != first
    (folder / 'train/rose/99.png').unlink()
    assert load(f'images:{folder}').fingerprint == first


def test_a_moved_folder_keeps_the_fingerprint(folder: Path) -> None:
    first = load(f'images:{folder}').fingerprint
    moved = folder.rename(folder.with_name('plants'))
    data = load(f'images:{moved}')
    assert data.fingerprint == first
    assert str(moved) in data.split('train').origin(0)


def test_a_relative_path_starts_at_the_repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr('engine.workspace.REPOSITORY', tmp_path)
    assert DatasetName.parse('images:data/flowers').path == tmp_path / 'data/flowers'
    assert DatasetName.parse('images:~/flowers').path == Path(os.environ['HOME']).resolve() / 'flowers'


def remove_train(folder: Path) -> None:
    shutil.rmtree(folder / 'train')


def put_beside_classes(folder: Path) -> None:
    shutil.copy(folder / 'train/rose/04.JPG', folder / 'train')


def rename_column(folder: Path) -> None:
    (folder / 'train.csv').write_text('file,label\n')


def list_a_missing_file(folder: Path) -> None:
    listed(folder, train=['train/rose/04.JPG', 'train/rose/77.JPG'])


def damage(folder: Path) -> None:
    (folder / 'train/rose/04.JPG').write_bytes(IMAGES[0][:500])


MISTAKES = {
    remove_train: r'holds no images to train on. It should hold train/<class>/\*\.jpg',
    put_beside_classes: r'train/04\.JPG is not in the folder of a class. Move it to .*/train/<class>/04\.JPG',
    rename_column: r"train\.csv:1: there is no column 'path'",
    list_a_missing_file: r'train\.csv:3: there is no file .*77\.JPG',
    damage: r"example 'train/rose/04\.JPG' \(.*04\.JPG\): image is damaged",
    shutil.rmtree: 'There is no folder',
}


@pytest.mark.parametrize('mistake', MISTAKES, ids=lambda mistake: mistake.__name__)
def test_mistakes_in_the_folder_are_reported(mistake: object, folder: Path) -> None:
    assert callable(mistake)
    mistake(folder)
    with pytest.raises(UserError, match=MISTAKES[mistake]):
        load(f'images:{folder}')


def test_check_explore_and_train_accept_the_folder(folder: Path, program: Program, tmp_path: Path) -> None:
    name = f'images:{folder}'
    code, out, _ = program('dataset', 'check', name)
    assert code == 0, out
    (folder / 'test/rose/04.JPG').write_bytes((folder / 'train/rose/04.JPG').read_bytes())
    code, out, _ = program('dataset', 'check', name)
    assert code == 1
    assert "test 'test/rose/04.JPG' equals train 'train/rose/04.JPG'" in out
    code, out, _ = program('dataset', 'explore', name)
    assert code == 0
    page = Path(out.rpartition('page: ')[2].strip()).read_text()
    assert page.count('data:image/') > 24
    config = tmp_path / 'flowers.gin'
    config.write_text(CONFIG.format(name=name))
    assert program('train', f'--gin_file={config}')[0] == 0
    (run,) = (tmp_path / 'workspace/runs').glob('*/images-flowers-*/*')
    assert outputs.read(run / 'outputs/test').arrays['logits'].shape == (7, 2)


CONFIG = """
from __gin__ import dynamic_registration
from engine.parts import crops
from engine.training import trainer
from research.models import mlp
from engine.parts import classification
import optax

trainer.Trainer:
  dataset = '{name}'
  decode = @crops.Crops()
  task = @classification.Classification()
  steps = 3
  batch_size = 4

crops.Crops.size = 12

classification.Classification:
  model = @mlp.MLP
  optimizer = @optax.sgd
  learning_rate = 0.01
"""


def test_a_folder_in_which_an_image_was_replaced_is_another_dataset(folder: Path, tmp_path: Path) -> None:
    before = load(f'images:{folder}')
    moved = shutil.copytree(folder, tmp_path / 'elsewhere/flowers', copy_function=shutil.copyfile)
    digests = [image_folder._digest(place, image_layout.read(place).splits) for place in (folder, moved)]
    assert digests[0] == digests[1]  # the copy has other times
    identity = before.split('train').ids[0]
    (folder / identity).write_bytes(IMAGES[1])
    after = load(f'images:{folder}').split('train')
    assert after.encoded['image'][after.ids.index(identity)] == IMAGES[1]
