"""Examples to look at: predictions beside labels, drawn on the images that they were made from."""

from collections.abc import Mapping, Sequence

from engine.evaluation import kind_evaluation
from engine.evaluation.drawing import example_cards
from engine.evaluation.drawing.example_cards import Card
from engine.evaluation.kind_evaluation import KindEvaluation
from engine.evaluation.results.report import Report
from engine.outputs.outputs import Outputs
from engine.render import markup, pictures

MAX_LEGEND_CLASSES = 40  # more classes have no legend of colours


def gallery(report: Report) -> dict[str, list[Card]]:
    """Returns the examples that the kind shows, each once: heading to cards."""
    return example_cards.without_repeats(kind_evaluation.load(report.outputs.kind).gallery(report))


def shown(report: Report, chosen: Mapping[str, Sequence[Card]]) -> list[str]:
    """Returns examples as markup: an explanation and a legend, then headings with cards."""
    if not chosen:
        return []
    evaluation = kind_evaluation.load(report.outputs.kind)
    explanation = evaluation.explanation(report.outputs)
    words = f'<p class="soft">{markup.escaped(explanation)}</p>' if explanation else ''
    chips = markup.chips(colours(report.outputs, evaluation))
    legend = f'<p class="legend">{chips}</p>' if chips else ''
    return [words + legend] + [
        f'<h3>{markup.escaped(heading)}</h3>{sheet(cards)}' for heading, cards in chosen.items()
    ]


def sheet(cards: Sequence[Card]) -> str:
    """Returns cards side by side, as markup."""
    return f'<div class="sheet examples">{"".join(card.markup() for card in cards)}</div>'


def colours(outputs: Outputs, evaluation: KindEvaluation) -> list[tuple[str, str]]:
    """Returns name and colour of each class, if the pictures have colours and the classes are few."""
    first = evaluation.first_colour
    if first is None or not 0 < len(outputs.class_names) <= MAX_LEGEND_CLASSES:
        return []
    return [(name, pictures.css(index + first, 256)) for index, name in enumerate(outputs.class_names)]
