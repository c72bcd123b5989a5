"""Contact sheets: many images in one picture, with captions. Imports NumPy and Pillow alone."""

from collections.abc import Sequence
from math import ceil, sqrt

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from engine.render import palette

GAP = 8  # pixels between tiles and around them
FONT_SIZE = 10  # pixels
GRID_TILE = 64  # pixels; smaller images of a grid are enlarged to about this size
MAX_BATCH_IMAGES, BATCH_COLUMNS, BATCH_TILE = (
    32,
    8,
    96,
)


def contact_sheet(
    images: Sequence[np.ndarray] | np.ndarray,
    captions: Sequence[str],
    columns: int,
    tile: tuple[int, int],
    font_size: int = FONT_SIZE,
) -> Image.Image:
    """Lays out images row by row, with a caption below each.

    Args:
      images: uint8 [H, W], [H, W, 1] or [H, W, 3] each.
      captions: the caption of each image; () for a sheet without captions.
      columns: number of tiles in a row.
      tile: width and height to which images are scaled, in pixels.
      font_size: size of the captions, in pixels.
    """
    width, height = tile
    line = round(1.6 * font_size) if captions else 0
    rows = -(-len(images) // columns)
    size = (columns * (width + GAP) + GAP, rows * (height + line + GAP) + GAP)
    sheet = Image.new('RGB', size, 'white')
    draw, font = ImageDraw.Draw(sheet), ImageFont.load_default(font_size)
    for index, image in enumerate(images):
        row, column = divmod(index, columns)
        x, y = GAP + column * (width + GAP), GAP + row * (height + line + GAP)
        sheet.paste(_scaled(image, width, height), (x, y))
        if captions:
            draw.text((x + width / 2, y + height + 2), captions[index], 'black', font, anchor='ma')
    return sheet


def is_picture(array: np.ndarray) -> bool:
    """Whether an array [B, ...] can be drawn as images."""
    return array.ndim == 4 and array.shape[-1] in (1, 3) and array.dtype.kind in 'biuf' and array.size > 0


def picture_grid(images: np.ndarray) -> Image.Image:
    """Returns images, uint8 [n, H, W, 1 or 3], as one picture of about as many rows as columns."""
    height, width = images.shape[1:3]
    factor = max(1, GRID_TILE // max(height, width))
    return contact_sheet(images, (), ceil(sqrt(len(images))), (width * factor, height * factor))


def batch_sheet(images: np.ndarray, captions: Sequence[str], maps: Sequence[np.ndarray] = ()) -> Image.Image:
    """Returns a contact sheet of the first images of a batch, whose values span black to white.

    Args:
      images: [n, H, W, 1 or 3], of any dtype and range. What is not finite is drawn black.
      captions: the caption of each image.
      maps: label maps, int [n, H, W]; those of another size are left out. They are drawn in the classes'
        colours to the right of each image.
    """
    maps = [labels for labels in maps if labels.shape == images.shape[:3]]
    coloured = [palette.painted(labels[:MAX_BATCH_IMAGES]) for labels in maps]
    pictures = np.concatenate([_grey_levels(images[:MAX_BATCH_IMAGES]), *coloured], axis=2)
    parts = 1 + len(maps)
    return contact_sheet(pictures, captions, max(1, BATCH_COLUMNS // parts), (BATCH_TILE * parts, BATCH_TILE))


def _grey_levels(images: np.ndarray) -> np.ndarray:
    """Returns images [n, H, W, 1 or 3] as uint8 [n, H, W, 3], scaled from their lowest to highest value."""
    finite = images[np.isfinite(images)]
    low, high = (float(finite.min()), float(finite.max())) if finite.size else (0.0, 0.0)
    known = np.nan_to_num(images.astype(np.float64), nan=low, posinf=low, neginf=low)
    scaled = ((known - low) * (255 / ((high - low) or 1))).astype(np.uint8)
    return np.broadcast_to(scaled, (*images.shape[:3], 3))


def rgb(image: np.ndarray) -> np.ndarray:
    """Returns an image, uint8 [H, W], [H, W, 1] or [H, W, 3], as uint8 [H, W, 3]."""
    channels = image if image.ndim == 3 else image[..., np.newaxis]
    return np.broadcast_to(channels, (*image.shape[:2], 3))


def _scaled(image: np.ndarray, width: int, height: int) -> Image.Image:
    """Returns an image of this size. Pixels of small images become squares; large ones are averaged."""
    enlarged = width >= image.shape[1] and height >= image.shape[0]
    method = Image.Resampling.NEAREST if enlarged else Image.Resampling.BOX
    return Image.fromarray(np.ascontiguousarray(rgb(image))).resize((width, height), method)
