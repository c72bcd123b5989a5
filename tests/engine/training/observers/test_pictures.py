"""Pictures: checked before training, clipped, drawn as grids, the same on all ways to use devices."""

import io
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from PIL import Image

from engine.errors import UserError
from engine.render.contact_sheet import GAP, picture_grid
from engine.sharding import Jit, Parallelism, PMap
from engine.training.observers import pictures
from engine.training.observers.observer import Observer
from engine.training.observers.pictures import PictureMaker
from engine.training.observers.tensorboard import TensorBoard
from tests.engine.training.observers.observed_run import observed_run
from tests.engine.training.observers.test_tensorboard import events

STATE = {'params': {'kernel': jnp.linspace(-1.5, 1.5, 8 * 16).reshape(8, 16)}}


class Filters:
    """A task whose pictures are its parameters, and noise."""

    def pictures(self, state: Any, key: jax.Array) -> dict[str, jax.Array]:
        return {
            'filters': state['params']['kernel'].reshape(8, 4, 4, 1),
            'noise': jax.random.uniform(key, (2, 4, 4, 3), minval=-1.0),
        }


def program(bound: Any, parallelism: Parallelism, seed: int = 0) -> Callable[..., Any]:
    """Returns the program that makes pictures."""
    shapes = parallelism.state(jax.eval_shape(lambda: STATE))
    compiled = pictures.traced(bound, shapes, parallelism, seed).lower().compile()
    placed = jax.tree.map(lambda leaf, shape: jax.device_put(leaf, shape.sharding), STATE, shapes)
    return lambda: jax.device_get(compiled(placed))


def of(images: Any) -> Any:
    """Returns a task that makes these pictures."""
    return SimpleNamespace(pictures=lambda state, key: images, task=Filters())


def made(images: Any) -> dict[str, np.ndarray]:
    return program(of(images), Jit(data=1))()


@pytest.mark.parametrize('parallelism', [Jit(fsdp=2), PMap()], ids=['fsdp', 'pmap'])
def test_pictures_are_the_same_on_several_devices(parallelism: Parallelism) -> None:
    expected, actual = (program(Filters(), each)() for each in (Jit(data=1), parallelism))
    for name in ('filters', 'noise'):
        np.testing.assert_array_equal(actual[name], expected[name], strict=True)


def test_the_seed_alone_gives_the_key() -> None:
    first, again, other = (program(Filters(), Jit(data=1), seed)()['noise'] for seed in (0, 0, 1))
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()


@pytest.mark.parametrize('dtype', ['float32', 'bfloat16', 'float16'])
def test_floats_are_clipped(dtype: str) -> None:
    values = [-9.0, -1.0, 0.0, 0.5, 1.0, 9.0, np.inf, -np.inf, np.nan]
    result = made({'a': jnp.array(values, dtype).reshape(1, 3, 3, 1)})['a']
    expected = [0, 0, 128, 191, 255, 255, 255, 0, 0]
    np.testing.assert_array_equal(result.ravel(), np.array(expected, np.uint8), strict=True)


def test_bytes_stay_as_they_are() -> None:
    images = np.arange(48, dtype=np.uint8).reshape(1, 4, 4, 3) * 5
    np.testing.assert_array_equal(made({'a': images})['a'], images, strict=True)


MISTAKES: dict[str, tuple[Any, str]] = {
    'none': ({}, 'Trainer.pictures_every: Filters makes no pictures. Write its method `pictures`'),
    'an array': (jnp.zeros((1, 4, 4, 1)), 'Filters.pictures returns a value of type ArrayImpl'),
    'a single picture': ({'a': jnp.zeros((4, 4, 1))}, "Filters.pictures: 'a' is float32 [4, 4, 1]."),
    'two channels': ({'a': jnp.zeros((1, 4, 4, 2))}, "'a' is float32 [1, 4, 4, 2]. Pictures are uint8, or"),
    'channels first': ({'a': jnp.zeros((1, 3, 8, 8))}, "'a' is float32 [1, 3, 8, 8]"),
    'integers': ({'a': jnp.zeros((1, 4, 4, 1), jnp.int32)}, "'a' is int32 [1, 4, 4, 1]"),
    'complex': ({'a': jnp.zeros((1, 4, 4, 1), jnp.complex64)}, "'a' is complex64"),
    'no pictures': ({'a': jnp.zeros((0, 4, 4, 1))}, "'a' is float32 [0, 4, 4, 1]"),
    'a list': ({'a': [1, 2]}, "'a' is list"),
    'nested': ({'a': {'b': jnp.zeros((1, 4, 4, 1))}}, "'a' is dict"),
    'a path': ({'a/b': jnp.zeros((1, 4, 4, 1))}, "'a/b' becomes the name of a folder"),
    'a parent': ({'..': jnp.zeros((1, 4, 4, 1))}, "'..' becomes the name of a folder"),
    'a number': ({1: jnp.zeros((1, 4, 4, 1))}, '1 becomes the name of a folder'),
}


