"""Pictures show the arrays that they claim to show."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from engine.render.contact_sheet import MAX_BATCH_IMAGES, batch_sheet
from engine.training.observers.first_batch import save_first_batch

NAMES = ('cat', 'dog')


def saved(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def test_the_first_batch_is_saved_as_it_is_and_drawn(tmp_path: Path) -> None:
    images = np.random.default_rng(0).random((MAX_BATCH_IMAGES + 5, 4, 4, 1), np.float32)
    labels = np.arange(len(images)) % 2
    save_first_batch(tmp_path, {'inputs': images}, labels, NAMES)
    assert saved(tmp_path) == {'first_batch.npz', 'first_batch.png'}
    with np.load(tmp_path / 'first_batch.npz') as arrays:
        np.testing.assert_array_equal(arrays['inputs'], images, strict=True)
    with Image.open(tmp_path / 'first_batch.png') as drawn:
        captions = [NAMES[label] for label in labels[:MAX_BATCH_IMAGES]]
        np.testing.assert_array_equal(drawn, batch_sheet(images, captions))


def test_what_is_no_image_is_not_drawn(tmp_path: Path) -> None:
    save_first_batch(tmp_path, {'tokens': np.zeros((2, 7), np.int32)}, None, ())
    assert saved(tmp_path) == {'first_batch.npz'}


def test_several_inputs_are_drawn_apart(tmp_path: Path) -> None:
    images = np.zeros((2, 4, 4, 3), np.float32)
    save_first_batch(tmp_path, {'left': images, 'right': images}, None, ())
    assert saved(tmp_path) == {'first_batch.npz', 'first_batch_left.png', 'first_batch_right.png'}


@pytest.mark.parametrize(
    'labels',
    [np.array([3, 0]), np.array([0.5, 1.5]), np.zeros((2, 4, 4), np.int32)],
    ids=['classes without names', 'numbers', 'maps'],
)
def test_labels_that_name_no_class_are_no_obstacle(labels: np.ndarray, tmp_path: Path) -> None:
    save_first_batch(tmp_path, {'inputs': np.zeros((2, 4, 4, 1), np.float32)}, labels, ())
    assert saved(tmp_path) == {'first_batch.npz', 'first_batch.png'}
