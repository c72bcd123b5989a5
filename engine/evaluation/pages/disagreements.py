"""The examples on which two methods differ most, as pictures or texts if there are any, else as a table."""

from collections.abc import Sequence
from dataclasses import replace

import pandas as pd

from engine.evaluation import kind_evaluation
from engine.evaluation.comparison.methods import Method
from engine.evaluation.drawing.example_cards import Card, TextLine
from engine.evaluation.results.report import Report
from engine.render.names import isolated
from engine.render.pictures import Picture
from engine.render.table import Table

SHOWN = 12  # examples that one method is better on


def disagreements(methods: Sequence[Method]) -> dict[str, list[Card] | Table]:
    """Returns the examples on which either of the first two methods, by its first seed, is better.

    Returns:
      Heading to cards; to a table if the examples have neither pictures nor texts.
    """
    reports = [method.reports[0] for method in methods[:2]]
    evaluation = kind_evaluation.load(reports[0].outputs.kind)
    score = evaluation.common_score([report.tables['per_example'] for report in reports])
    if len(methods) < 2 or not score:
        return {}
    names = [method.name for method in methods]
    column = score.column
    first, second = (report.tables['per_example'][column].astype(float) for report in reports)
    gain = first - second if score.higher_is_better else second - first
    better = [gains.loc[gains > 0].nlargest(SHOWN) for gains in (gain, -gain)]
    first_outputs = reports[0].outputs
    has_cards = evaluation.pictures(first_outputs, 0) or evaluation.lines(first_outputs, 0)
    show = _cards if has_cards else _table
    return {
        f'Better by {isolated(name)}': show(reports, names, gains, column)
        for name, gains in zip(names, better, strict=False)
        if len(gains)
    }


def _table(reports: Sequence[Report], names: Sequence[str], gains: pd.Series, column: str) -> Table:
    """Returns a table of the score of each example by both methods, and their difference."""
    scores = [pd.Series(report.tables['per_example'][column])[gains.index].tolist() for report in reports]
    title = column.replace('_', ' ')
    titles = ['example', *(f'{title}, {name}' for name in names[:2]), 'difference']
    return Table.of(titles, zip(gains.index, *scores, gains, strict=True))


def _cards(reports: Sequence[Report], names: Sequence[str], gains: pd.Series, column: str) -> list[Card]:
    return [_card(reports, names, str(identity), column) for identity in gains.index]


def _card(reports: Sequence[Report], names: Sequence[str], identity: str, column: str) -> Card:
    """Returns one example with the predictions and scores of both methods."""
    lines, shown, texts = [identity], dict[str, Picture](), dict[TextLine, None]()
    for report, name in zip(reports, names, strict=False):
        outputs, row = report.outputs, report.tables['per_example'].loc[identity]
        evaluation, place = kind_evaluation.load(outputs.kind), outputs.ids.index(identity)
        drawn = evaluation.pictures(outputs, place)
        texts |= dict.fromkeys(_named(evaluation.lines(outputs, place), name))  # references once
        shown |= {picture.markup: picture for picture in drawn}  # targets once
        predicted = '' if texts else str(row.get('prediction', ''))  # '' too where no class is predicted
        prediction = f'{isolated(predicted)}, ' if predicted else ''
        lines.append(f'{isolated(name)}: {prediction}{column.replace("_", " ")} {row[column]:.4g}')
    label = reports[0].tables['per_example'].loc[identity].get('label', '')
    lines[0] += f' ({isolated(str(label))})' if label != '' else ''
    return Card(identity, list(shown.values()), '\n'.join(lines), list(texts))


def _named(lines: Sequence[TextLine], method: str) -> list[TextLine]:
    """Returns the texts of an example, with the name of the method in place of the last one's role."""
    return [*lines[:-1], *(replace(line, role=method) for line in lines[-1:])]