@pytest.mark.parametrize('mistake', MISTAKES)
def test_what_is_no_picture_is_refused(mistake: str) -> None:
    images, message = MISTAKES[mistake]
    with pytest.raises(UserError) as error:
        made(images)
    assert message in str(error.value)


def test_a_task_without_the_method_is_refused() -> None:
    with pytest.raises(UserError, match='SimpleNamespace makes no pictures'):
        program(SimpleNamespace(), Jit(data=1))


def test_a_grid_shows_each_picture() -> None:
    images = np.arange(5, dtype=np.uint8).reshape(5, 1, 1, 1) * np.full((1, 8, 8, 1), 50, np.uint8)
    grid = np.asarray(picture_grid(images))
    assert grid.shape == (2 * (64 + GAP) + GAP, 3 * (64 + GAP) + GAP, 3)
    for index in range(5):
        row, column = divmod(index, 3)
        top, left = (GAP + place * (64 + GAP) for place in (row, column))
        tile = grid[top : top + 64, left : left + 64]
        assert np.unique(tile).tolist() == [50 * index]
    assert (grid[-64 - GAP :, -64 - GAP :] == 255).all()


class Shown(Observer):
    """Keeps the steps whose pictures it was shown."""

    def __init__(self) -> None:
        self.steps: list[int] = []

    def on_pictures(self, step: int, pictures: Any) -> None:
        self.steps.append(step)


def test_pictures_are_made_once_for_a_step_and_recorded(tmp_path: Path) -> None:
    shown, make = Shown(), program(Filters(), Jit(data=1))
    with PictureMaker(lambda state: make(), tmp_path, shown, last=3) as maker:
        assert maker.record() == {'pictures': '3'}
        for step in (3, 5, 5):
            maker.make(step, STATE)
        assert maker.record() == {'pictures': '5'}
        assert (tmp_path / 'debug/pictures/noise/5.png').is_file()  # before the record is saved
    assert shown.steps == [5]
    with Image.open(tmp_path / 'debug/pictures/filters/5.png') as picture:
        np.testing.assert_array_equal(picture, picture_grid(make()['filters']))
    with PictureMaker(None, tmp_path, shown, last=None) as maker:
        maker.make(7, STATE)
        assert maker.record() == {}


def test_a_full_disk_is_not_passed_over(tmp_path: Path) -> None:
    (tmp_path / 'debug').write_text('in the way')
    make = program(Filters(), Jit(data=1))
    with pytest.raises(OSError), PictureMaker(lambda state: make(), tmp_path, Observer(), None) as maker:
        maker.make(0, STATE)


def test_later_pictures_are_discarded(tmp_path: Path) -> None:
    folder = tmp_path / 'debug/pictures/noise'
    folder.mkdir(parents=True)
    for name in ('0.png', '9.png', '10.png', 'mine.png'):
        (folder / name).touch()
    pictures.discard_after(tmp_path, 9)
    assert sorted(path.name for path in folder.iterdir()) == ['0.png', '9.png', 'mine.png']


def test_tensorboard_shows_pictures(tmp_path: Path) -> None:
    writer, images = TensorBoard(), program(Filters(), Jit(data=1))()
    writer.on_start(observed_run(tmp_path))
    writer.on_pictures(4, images)
    writer.on_end('finished')
    [event] = [event for event in events(tmp_path) if event.summary.value]
    assert event.step == 4
    by_tag = {value.tag: value.image for value in event.summary.value}
    assert by_tag.keys() == {'pictures/filters', 'pictures/noise'}
    image = by_tag['pictures/noise']
    with Image.open(io.BytesIO(image.encoded_image_string)) as picture:
        np.testing.assert_array_equal(picture, picture_grid(images['noise']))
        assert (image.width, image.height, image.colorspace) == (*picture.size, 3)
