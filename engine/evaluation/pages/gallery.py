"""Examples to look at: predictions beside labels, drawn on the images that they were made from."""

from engine.evaluation import kind_evaluation
from engine.evaluation.kind_evaluation import KindEvaluation
from engine.evaluation.results.report import Report
from engine.outputs.outputs import Outputs
from engine.render import markup, pictures

MAX_LEGEND_CLASSES = 40  # more classes have no legend of colours


def galleries(report: Report) -> list[str]:
    """Returns the examples that the kind shows, as markup: a legend, then headings with cards."""
    evaluation = kind_evaluation.load(report.outputs.kind)
    gallery = {heading: cards for heading, cards in evaluation.gallery(report).items() if cards}
    words = f'<p class="soft">{evaluation.legend}</p>' if evaluation.legend and gallery else ''
    return [words + _colours(report.outputs, evaluation)] + [
        f'<h3>{markup.escaped(heading)}</h3><div class="sheet examples">{"".join(cards)}</div>'
        for heading, cards in gallery.items()
    ]


def _colours(outputs: Outputs, evaluation: KindEvaluation) -> str:
    """Returns the colour of each class, if the pictures have colours and the classes are few."""
    first = evaluation.first_colour
    if first is None or not 0 < len(outputs.class_names) <= MAX_LEGEND_CLASSES:
        return ''
    chips = ((name, pictures.css(index + first, 256)) for index, name in enumerate(outputs.class_names))
    return f'<p class="legend">{markup.chips(chips)}</p>'
