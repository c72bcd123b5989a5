"""A figure of examples, such as mistakes, with the pictures and captions of their cards."""

import textwrap
from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch, Rectangle

from engine.evaluation.drawing.example_cards import Card
from engine.render import pictures
from engine.render.figures import fonts
from engine.render.pictures import Picture

WIDTH = 7.0  # inches
MAX_COLUMNS, MIN_TILE = 6, 0.75  # tiles in a row, and the least width of a picture in inches
GAP, MARGIN, HEAD = 0.12, 0.15, 0.55  # inches
FONT_SIZE, LINE = 7.5, 0.125  # points, and inches from line to line
MAX_CAPTION_LINES = 5
MAX_LEGEND_CLASSES, LEGEND_COLUMNS = 20, 5
OVERLAY_OPACITY = 0.62  # as on pages
PIXELATED_SIDE = 192  # pixels to which small images are enlarged, because viewers would blur them


def draw(cards: Sequence[Card], heading: str, title: str, legend: Sequence[tuple[str, str]] = ()) -> Figure:
    """Draws cards row by row below a title.

    Args:
      cards: the examples, at least one.
      heading: what they have in common.
      title: what was evaluated.
      legend: name and colour of each class.
    """
    abreast = max(1, max(len(card.pictures) for card in cards))
    columns = max(1, min(MAX_COLUMNS, len(cards), int(WIDTH / (abreast * (MIN_TILE + GAP)))))
    if len(cards) > columns:
        columns = -(-len(cards) // -(-len(cards) // columns))  # rows of about the same length
    widest = max(1.6, MIN_TILE * abreast)
    tile = min(widest, (WIDTH - 2 * MARGIN - (columns - 1) * GAP) / columns)
    rows = [cards[start : start + columns] for start in range(0, len(cards), columns)]
    side = (tile - (abreast - 1) * GAP / 3) / abreast
    captions = [[_lines(card.caption, tile) for card in row] for row in rows]
    heights = [
        max(_height(card, side) for card in row) + LINE * max(map(len, texts)) + 2 * GAP
        for row, texts in zip(rows, captions, strict=True)
    ]
    foot = MARGIN + 0.2 * -(-min(len(legend), MAX_LEGEND_CLASSES) // LEGEND_COLUMNS)
    size = (WIDTH, HEAD + sum(heights) + foot)
    figure = Figure(figsize=size)
    axes = _canvas(figure)
    top = HEAD
    for row, texts, height in zip(rows, captions, heights, strict=True):
        for column, (card, lines) in enumerate(zip(row, texts, strict=True)):
            _draw_card(axes, card, lines, (MARGIN + column * (tile + GAP), top), side, tile)
        top += height
    axes.set(xlim=(0, size[0]), ylim=(size[1], 0))  # images have changed the limits
    figure.suptitle(
        f'{fonts.plain(heading, 90)}\n{fonts.plain(title, 90)}',
        x=0.02,
        y=1 - 0.06 / size[1],
        ha='left',
        va='top',
        fontsize='medium',
    )
    if legend:
        _add_legend(figure, legend)
    return figure


def _add_legend(figure: Figure, legend: Sequence[tuple[str, str]]) -> None:
    shown = legend[:MAX_LEGEND_CLASSES]
    names = fonts.plain_all([name for name, _ in shown], 20)
    patches = [Patch(color=colour, label=name) for name, (_, colour) in zip(names, shown, strict=True)]
    figure.legend(handles=patches, loc='lower center', ncols=LEGEND_COLUMNS, frameon=False, fontsize=8)


def _canvas(figure: Figure) -> Axes:
    """Returns axes that cover a figure, in inches from its top left corner."""
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set_axis_off()
    return axes


def _draw_card(
    axes: Axes, card: Card, lines: Sequence[str], corner: tuple[float, float], side: float, tile: float
) -> None:
    left, top = corner
    for index, picture in enumerate(card.pictures):
        _draw_picture(axes, picture, (left + index * (side + GAP / 3), top), side)
    below = top + _height(card, side) + 0.03
    for index, line in enumerate(lines):
        axes.text(left + tile / 2, below + index * LINE, line, ha='center', va='top', fontsize=FONT_SIZE)


def _draw_picture(axes: Axes, picture: Picture, corner: tuple[float, float], side: float) -> None:
    """Draws a picture `side` inches wide: its image, then labels and boxes."""
    (left, top), height = corner, _picture_height(picture, side)
    first_x, first_y, width, _ = picture.frame
    scale = side / width
    x0, y0 = left + (picture.origin[0] - first_x) * scale, top + (picture.origin[1] - first_y) * scale
    extent = (x0, x0 + picture.extent[0] * scale, y0 + picture.extent[1] * scale, y0)
    layers = [] if picture.image is None else [(_pixels(picture.image), 1.0)]
    layers += [] if picture.overlay is None else [(_pixels(picture.overlay), OVERLAY_OPACITY)]
    for pixels, opacity in layers:
        axes.imshow(
            pixels,
            cmap='gray',
            vmin=0,
            vmax=255,
            extent=extent,
            alpha=opacity,
            interpolation='none',
            aspect='auto',
        )
    if picture.image is None:
        axes.add_patch(Rectangle((left, top), side, height, facecolor='#eef0ee', linewidth=0))
    frame = Rectangle((left, top), side, height, transform=axes.transData)
    for box in picture.boxes:
        x0, y0, x1, y1 = (float(corner) for corner in box.corners)
        place = (left + (x0 - first_x) * scale, top + (y0 - first_y) * scale)
        patch = Rectangle(
            place,
            (x1 - x0) * scale,
            (y1 - y0) * scale,
            fill=False,
            edgecolor=box.colour,
            linewidth=1.2,
            linestyle='--' if box.dashed else '-',
        )
        axes.add_patch(patch)
        patch.set_clip_path(frame)


def _pixels(image: np.ndarray) -> np.ndarray:
    """Returns an image reduced to the size of pages, or with small pixels repeated."""
    shown = np.asarray(pictures.small(image))
    factor = max(1, PIXELATED_SIDE // max(shown.shape[:2]))
    return shown.repeat(factor, 0).repeat(factor, 1)


def _height(card: Card, side: float) -> float:
    return max((_picture_height(picture, side) for picture in card.pictures), default=0.0)


def _picture_height(picture: Picture, side: float) -> float:
    _, _, width, height = picture.frame
    return side * height / width


def _lines(caption: str, tile: float) -> list[str]:
    """Returns the lines of a caption, wrapped to the width of a tile."""
    width = int(tile / (FONT_SIZE / 72 * 0.56))
    lines = [
        part
        for line in caption.splitlines()
        for part in (textwrap.wrap(line, width, break_long_words=False) or [''])
    ]
    return [fonts.plain(line, width) for line in lines[:MAX_CAPTION_LINES]]
