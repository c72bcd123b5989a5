"""TensorBoard events: `logs/events.*` of a run, for `tensorboard --logdir <runs>`."""

import io
from collections.abc import Mapping
from importlib.util import find_spec

import numpy as np

from engine.errors import UserError
from engine.interfaces import State
from engine.render.contact_sheet import picture_grid
from engine.training.observers.observer import ObservedRun, Observer


class TensorBoard(Observer):
    """Writes all metrics as scalars named `train/<metric>` and `val/<metric>`, and pictures as images.

    A run that resumes starts a new file; TensorBoard shows the later file where steps overlap.
    """

    def check(self) -> None:
        """Looks for the package that computes the checksums of events."""
        if not find_spec('google_crc32c'):
            raise UserError(
                'the observer TensorBoard needs the package google-crc32c, which is not installed: '
                '`pip install google-crc32c`, or bind trainer.Trainer.observers without it.'
            )

    def on_start(self, run: ObservedRun) -> None:
        """Opens a new file of events."""
        from engine.tensorboard.event_file import EventFile  # needs the package that `check` looks for

        self._events = EventFile(run.folder / 'logs', run.step + 1 if run.step else 0)

    def on_steps(self, steps: np.ndarray, metrics: Mapping[str, np.ndarray]) -> None:
        """Adds the training metrics of each line of the log."""
        self._events.add_scalars(steps, {f'train/{name}': values for name, values in metrics.items()})

    def on_evaluation(
        self, step: int, metrics: Mapping[str, float], seconds: Mapping[str, float], state: State
    ) -> None:
        """Adds the validation metrics."""
        values = {f'val/{name}': np.array([value]) for name, value in metrics.items()}
        self._events.add_scalars(np.array([step]), values)

    def on_pictures(self, step: int, pictures: Mapping[str, np.ndarray]) -> None:
        """Adds a grid of the pictures of each name."""
        images = {}
        for name, arrays in pictures.items():
            picture, file = picture_grid(arrays), io.BytesIO()
            picture.save(file, 'PNG')
            images[f'pictures/{name}'] = (picture.width, picture.height, file.getvalue())
        self._events.add_images(step, images)

    def on_numbers(self, step: int, numbers: Mapping[str, float]) -> None:
        """Adds the numbers of other observers."""
        values = {name: np.array([number]) for name, number in numbers.items()}
        self._events.add_scalars(np.array([step]), values)

    def on_end(self, status: str) -> None:
        """Closes the file."""
        self._events.close()
