"""Traces, checks and draws the pictures that a task makes of its state, such as samples of a generator.

They depend on the state and the seed alone, so pictures of several steps show the same samples.
"""

import re
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import jax
import jax.numpy as jnp
import numpy as np

from engine import files, sharding
from engine.errors import UserError
from engine.interfaces import BoundTask, State
from engine.render.contact_sheet import picture_grid
from engine.runs import faults
from engine.sharding import Parallelism
from engine.training.observers.observer import Observer
from engine.training.steps import PICTURES, Compiled, key

Pictures = Mapping[str, np.ndarray]  # uint8 [N, H, W, 1 or 3] by name

FOLDER = Path('debug/pictures')  # of a run
RECORD = 'pictures'  # in the record of a checkpoint, the step of the newest pictures
_NAME = re.compile(r'\w[\w.-]*')


def traced(bound: BoundTask, shapes: Any, parallelism: Parallelism, seed: int) -> jax.stages.Traced:
    """Traces the program that makes pictures: (state) -> {name: uint8 [N, H, W, C]}.

    Args:
      bound: the task.
      shapes: of the state, with shardings.
      parallelism: where arrays live. Each device makes all pictures.
      seed: gives the key, the same at every step.

    Raises:
      UserError: the task makes no pictures, or its arrays are not pictures.
    """
    make: Callable[[State, jax.Array], Any] = getattr(bound, 'pictures', lambda *_: {})
    task = type(getattr(bound, 'task', bound)).__name__

    def pictures(state: State) -> dict[str, jax.Array]:
        images = make(state, key(seed, PICTURES))
        _check(task, images)
        return {name: _levels(jnp.asarray(array)) for name, array in images.items()}

    return parallelism.trace(pictures, (shapes,), sharding.replicated(parallelism.mesh))


def _check(task: str, images: Any) -> None:
    """Raises `UserError` unless a task has made pictures by their names."""
    if not isinstance(images, Mapping):
        raise UserError(
            f'{task}.pictures returns a value of type {type(images).__name__}, but a dict is needed.'
        )
    if not images:
        raise UserError(
            f'Trainer.pictures_every: {task} makes no pictures. Write its method `pictures`, or leave '
            'Trainer.pictures_every out.'
        )
    for name, array in images.items():
        if not isinstance(name, str) or not _NAME.fullmatch(name):
            raise UserError(
                f'{task}.pictures: {name!r} becomes the name of a folder. Use letters, digits, dots, dashes '
                'and underscores.'
            )
        _check_array(f'{task}.pictures: {name!r}', array)


def _check_array(what: str, array: Any) -> None:
    """Raises `UserError` unless an array holds pictures. `what` names the array in the message."""
    shape, dtype = getattr(array, 'shape', ()), getattr(array, 'dtype', None)
    has_levels = dtype is not None and (dtype == np.uint8 or jnp.issubdtype(dtype, jnp.floating))
    if len(shape) != 4 or shape[-1] not in (1, 3) or 0 in shape or not has_levels:
        found = type(array).__name__ if dtype is None else f'{dtype} {list(shape)}'
        raise UserError(
            f'{what} is {found}. Pictures are uint8, or floats from -1 to 1, of the shape [N, H, W, 1 or 3].'
        )


def _levels(images: jax.Array) -> jax.Array:
    """Returns pictures as uint8. Floats of -1 are black, of 1 white; others are clipped, and NaN is black."""
    if images.dtype == jnp.uint8:
        return images
    values = jnp.nan_to_num(images.astype(jnp.float32), nan=-1.0)
    return jnp.round((jnp.clip(values, -1, 1) + 1) * 127.5).astype(jnp.uint8)


class PictureMaker:
    """Makes pictures, writes them to `debug/pictures/<name>/<step>.png` and shows them to an observer.

    A thread of its own draws and writes. Leaving the context waits for it.

    Args:
      program: the compiled program, None where no pictures are due.
      run: the folder of the run.
      observer: is shown the pictures.
      last: the step of the newest pictures that the run has, None if it has none.
    """

    def __init__(self, program: Compiled | None, run: Path, observer: Observer, last: int | None):
        self._program, self._folder, self._observer = program, run / FOLDER, observer
        self.last = last
        self._writing: Future[None] | None = None

    def __enter__(self) -> Self:
        self._thread = ThreadPoolExecutor(max_workers=1)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._thread.shutdown()
        if kind is None:
            self.wait()

    def make(self, step: int, state: State) -> None:
        """Makes the pictures of a step, unless the run has them; all processes must call this."""
        if self._program is None or step == self.last:
            return
        faults.point('pictures')
        pictures = jax.device_get(self._program(state))
        self._observer.on_pictures(step, pictures)
        self.wait()
        if jax.process_index() == 0:
            self._writing = self._thread.submit(self._write, step, pictures)
        self.last = step

    def wait(self) -> None:
        """Waits until all pictures are written; raises what went wrong."""
        if self._writing:
            self._writing.result()

    def record(self) -> dict[str, str]:
        """Waits for the pictures, and returns what a checkpoint records of them: the newest step."""
        self.wait()
        return {} if self.last is None else {RECORD: str(self.last)}

    def _write(self, step: int, pictures: Pictures) -> None:
        for name, images in pictures.items():
            (self._folder / name).mkdir(parents=True, exist_ok=True)
            with files.atomic_file(self._folder / name / f'{step}.png') as temporary:
                picture_grid(images).save(temporary, 'PNG')


def discard_after(run: Path, step: int) -> None:
    """Deletes the pictures of a run after a step."""
    for path in (run / FOLDER).glob('*/*.png'):
        if path.stem.isdecimal() and int(path.stem) > step:
            path.unlink()
