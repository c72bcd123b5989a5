"""Folders of images to predict: flat, nested, by class, with splits and without a training split."""

import os
from pathlib import Path

import pytest

from engine.datasets.image_folders import image_layout, prediction_layout
from engine.datasets.load import load
from engine.datasets.reading.unusable_images import ANY_SHARE
from engine.errors import UserError
from tests.engine import photos
from tests.engine.datasets.image_folders.test_image_layout import TRAIN, labels, left_out, made


def test_all_images_of_a_flat_folder_are_one_split(tmp_path: Path) -> None:
    made(tmp_path, 'b.JPG', 'a.png', 'trip/c.jpeg', 'x.heic', '.hidden.jpg', 'Thumbs.db', 'notes.txt')
    layout = prediction_layout.read(tmp_path)
    assert labels(layout, 'images') == {'a.png': None, 'b.JPG': None, 'trip/c.jpeg': None}
    assert list(layout.splits) == ['images']
    assert left_out(layout, tmp_path) == [
        'hidden or put there by a system or program: 2 (.hidden.jpg, Thumbs.db)',
        '.txt is not an ending of images: 1 (notes.txt)',
        '.heic cannot be read, convert it to JPEG or PNG: 1 (x.heic)',
    ]


def test_subfolders_of_all_images_may_be_classes(tmp_path: Path) -> None:
    made(tmp_path, 'cat/1.jpg', 'dog/small/2.jpg')
    assert labels(prediction_layout.read(tmp_path), 'images') == {
        'cat/1.jpg': 'cat',
        'dog/small/2.jpg': 'dog',
    }


@pytest.mark.parametrize(
    ('names', 'splits'),
    [
        ([*TRAIN, 'val/cat/5.jpg'], {'train': 4, 'val': 1}),
        (['test/cat/1.jpg', 'test/dog/2.jpg', 'readme.txt'], {'test': 2}),
        (['val/cat/1.jpg', 'Testing/dog/2.jpg'], {'val': 1, 'test': 1}),
        (['test/1.jpg', 'test/2.jpg'], {'images': 2}),  # without classes, `test` is a folder like others
        (['test/cat/1.jpg', '2.jpg'], {'images': 2}),
        (['test/cat/1.jpg', 'more/dog/2.jpg'], {'images': 2}),
    ],
)
def test_splits_count_if_they_hold_all_images(names: list[str], splits: dict, tmp_path: Path) -> None:
    layout = prediction_layout.read(made(tmp_path, *names))
    assert {split: len(rows) for split, rows in layout.splits.items()} == splits


def test_a_list_of_test_needs_no_training_split(tmp_path: Path) -> None:
    made(tmp_path, 'x/1.jpg', 'x/2.jpg', test='path,label x/1.jpg,cat')
    assert labels(prediction_layout.read(tmp_path), 'test') == {'x/1.jpg': 'cat'}


def test_mistakes(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r'There is no folder .*/gone'):
        prediction_layout.read(tmp_path / 'gone')
    made(tmp_path, 'a.heic', 'b.txt')
    with pytest.raises(
        UserError, match=r'holds no images to predict\. Left out:\n  \.heic cannot be read, conv'
    ):
        prediction_layout.read(tmp_path)
    made(tmp_path, 'c.jpg')
    advice = (
        rf'A trained model can predict its images: scripts/predict.sh <run> --dataset=images:{tmp_path}\.'
    )
    with pytest.raises(UserError, match=f'holds no images to train on.*{advice}'):
        image_layout.read(tmp_path)
    made(tmp_path, *TRAIN, 'test/7.jpg')
    with pytest.raises(
        UserError, match=r'test/7\.jpg is not in the folder of a class.*A trained model can pre'
    ):
        image_layout.read(tmp_path)


def test_the_folder_is_built_elsewhere_and_again_when_a_photograph_is_replaced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv('WORKSPACE', str(tmp_path / 'workspace'))
    folder, images = tmp_path / 'photos', photos.examples(3).encoded['image']
    folder.mkdir()
    for index in range(3):
        (folder / f'{index}.jpg').write_bytes(images[index])
    (folder / 'damaged.jpg').write_bytes(images[0][:400])
    before = sorted(os.walk(folder))
    data = load(f'images:{folder}', ANY_SHARE, to_predict=True)
    assert (data.splits, [*data.spec.example], data.spec.class_names) == ({'images': 3}, [], {})
    assert [image.id for image in data.images.left_out] == ['damaged.jpg']
    assert sorted(os.walk(folder)) == before
    (folder / '1.jpg').write_bytes(images[2])
    again = load(f'images:{folder}', ANY_SHARE, to_predict=True).split('images')
    assert again.encoded['image'][again.ids.index('1.jpg')] == images[2]
    with pytest.raises(UserError, match='holds no images to train on'):
        load(f'images:{folder}')
