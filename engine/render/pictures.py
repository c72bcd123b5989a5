"""Pictures of examples as SVG: images small enough for a page, label maps in colour, boxes."""

import base64
import io
from collections.abc import Mapping

import numpy as np
from PIL import Image

from engine.render import markup, palette

MAX_SIDE = 192  # pixels; larger images are reduced
MAX_PIXELATED_SIDE = 64  # pixels; smaller images show every pixel as a square


def css(label: int, count: int) -> str:
    """Returns the CSS colour of a class, `#rrggbb`."""
    return '#' + bytes(palette.colours(max(count, label + 1))[label]).hex()


def picture(image: np.ndarray, overlay: str = '', scale: int = 1) -> str:
    """Returns an image as SVG.

    Args:
      image: uint8 [H, W, C] with 1, 3 or 4 channels, or [H, W].
      overlay: markup drawn over the image.
      scale: width of a pixel of the image in units of the overlay.
    """
    height, width = (scale * side for side in image.shape[:2])
    kind = ' class="pixels"' if max(image.shape[:2]) <= MAX_PIXELATED_SIDE else ''
    return f'<svg viewBox="0 0 {width} {height}"{kind}>{_placed(image, width, height)}{overlay}</svg>'


def overlay(labels: np.ndarray, width: int, height: int) -> str:
    """Returns a label map, uint8 [H, W], as an overlay in colours. The first class is transparent."""
    opaque = np.where(labels > 0, 255, 0).astype(np.uint8)
    image = np.concatenate([palette.colours(256)[labels], opaque[..., np.newaxis]], -1)
    return _placed(image, width, height, ' class="overlay" preserveAspectRatio="none"')


def mask(labels: np.ndarray, classes: int) -> str:
    """Returns a label map, uint8 [H, W], in the colours of the classes."""
    known = np.minimum(labels, max(classes, 1) - 1)
    return picture(palette.colours(max(classes, 1))[known])


def boxes(example: Mapping[str, np.ndarray], classes: int) -> str:
    """Returns boxes as an overlay: `boxes` f32 [n, 4] and `classes` int [n], -1 for padding."""
    if 'boxes' not in example:
        return ''
    labels = example.get('classes', np.zeros(len(example['boxes']), int))
    return ''.join(
        f'<rect x="{x0:.1f}" y="{y0:.1f}" width="{max(x1 - x0, 0):.1f}" height="{max(y1 - y0, 0):.1f}" '
        f'style="stroke:{_box_colour(int(label), classes)}"/>'
        for (x0, y0, x1, y1), label in zip(example['boxes'], labels, strict=True)
        if label >= 0
    )


def _box_colour(label: int, classes: int) -> str:
    """Returns the colour of a box: its class's, with white for black, which is hard to see on images."""
    return css(label, classes) if label else '#ffffff'


def visible(image: np.ndarray) -> np.ndarray:
    """Returns the channels of an image [H, W, C] that can be shown: the first of fewer than 3, else 3.

    Returns:
      [H, W] in grey levels, or [H, W, 3].
    """
    return image[..., 0] if image.shape[-1] < 3 else image[..., :3]


def _placed(image: np.ndarray, width: int, height: int, more: str = '') -> str:
    return f'<image href="{_data(image)}" width="{width}" height="{height}"{more}/>'


def figure(pictures: list[str], caption: str, hint: str) -> str:
    """Returns pictures of one example side by side, with a caption below and a hint on hovering."""
    inner = ''.join(pictures)
    lines = '<br>'.join(map(markup.escaped, caption.splitlines()))
    below = f'<figcaption>{lines}</figcaption>' if caption else ''
    return f'<figure title="{markup.escaped(hint)}"><div class="pair">{inner}</div>{below}</figure>'


def _data(image: np.ndarray) -> str:
    """Returns an image as a data URL: PNG for small images, JPEG for photographs."""
    squeezed = image[..., 0] if image.ndim == 3 and image.shape[-1] == 1 else image
    shown = Image.fromarray(np.ascontiguousarray(squeezed))
    is_small = max(shown.size) <= MAX_SIDE
    shown.thumbnail((MAX_SIDE, MAX_SIDE))
    file, kind = io.BytesIO(), 'png' if is_small or shown.mode not in ('L', 'RGB') else 'jpeg'
    shown.save(file, kind, **({'optimize': True} if kind == 'png' else {'quality': 85}))
    return f'data:image/{kind};base64,{base64.b64encode(file.getvalue()).decode()}'
