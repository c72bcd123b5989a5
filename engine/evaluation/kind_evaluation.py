"""How outputs of one kind are evaluated, shown and exported.

`evaluate.py` in a kind's folder derives a class from `KindEvaluation` and defines `EVALUATION`, an instance
of that class. The evaluator imports it by the name of the kind; training and prediction never do.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from engine.errors import UserError
from engine.evaluation.drawing import example_cards
from engine.evaluation.drawing.example_cards import Card, TextLine
from engine.evaluation.results.bootstrap import Bootstrap
from engine.evaluation.results.report import Report
from engine.evaluation.submissions import Export, npz
from engine.lists import ListTable
from engine.outputs import kind_folders
from engine.outputs.kind import Arrays
from engine.outputs.outputs import Outputs
from engine.render.pictures import Picture, css

MAX_LEGEND_CLASSES = 40  # more classes have no legend of colours


@dataclass(frozen=True)
class ExampleScore:
    """The score by which a report sorts examples and a comparison finds where two methods disagree.

    Attributes:
      column: of the table `per_example`.
      higher_is_better: whether a higher score is better.
    """

    column: str
    higher_is_better: bool


@dataclass(frozen=True)
class KindEvaluation:
    """The evaluation of one kind. Subclasses override `report`, and other methods as needed.

    Attributes of the class:
      kind: name of the kind.
      example_score: score of an example; None if examples have none.
      class_score: column of the table `per_class` that a comparison shows; '' if there is none.
      pooled_metrics: names of the metrics that make sense on the examples of all folds of a cross-validation
        together: each example counts by its own prediction, and scores of different models are not sorted.
      legend: explains the pictures of examples in one or two sentences.
      first_colour: palette index of class 0, if the pictures show classes in colours; else None.
    """

    kind: ClassVar[str]
    example_score: ClassVar[ExampleScore | None] = None
    class_score: ClassVar[str] = ''
    pooled_metrics: ClassVar[Sequence[str]] = ()
    legend: ClassVar[str] = ''
    first_colour: ClassVar[int | None] = None

    def common_score(self, tables: Sequence[Any]) -> ExampleScore | None:
        """Returns a score of examples that all of these tables `per_example` have; None if there is none."""
        score = self.example_score
        return score if score and all(score.column in table for table in tables) else None

    def report(self, outputs: Outputs, bootstrap: Bootstrap) -> Report:
        """Returns metrics with intervals, tables and figures.

        Raises:
          UserError: the outputs cannot be evaluated; says why.
        """
        raise NotImplementedError

    def explanation(self, outputs: Outputs) -> str:
        """Returns what readers need to know of the pictures of these outputs; `legend` by default."""
        return self.legend

    def colours(self, outputs: Outputs) -> list[tuple[str, str]]:
        """Returns name and CSS colour of each class, if the pictures have colours and the classes are few."""
        if self.first_colour is None or not 0 < len(outputs.class_names) <= MAX_LEGEND_CLASSES:
            return []
        first = self.first_colour
        return [(name, css(index + first, 256)) for index, name in enumerate(outputs.class_names)]

    def pictures(self, outputs: Outputs, row: int) -> list[Picture]:
        """Returns the pictures of one example: labels first, then predictions."""
        return example_cards.images(outputs, ('inputs',), row)

    def lines(self, outputs: Outputs, row: int) -> list[TextLine]:
        """Returns the texts of one example: what is known first, then the prediction; [] if it has none."""
        return []

    def caption(self, example: Mapping[str, Any]) -> str:
        """Returns the caption of an example, which is a row of the table `per_example`."""
        column = self.example_score.column if self.example_score else ''
        return f'{column.replace("_", " ")} {example[column]:.4g}' if column else ''

    def gallery(self, report: Report) -> dict[str, list[Card]]:
        """Returns the examples that the report shows: heading to cards. An example is shown once.

        By default these are the worst and some typical examples by `example_score`, if they have pictures or
        texts.
        """
        if not self.example_score or not (self.pictures(report.outputs, 0) or self.lines(report.outputs, 0)):
            return {}
        table = report.tables['per_example'].dropna(subset=self.example_score.column)
        return {
            heading: self.cards(report, chosen)
            for heading, chosen in example_cards.worst_and_typical(table).items()
        }

    def cards(self, report: Report, table: Any) -> list[Card]:
        """Returns a card with pictures, texts and caption for each of the first rows of `per_example`."""
        return example_cards.cards(report.outputs, table, self.pictures, self.caption, self.lines)

    def samples(self, outputs: Outputs, count: int) -> list[Card]:
        """Returns cards of the first `count` examples, for a comparison; [] if it should show none."""
        return []

    def exports(self) -> Mapping[str, Export]:
        """Returns the formats of submissions, by their name in `scripts/export.sh --format`."""
        return {'npz': Export('.npz', npz)}

    def read_list(self, table: ListTable, outputs: Outputs) -> Arrays:
        """Reads labels from a list, a CSV file with a row per example.

        Raises:
          UserError: the kind does not read labels from lists, or a cell is not valid.
        """
        raise UserError(f'{table.path}: labels of {self.kind} do not fit into a list. Give .npz or .json.')

    def read_json(self, path: Path, outputs: Outputs) -> tuple[Sequence[str], Arrays]:
        """Reads ids and labels from a JSON file.

        Raises:
          UserError: the kind does not read labels from JSON, or the file is not valid.
        """
        raise UserError(
            f'--labels={path}: labels of {self.kind} cannot be read from JSON. Give .csv or .npz.'
        )


def load(kind: str) -> KindEvaluation:
    """Imports the evaluation of a kind, with its default settings.

    Raises:
      UserError: the kind is unknown or has no evaluation.
    """
    return kind_folders.load(kind, 'evaluate', 'EVALUATION')


def require(outputs: Outputs, *names: str) -> None:
    """Raises `UserError` if outputs lack one of these arrays, which predictions are compared with."""
    for name in names:
        if name not in outputs.arrays:
            raise UserError(
                f'{outputs.folder} has no labels: no {name}.npy, so there is nothing to compare with. Give '
                f'the labels by --labels, or evaluate a split that has labels.{outputs.page_hint}'
            )
