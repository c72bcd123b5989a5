"""The first batch as the network sees it: arrays and a picture, in `debug/` of the run."""

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import jax
import numpy as np
from PIL import Image, ImageDraw

from engine.render import palette
from engine.training.observers.observer import ObservedRun, Observer

TILE, CAPTION, COLUMNS, MOST = 96, 16, 8, 32


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
    save_first_batch(run.folder / 'debug', inputs, batch.get('label'), run.class_names)


def save_first_batch(
    folder: Path, inputs: Mapping[str, np.ndarray], labels: np.ndarray | None, names: Sequence[str]
) -> None:
    """Writes what the network is given at the first step: `first_batch.npz`, and `first_batch.png` of images.

    Args:
      folder: `debug/` of the run.
      inputs: arrays [B, ...] as they enter the network; uint8 [B, H, W], classes, are drawn beside images.
      labels: int [B], or None where examples have none.
      names: of the classes.
    """
    np.savez_compressed(folder / 'first_batch.npz', **inputs)  # type: ignore[arg-type]
    images = {name: each for name, each in inputs.items() if each.ndim == 4 and each.shape[-1] in (1, 3)}
    maps = [each[:MOST] for each in inputs.values() if each.ndim == 3 and each.dtype == np.uint8]
    for name, array in images.items():
        captions = _captions(labels, names, len(array))
        sheet = contact_sheet(array[:MOST], captions[:MOST], maps)
        sheet.save(folder / ('first_batch.png' if len(images) == 1 else f'first_batch_{name}.png'))


def _captions(labels: np.ndarray | None, names: Sequence[str], n: int) -> list[str]:
    """Returns a caption for each of n examples: the name of its class, else its label, else nothing."""
    if labels is None or labels.ndim != 1:
        return [''] * n
    named = np.issubdtype(labels.dtype, np.integer) and 0 <= labels.min() <= labels.max() < len(names)
    return [names[int(label)] if named else f'{label:g}' for label in labels]


def contact_sheet(
    images: np.ndarray, captions: Sequence[str], maps: Sequence[np.ndarray] = ()
) -> Image.Image:
    """Returns one picture of images [n, H, W, C], captions under them; their range spans black to white.

    Maps, uint8 [n, H, W], have a class for each pixel: each stands to the right of its image, in colours.
    """
    pictures = np.concatenate([_gray_levels(images), *(palette.colours(256)[each] for each in maps)], 2)
    width, columns = TILE * (1 + len(maps)), COLUMNS // (1 + len(maps))
    rows = -(-len(images) // columns)
    sheet = Image.new('RGB', (columns * (width + 8) + 8, rows * (TILE + CAPTION + 8) + 8), 'white')
    draw = ImageDraw.Draw(sheet)
    for index, (picture, caption) in enumerate(zip(pictures, captions, strict=True)):
        row, column = divmod(index, columns)
        x, y = 8 + column * (width + 8), 8 + row * (TILE + CAPTION + 8)
        tile = Image.fromarray(picture).resize((width, TILE), Image.Resampling.NEAREST)
        sheet.paste(tile, (x, y))
        draw.text((x + width / 2, y + TILE + 2), caption, fill='black', anchor='ma')
    return sheet


def _gray_levels(images: np.ndarray) -> np.ndarray:
    """Returns images [n, H, W, 1 or 3] as uint8 [n, H, W, 3], from the lowest value to the highest."""
    low, high = float(images.min()), float(images.max())
    scaled = ((images - low) * (255 / ((high - low) or 1))).astype(np.uint8)
    return np.broadcast_to(scaled, (*images.shape[:3], 3))
