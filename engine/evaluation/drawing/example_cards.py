"""Cards of examples: pictures or texts of labels and predictions, with a caption."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from engine.outputs.outputs import Outputs
from engine.render import markup, pictures
from engine.render.pictures import Picture

SHOWN = 24  # examples below one heading


@dataclass(frozen=True)
class TextLine:
    """A text of an example.

    Attributes:
      role: what it is, such as 'reference'.
      markup: the text as HTML.
    """

    role: str
    markup: str


@dataclass(frozen=True)
class Card:
    """An example to look at.

    Attributes:
      name: the id of the example.
      pictures: its pictures, side by side.
      caption: lines below the pictures, or above the texts.
      lines: its texts, one below the other.
    """

    name: str
    pictures: Sequence[Picture]
    caption: str = ''
    lines: Sequence[TextLine] = ()

    def markup(self) -> str:
        """Returns the card for a page."""
        texts = ''.join(
            f'<dt><bdi>{markup.escaped(line.role)}</bdi></dt><dd dir="auto">{line.markup}</dd>'
            for line in self.lines
        )
        return pictures.figure(self.pictures, self.caption, self.name, texts)


def cards(
    outputs: Outputs,
    table: pd.DataFrame,
    draw: Callable[[Outputs, int], list[Picture]],
    caption: Callable[[Mapping[str, Any]], str],
    lines: Callable[[Outputs, int], list[TextLine]],
) -> list[Card]:
    """Returns a card for each of the first rows of a table.

    Args:
      outputs: the outputs.
      table: a row per example, by its id.
      draw: returns the pictures of the example in a row of the outputs.
      caption: returns a few words on a row of the table. They stand below the id.
      lines: returns the texts of the example in a row of the outputs.
    """
    shown = table.head(SHOWN)
    rows = [outputs.ids.index(name) for name in map(str, shown.index)]
    return [
        Card(
            outputs.ids[row],
            draw(outputs, row),
            f'{outputs.ids[row]}\n{caption(example)}',
            lines(outputs, row),
        )
        for row, example in zip(rows, shown.to_dict('records'), strict=True)
    ]


def worst_and_typical(table: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """Returns the first rows of a table that begins with the worst, and rows around the median."""
    middle = max(SHOWN // 2, len(table) // 2 - SHOWN // 4)
    return {
        'Worst': table.head(SHOWN // 2),
        'Typical: around the median': table.iloc[middle : middle + SHOWN // 2],
    }


def without_repeats(gallery: Mapping[str, Sequence[Card]]) -> dict[str, list[Card]]:
    """Returns a gallery in which no example is shown twice, without empty headings."""
    shown: set[str] = set()
    distinct: dict[str, list[Card]] = {}
    for heading, all_cards in gallery.items():
        fresh = [card for card in all_cards if card.name not in shown]
        shown |= {card.name for card in fresh}
        distinct |= {heading: fresh} if fresh else {}
    return distinct


def pictured(gallery: Mapping[str, Sequence[Card]]) -> dict[str, Sequence[Card]]:
    """Returns the headings of a gallery whose cards have pictures."""
    return {heading: cards for heading, cards in gallery.items() if any(card.pictures for card in cards)}


def images(outputs: Outputs, names: Sequence[str], row: int) -> list[Picture]:
    """Returns the images of one example in these arrays, uint8 [n, h, w, c], as far as they exist."""
    existing = {name: outputs.arrays[name][row] for name in names if name in outputs.arrays}
    return [
        Picture(f'{name.removesuffix("s")} of {outputs.ids[row]}', pictures.visible(image))
        for name, image in existing.items()
        if image.size
    ]
