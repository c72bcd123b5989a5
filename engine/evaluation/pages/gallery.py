"""Examples to look at: predictions beside labels, drawn on the images that they were made from."""

from collections.abc import Mapping, Sequence

from engine.evaluation.drawing.example_cards import Card
from engine.render import markup


def shown(
    gallery: Mapping[str, Sequence[Card]], explanation: str, legend: Sequence[tuple[str, str]]
) -> list[str]:
    """Returns examples as markup: an explanation and a legend, then headings with cards.

    Args:
      gallery: heading to cards.
      explanation: what readers need to know of the pictures.
      legend: name and CSS colour of each class.
    """
    if not gallery:
        return []
    words = f'<p class="soft">{markup.escaped(explanation)}</p>' if explanation else ''
    chips = f'<p class="legend">{markup.chips(legend)}</p>' if legend else ''
    return [words + chips] + [
        f'<h3>{markup.escaped(heading)}</h3>{sheet(cards)}' for heading, cards in gallery.items()
    ]


def sheet(cards: Sequence[Card]) -> str:
    """Returns cards side by side, as markup."""
    return f'<div class="sheet examples">{"".join(card.markup() for card in cards)}</div>'
