"""The first batch as the network sees it: arrays and a picture, in `debug/` of the run."""

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import jax
import numpy as np

from engine.render.contact_sheet import batch_sheet
from engine.training.observers.observer import ObservedRun, Observer


class FirstBatch(Observer):
    """Saves the first batch, in a thread of its own beside the first steps."""

    def on_start(self, run: ObservedRun) -> None:
        """Starts the thread."""
        self._thread = ThreadPoolExecutor(max_workers=1)
        self._picture = self._thread.submit(_save, run)

    def on_end(self, status: str) -> None:
        """Waits for the picture; raises what went wrong with it, unless the run has failed by itself."""
        self._thread.shutdown()
        if status == 'finished':
            self._picture.result()


def _save(run: ObservedRun) -> None:
    batch = run.batch(0)
    inputs = jax.device_get(run.first_inputs(batch))
    save_first_batch(run.folder / 'debug', inputs, batch.get(run.label_field), run.class_names)


def save_first_batch(
    folder: Path, inputs: Mapping[str, np.ndarray], labels: np.ndarray | None, names: Sequence[str]
) -> None:
    """Saves the inputs of the network at the first step: `first_batch.npz`, and `first_batch.png` of images.

    Args:
      folder: `debug/` of the run.
      inputs: arrays [B, ...] as they enter the network. Label maps, uint8 [B, H, W], are drawn beside images.
      labels: int [B], or None if examples have no labels.
      names: names of the classes.
    """
    np.savez_compressed(folder / 'first_batch.npz', **inputs)  # type: ignore[arg-type]
    images = {name: array for name, array in inputs.items() if array.ndim == 4 and array.shape[-1] in (1, 3)}
    maps = [array for array in inputs.values() if array.ndim == 3 and array.dtype == np.uint8]
    for name, array in images.items():
        sheet = batch_sheet(array, _captions(labels, names, len(array)), maps)
        sheet.save(folder / ('first_batch.png' if len(images) == 1 else f'first_batch_{name}.png'))


def _captions(labels: np.ndarray | None, names: Sequence[str], n: int) -> list[str]:
    """Returns a caption for each of n examples: the name of its class, else its label, else nothing."""
    if labels is None or labels.ndim != 1:
        return [''] * n
    named = np.issubdtype(labels.dtype, np.integer) and 0 <= labels.min() <= labels.max() < len(names)
    return [names[int(label)] if named else f'{label:g}' for label in labels]
