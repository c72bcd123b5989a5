"""The first batch as the network sees it: arrays and a picture, in `debug/` of the run."""

import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from urllib.parse import quote

import jax
import numpy as np

from engine.render.contact_sheet import batch_sheet, is_picture
from engine.runs.text_log import logger
from engine.training.observers.observer import ObservedRun, Observer


class FirstBatch(Observer):
    """Saves the first batch when training ends, however it ends, so that no step waits for a picture.

    `scripts/check.sh` draws it before a training.
    """

    def on_start(self, run: ObservedRun) -> None:
        """Keeps what makes the batch of any step."""
        self._run = run

    def on_end(self, status: str) -> None:
        """Saves the batch. An error of the file system fails a finished run; any other error is a warning."""
        try:
            _save(self._run)
        except Exception as error:
            if isinstance(error, OSError) and status == 'finished':
                raise
            logger.warning('the first batch could not be drawn: %s: %s', type(error).__name__, error)


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
    arrays = {name: _plain(array) for name, array in inputs.items()}
    _save_arrays(folder / 'first_batch.npz', arrays)
    images = {name: array for name, array in arrays.items() if is_picture(array)}
    maps = [array for array in arrays.values() if array.ndim == 3 and array.dtype == np.uint8]
    for name, array in images.items():
        sheet = batch_sheet(array, _captions(labels, names, len(array)), maps)
        file = 'first_batch.png' if len(images) == 1 else f'first_batch_{quote(name, safe="")}.png'
        sheet.save(folder / file)


def _plain(array: np.ndarray) -> np.ndarray:
    """Returns an array in a dtype that NumPy can save: float32 instead of bfloat16 and the like."""
    return array if array.dtype.kind in 'biufc' else array.astype(np.float32)


def _save_arrays(path: Path, arrays: Mapping[str, np.ndarray]) -> None:
    """Writes an `.npz` file of arrays of any names: `np.savez` does not accept the name 'file'."""
    with zipfile.ZipFile(path, 'w', zipfile.ZIP_DEFLATED) as archive:
        for name, array in arrays.items():
            with archive.open(f'{name}.npy', 'w', force_zip64=True) as file:
                np.lib.format.write_array(file, array, allow_pickle=False)


def _captions(labels: np.ndarray | None, names: Sequence[str], n: int) -> list[str]:
    """Returns a caption for each of n examples: the name of its class, else its label, else nothing."""
    if labels is None or labels.shape != (n,):
        return [''] * n
    named = np.issubdtype(labels.dtype, np.integer) and 0 <= labels.min() <= labels.max() < len(names)
    return [names[int(label)] if named else f'{label.item():g}' for label in labels]
