"""Pictures of what enters the network."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

TILE, CAPTION, COLUMNS, MOST = 96, 16, 8, 32


def save_first_batch(
    folder: Path, inputs: Mapping[str, np.ndarray], labels: np.ndarray | None, names: Sequence[str]
) -> None:
    """Writes what the network is given at the first step: `first_batch.npz`, and `first_batch.png` of images.

    Args:
      folder: `debug/` of the run.
      inputs: arrays [B, ...] as they enter the network.
      labels: int [B], or None where examples have none.
      names: of the classes.
    """
    np.savez_compressed(folder / 'first_batch.npz', **inputs)  # type: ignore[arg-type]
    for name, array in inputs.items():
        if array.ndim == 4 and array.shape[-1] in (1, 3):
            captions = _captions(labels, names, len(array))
            sheet = contact_sheet(array[:MOST], captions[:MOST])
            sheet.save(folder / ('first_batch.png' if len(inputs) == 1 else f'first_batch_{name}.png'))


def _captions(labels: np.ndarray | None, names: Sequence[str], n: int) -> list[str]:
    """Returns a caption for each of n examples: the name of its class, else its label, else nothing."""
    if labels is None or labels.ndim != 1:
        return [''] * n
    named = np.issubdtype(labels.dtype, np.integer) and 0 <= labels.min() <= labels.max() < len(names)
    return [names[int(label)] if named else f'{label:g}' for label in labels]


def contact_sheet(images: np.ndarray, captions: Sequence[str]) -> Image.Image:
    """Returns one picture of images [n, H, W, C], captions under them; their range spans black to white."""
    low, high = float(images.min()), float(images.max())
    scaled = ((images - low) * (255 / ((high - low) or 1))).astype(np.uint8)
    rows = -(-len(images) // COLUMNS)
    sheet = Image.new('RGB', (COLUMNS * (TILE + 8) + 8, rows * (TILE + CAPTION + 8) + 8), 'white')
    draw = ImageDraw.Draw(sheet)
    for index, (image, caption) in enumerate(zip(scaled, captions, strict=True)):
        row, column = divmod(index, COLUMNS)
        x, y = 8 + column * (TILE + 8), 8 + row * (TILE + CAPTION + 8)
        picture = Image.fromarray(image[..., 0] if image.shape[-1] == 1 else image).convert('RGB')
        sheet.paste(picture.resize((TILE, TILE), Image.Resampling.NEAREST), (x, y))
        draw.text((x + TILE / 2, y + TILE + 2), caption, fill='black', anchor='ma')
    return sheet
