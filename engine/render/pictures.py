"""Pictures of examples: images small enough for a page, label maps in colour, boxes."""

import base64
import io
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from PIL import Image

from engine.render import markup, palette

MAX_SIDE = 192  # pixels; larger images are reduced
HATCHES = 32  # stripes along the longer side of a hatched label map
HATCH_GREY = 0x66  # that of `palette.GREY`
MAX_PROPORTION = 2  # of the longer side of a frame to the shorter one
MAX_PIXELATED_SIDE = 64  # pixels; smaller images show every pixel as a square


@dataclass(frozen=True)
class OutlinedBox:
    """A box on a picture.

    Attributes:
      corners: x0, y0, x1, y1 in the units of the picture.
      colour: `#rrggbb`.
      name: what is in it.
      dashed: whether its line is dashed, as those of targets.
    """

    corners: Sequence[float]
    colour: str
    name: str = ''
    dashed: bool = False


@dataclass(frozen=True, eq=False)
class Picture:
    """A picture of an example: an image, and what is drawn on it.

    Attributes:
      title: what it shows, for those who cannot see it.
      image: uint8 [H, W] or [H, W, 1, 3 or 4]; None for an empty frame.
      labels: a label map, int [H, W], drawn over the image in colours. The first class is transparent.
      ignored: pixels of the label map that are hatched, bool [H, W].
      boxes: boxes on the image.
      size: width and height in the units of the boxes; by default the image's, in pixels.
      origin: the coordinates of the top left corner, in the same units.
    """

    title: str
    image: np.ndarray | None = None
    labels: np.ndarray | None = None
    ignored: np.ndarray | None = None
    boxes: Sequence[OutlinedBox] = ()
    size: tuple[float, float] | None = None
    origin: tuple[float, float] = (0, 0)

    @property
    def extent(self) -> tuple[float, float]:
        """Width and height in the units of the boxes."""
        if self.size or self.image is None:
            return self.size or (1, 1)
        return self.image.shape[1], self.image.shape[0]

    @property
    def frame(self) -> tuple[float, float, float, float]:
        """What is shown: x, y, width and height in the units of the boxes.

        Around pictures that are much higher than wide, or wider than high, it leaves a margin, so that
        pictures of all proportions fit beside each other.
        """
        (x, y), (width, height) = self.origin, self.extent
        whole = max(width, height / MAX_PROPORTION), max(height, width / MAX_PROPORTION)
        return x - (whole[0] - width) / 2, y - (whole[1] - height) / 2, *whole

    @property
    def is_pixelated(self) -> bool:
        """Whether every pixel is shown as a square."""
        return self.image is not None and max(self.image.shape[:2]) <= MAX_PIXELATED_SIDE

    @cached_property
    def overlay(self) -> np.ndarray | None:
        """The label map in colours, uint8 [H, W, 4]."""
        if self.labels is None:
            return None
        colours = coloured(self.labels)
        return colours if self.ignored is None else hatched(colours, self.ignored)

    @cached_property
    def markup(self) -> str:
        """The picture as SVG."""
        x, y, width, height = self.frame
        kind = ' class="pixels"' if self.is_pixelated else ' class="empty"' if self.image is None else ''
        image = '' if self.image is None else _placed(self.image, self.origin, self.extent)
        overlay = self.overlay
        labels = '' if overlay is None else _placed(overlay, self.origin, self.extent, ' class="overlay"')
        drawn = image + labels + ''.join(map(_rect, self.boxes))
        return (
            f'<svg viewBox="{x:.4g} {y:.4g} {width:.4g} {height:.4g}"{kind} role="img" '
            f'aria-label="{markup.escaped(self.title)}">{drawn}</svg>'
        )


def css(label: int, count: int) -> str:
    """Returns the CSS colour of a class, `#rrggbb`."""
    return '#' + bytes(palette.colours(max(count, label + 1))[label]).hex()


def coloured(labels: np.ndarray) -> np.ndarray:
    """Returns a label map, int [H, W], in colours, uint8 [H, W, 4]. The first class is transparent."""
    opaque = np.where(labels > 0, 255, 0).astype(np.uint8)
    return np.concatenate([palette.painted(labels), opaque[..., np.newaxis]], -1)


