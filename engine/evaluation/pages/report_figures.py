"""All figures of a report, rendered once: the page shows them, and `figures/` holds them as files."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from engine.evaluation import kind_evaluation
from engine.evaluation.drawing import example_cards, example_figure, figures
from engine.evaluation.drawing.example_cards import Card
from engine.evaluation.results.report import Report
from engine.render.figures.rendered import RenderedFigure, render_all
from engine.run_reader import curves
from engine.run_reader.origin import Origin


@dataclass(frozen=True)
class ReportFigures:
    """The figures of a report, by name.

    Attributes:
      results: the figures of the report.
      examples: a figure of the examples below each heading of the gallery.
      training: the curves of the run.
      gallery: the examples themselves: heading to cards.
      explanation: what readers need to know of the pictures of examples.
      legend: name and CSS colour of each class in these pictures.
    """

    results: Mapping[str, RenderedFigure]
    examples: Mapping[str, RenderedFigure]
    training: Mapping[str, RenderedFigure]
    gallery: Mapping[str, Sequence[Card]]
    explanation: str
    legend: Sequence[tuple[str, str]]

    @classmethod
    def of(cls, report: Report, run: Origin | None, formats: Sequence[str]) -> 'ReportFigures':
        """Renders the figures of a report and of the run that it is about, for files in some formats."""
        evaluation = kind_evaluation.load(report.outputs.kind)
        shown = example_cards.without_repeats(evaluation.gallery(report))
        legend = evaluation.colours(report.outputs)
        title = figures.subject(report.outputs, report.bootstrap)
        drawn = {
            heading.partition(':')[0].partition(',')[0].lower(): partial(
                example_figure.draw, cards, heading, title, legend
            )
            for heading, cards in example_cards.pictured(shown).items()
        }
        logs = curves.figures({run.folder.name: run.logs}) if run else {}
        return cls(
            render_all(report.figures, formats=formats),
            render_all(drawn if formats else {}, 'examples_', formats),
            render_all(logs, 'training_', formats),
            shown,
            evaluation.explanation(report.outputs),
            legend,
        )

    def all(self) -> list[RenderedFigure]:
        """Returns all figures."""
        groups = (self.results, self.examples, self.training)
        return [figure for group in groups for figure in group.values()]
