"""Figures of examples: the worst and some typical ones, so that readers see what a score means."""

from collections.abc import Callable, Mapping

import numpy as np
from matplotlib.figure import Figure
from PIL import Image

from engine.render.contact_sheet import contact_sheet

COLUMNS = 5  # examples in a row
TILE_WIDTH, FONT_SIZE = 264, 24  # pixels
DPI = 160  # pixels per inch, as figures are saved
TITLE_INCHES = 0.32  # height of the title of a sheet


def draw(
    scores: np.ndarray,
    stack: str,
    picture: Callable[[int], np.ndarray],
    caption: Callable[[int], str],
) -> Figure:
    """Draws the examples with the lowest score, and below them those around the median.

    Args:
      scores: score of each example, higher is better, f64 [n].
      stack: what each picture shows from top to bottom, for the titles of the sheets.
      picture: returns the picture of an example, uint8 [H, W, 3].
      caption: returns the caption of an example.
    """
    groups = {name: places for name, places in chosen(scores).items() if len(places)}
    return figure_of(
        {
            f'{name}: {stack}': _sheet(
                [picture(place) for place in places], [caption(place) for place in places]
            )
            for name, places in groups.items()
        }
    )


def stacked(*pictures: np.ndarray) -> np.ndarray:
    """Returns pictures of the same shape, uint8 [H, W, 3], below each other with white lines between."""
    line = np.full((max(1, len(pictures[0]) // 32), *pictures[0].shape[1:]), 255, np.uint8)
    return np.concatenate([part for picture in pictures for part in (line, picture)][1:])


def chosen(scores: np.ndarray) -> dict[str, np.ndarray]:
    """Returns the indices of the worst and of typical examples, the lowest score first."""
    order = np.argsort(scores, kind='stable')
    middle = max(COLUMNS, len(order) // 2 - COLUMNS // 2)
    return {'worst': order[:COLUMNS], 'typical': order[middle : middle + COLUMNS]}


def figure_of(sheets: Mapping[str, Image.Image]) -> Figure:
    """Returns a figure of contact sheets below each other, with their titles."""
    width = max(sheet.width for sheet in sheets.values()) / DPI
    heights = [sheet.height / DPI + TITLE_INCHES for sheet in sheets.values()]
    figure = Figure(figsize=(max(width, 4.0), sum(heights) + 0.9), layout='constrained')
    panels = figure.subplots(len(sheets), 1, squeeze=False, height_ratios=heights)[:, 0]
    for axes, (title, sheet) in zip(panels, sheets.items(), strict=True):
        axes.imshow(np.asarray(sheet))
        axes.set_title(title, loc='left', fontsize='medium')
        axes.set_axis_off()
    return figure


def _sheet(images: list[np.ndarray], captions: list[str]) -> Image.Image:
    """Returns a sheet of images of the same shape, in which they keep their shape."""
    height, width = images[0].shape[:2]
    tile = (TILE_WIDTH, max(1, round(TILE_WIDTH * height / width)))
    return contact_sheet(images, captions, COLUMNS, tile, FONT_SIZE)
