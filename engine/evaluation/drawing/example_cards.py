"""Cards of examples: pictures of labels and predictions, with a caption."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pandas as pd

from engine.outputs.outputs import Outputs
from engine.render import pictures

SHOWN = 24  # examples below one heading


def cards(
    outputs: Outputs,
    table: pd.DataFrame,
    draw: Callable[[Outputs, int], list[str]],
    caption: Callable[[Mapping[str, Any]], str],
) -> list[str]:
    """Returns a card for each of the first rows of a table.

    Args:
      outputs: the outputs.
      table: a row per example, by its id.
      draw: returns the pictures of the example in a row of the outputs.
      caption: returns a few words on a row of the table. They stand below the id.
    """
    shown = table.head(SHOWN)
    return [
        pictures.figure(draw(outputs, outputs.ids.index(name)), f'{name}\n{caption(example)}', name)
        for name, example in zip(shown.index, shown.to_dict('records'), strict=True)
    ]


def worst_and_typical(table: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """Returns the first rows of a table that begins with the worst, and rows around the median."""
    middle = max(SHOWN // 2, len(table) // 2 - SHOWN // 4)
    return {
        'Worst': table.head(SHOWN // 2),
        'Typical: around the median': table.iloc[middle : middle + SHOWN // 2],
    }


def images(outputs: Outputs, names: Sequence[str], row: int) -> list[str]:
    """Returns the images of one example in these arrays, uint8 [n, h, w, c], as far as they exist."""
    existing = [outputs.arrays[name][row] for name in names if name in outputs.arrays]
    return [pictures.picture(pictures.visible(image)) for image in existing if image.size]
