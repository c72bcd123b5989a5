"""TensorBoard events: `logs/events.*` of a run, for `tensorboard --logdir <runs>`."""

import io
import time
from collections.abc import Mapping
from importlib.util import find_spec
from typing import Any

import numpy as np
from PIL import Image

from engine.errors import UserError
from engine.interfaces import State
from engine.render.contact_sheet import picture_grid
from engine.training.observers.observer import ObservedRun, Observer


class TensorBoard(Observer):
    """Writes all metrics as scalars named `train/<metric>` and `val/<metric>`, and pictures as images.

    A run that resumes starts a new file; TensorBoard shows the later file where steps overlap. The loop's
    thread writes the events: `SummaryWriter` would use another thread, which waits forever when the disk is
    full.
    """

    def check(self) -> None:
        """Looks for the package that writes the events."""
        if not find_spec('tensorboardX'):
            raise UserError(
                'the observer TensorBoard needs the package tensorboardX, which is not installed: '
                '`pip install tensorboardX`, or bind trainer.Trainer.observers without it.'
            )

    def on_start(self, run: ObservedRun) -> None:
        """Opens a new file of events."""
        # Slow to import, and only training writes events.
        from tensorboardX import event_file_writer
        from tensorboardX.proto import event_pb2

        folder = run.folder / 'logs'
        folder.mkdir(parents=True, exist_ok=True)
        self._event: Any = getattr(event_pb2, 'Event')  # noqa: B009 (protobuf makes it at import)
        self._writer = event_file_writer.EventsWriter(str(folder / 'events'))
        if run.step:
            self._add(step=run.step + 1, session_log={'status': 1})  # a start: earlier events stay valid

    def on_steps(self, steps: np.ndarray, metrics: Mapping[str, np.ndarray]) -> None:
        """Adds the training metrics of each line of the log."""
        for step, *values in zip(steps.tolist(), *metrics.values(), strict=True):
            self._add_scalars('train', step, dict(zip(metrics, map(float, values), strict=True)))

    def on_evaluation(
        self, step: int, metrics: Mapping[str, float], seconds: Mapping[str, float], state: State
    ) -> None:
        """Adds the validation metrics, and shows TensorBoard all that was added."""
        self._add_scalars('val', step, metrics)
        self._writer.flush()

    def on_pictures(self, step: int, pictures: Mapping[str, np.ndarray]) -> None:
        """Adds a grid of the pictures of each name."""
        grids = {f'pictures/{name}': picture_grid(images) for name, images in pictures.items()}
        values = [{'tag': tag, 'image': _image(picture)} for tag, picture in grids.items()]
        self._add(step=step, summary={'value': values})

    def on_end(self, status: str) -> None:
        """Closes the file."""
        self._writer.close()

    def _add_scalars(self, group: str, step: int, metrics: Mapping[str, float]) -> None:
        values = [{'tag': f'{group}/{name}', 'simple_value': value} for name, value in metrics.items()]
        self._add(step=step, summary={'value': values})

    def _add(self, **content: Any) -> None:
        self._writer.write_event(self._event(wall_time=time.time(), **content))


def _image(picture: Image.Image) -> dict[str, Any]:
    """Returns a picture as events hold it."""
    file = io.BytesIO()
    picture.save(file, 'PNG')
    return {
        'width': picture.width,
        'height': picture.height,
        'colorspace': 3,
        'encoded_image_string': file.getvalue(),
    }
