"""Pictures show the arrays that they claim to show."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from engine.render.contact_sheet import MAX_BATCH_IMAGES, batch_sheet
from engine.training.observers.first_batch import FirstBatch, save_first_batch
from tests.engine.training.observers.observed_run import observed_run

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


@pytest.mark.parametrize('status', ['finished', 'interrupted', 'failed'])
def test_the_picture_is_drawn_when_training_ends(status: str, tmp_path: Path) -> None:
    """Whatever ends it, also in a run that resumes; nothing is read or computed before."""
    (tmp_path / 'debug').mkdir()
    asked: list[int] = []

    def batch(step: int) -> dict[str, Any]:
        asked.append(step)
        return {'image': np.zeros((2, 4, 4, 1), np.uint8), 'label': np.array([0, 1])}

    run = observed_run(
        tmp_path,
        step=7,
        batch=batch,
        first_inputs=lambda batch: {'inputs': batch['image'] / np.float32(255)},
        label_field='label',
        class_names=NAMES,
    )
    observer = FirstBatch()
    observer.on_start(run)
    observer.on_steps(np.array([8]), {'loss': np.array([1.0])})
    observer.on_evaluation(8, {'loss': 1.0}, {}, {})
    assert (asked, saved(tmp_path / 'debug')) == ([], set())
    observer.on_end(status)
    assert (asked, saved(tmp_path / 'debug')) == ([0], {'first_batch.npz', 'first_batch.png'})


def test_a_full_disk_is_an_error_of_a_finished_run_alone(tmp_path: Path, caplog: Any) -> None:
    """A run that has failed keeps its own error. Here `debug/` is missing."""
    observer = FirstBatch()
    observer.on_start(observed_run(tmp_path, first_inputs=lambda _: {'inputs': np.zeros((2, 4, 4, 1))}))
    with pytest.raises(FileNotFoundError):
        observer.on_end('finished')
    observer.on_end('failed')
    assert 'the first batch could not be drawn: FileNotFoundError' in caplog.text


def test_a_picture_that_cannot_be_drawn_is_a_warning(tmp_path: Path, caplog: Any) -> None:
    def fail(_: Any) -> Any:
        raise ValueError('no inputs')

    observer = FirstBatch()
    observer.on_start(observed_run(tmp_path, first_inputs=fail))
    observer.on_end('finished')
    assert 'the first batch could not be drawn: ValueError: no inputs' in caplog.text