def hatched(image: np.ndarray, ignored: np.ndarray) -> np.ndarray:
    """Returns an image, uint8 [H, W, 3 or 4], with diagonal stripes of white and grey on some pixels.

    Args:
      image: the image.
      ignored: the pixels, bool [H, W].
    """
    rows, columns = np.indices(ignored.shape)
    width = max(2, max(ignored.shape) // HATCHES)
    grey = np.where((rows + columns) // width % 2, HATCH_GREY, 255).astype(np.uint8)
    stripes = np.repeat(grey[..., np.newaxis], image.shape[-1], axis=-1)
    stripes[..., 3:] = 255
    return np.where(ignored[..., np.newaxis], stripes, image)


def visible(image: np.ndarray) -> np.ndarray:
    """Returns the channels of an image [H, W, C] that can be shown: the first of fewer than 3, else 3.

    Returns:
      [H, W] in grey levels, or [H, W, 3].
    """
    return image[..., 0] if image.shape[-1] < 3 else image[..., :3]


def small(image: np.ndarray) -> Image.Image:
    """Returns an image, uint8 [H, W] or [H, W, 1, 3 or 4], with sides of at most `MAX_SIDE` pixels."""
    squeezed = image[..., 0] if image.ndim == 3 and image.shape[-1] == 1 else image
    reduced = Image.fromarray(np.ascontiguousarray(eight_bits(squeezed)))
    reduced.thumbnail((MAX_SIDE, MAX_SIDE))
    return reduced


def figure(pictures: Sequence[Picture], caption: str, hint: str, texts: str = '') -> str:
    """Returns pictures of one example side by side, with a caption below and a hint on hovering.

    Args:
      pictures: the pictures.
      caption: of one or more lines.
      hint: shown on hovering.
      texts: items of a list of texts, `<dt>` and `<dd>`. They stand below the caption.
    """
    inner = ''.join(picture.markup for picture in pictures)
    lines = '<br>'.join(f'<bdi>{markup.breakable(line)}</bdi>' for line in caption.splitlines())
    below = f'<figcaption>{lines}</figcaption>' if caption else ''
    pair = f'<div class="pair">{inner}</div>' if inner or not texts else ''
    listed = f'<dl class="texts">{texts}</dl>' if texts else ''
    return f'<figure title="{markup.escaped(hint)}">{pair}{below}{listed}</figure>'


def _rect(box: OutlinedBox) -> str:
    x0, y0, x1, y1 = (float(corner) for corner in box.corners)
    style = ' class="true"' if box.dashed else ''
    title = f'<title>{markup.escaped(box.name)}</title>' if box.name else ''
    return (
        f'<rect{style} x="{x0:.1f}" y="{y0:.1f}" width="{max(x1 - x0, 0):.1f}" '
        f'height="{max(y1 - y0, 0):.1f}" style="stroke:{box.colour}">{title}</rect>'
    )


def _placed(
    image: np.ndarray, origin: tuple[float, float], extent: tuple[float, float], more: str = ''
) -> str:
    """Returns an image that fills a part of a picture, whatever its own proportions are."""
    place = ''.join(f' {axis}="{corner:.4g}"' for axis, corner in zip('xy', origin, strict=True) if corner)
    size = f'width="{extent[0]:.4g}" height="{extent[1]:.4g}"'
    return f'<image href="{_data(image)}"{place} {size} preserveAspectRatio="none"{more}/>'


def _data(image: np.ndarray) -> str:
    """Returns an image as a data URL: PNG for small images, JPEG for photographs."""
    shown = small(image)
    kind = 'png' if max(image.shape[:2]) <= MAX_SIDE or shown.mode not in ('L', 'RGB') else 'jpeg'
    file = io.BytesIO()
    shown.save(file, kind, **({'optimize': True} if kind == 'png' else {'quality': 85}))
    return f'data:image/{kind};base64,{base64.b64encode(file.getvalue()).decode()}'


def eight_bits(image: np.ndarray) -> np.ndarray:
    """Returns an image as uint8. 16 bits are scaled by their range, other numbers from lowest to highest.

    >>> eight_bits(np.array([0, 32896, 65535], np.uint16)).tolist()
    [0, 128, 255]
    """
    if image.dtype == np.uint8:
        return image
    low, high = (0, 65535) if image.dtype == np.uint16 else (float(image.min()), float(image.max()))
    return np.round((image.astype(np.float64) - low) * (255 / ((high - low) or 1))).astype(np.uint8)
