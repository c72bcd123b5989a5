"""The page of a comparison: several methods in one file that needs no other."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import pandas as pd
from matplotlib.figure import Figure

from engine import files
from engine.evaluation import kind_evaluation
from engine.evaluation.comparison import columns, comparison_table
from engine.evaluation.comparison.methods import Method
from engine.evaluation.comparison.rank import Rank
from engine.evaluation.drawing import example_cards, example_figure, figures
from engine.evaluation.drawing.example_cards import Card
from engine.evaluation.pages import gallery, intervals, parts
from engine.evaluation.pages.disagreements import disagreements
from engine.render import markup
from engine.render import table as tables
from engine.render.document import document
from engine.render.figures.rendered import FORMATS, RenderedFigure, render_all
from engine.render.names import isolated
from engine.render.names import outputs as outputs_title
from engine.render.table import BEST, TIED, Cell, Table
from engine.run_reader import curves, logs
from engine.run_reader.summary import Runs

SAMPLES = 36  # generated pictures of a method, the first ones

_EMPHASIS = {BEST: '<strong>{}</strong>', TIED: '<em>{}</em>', '': '{}'}


@dataclass(frozen=True)
class ComparisonPage:
    """The page of a comparison.

    Attributes:
      html: the whole document.
      figures: all that it shows: intervals, examples, curves.
    """

    html: str
    figures: Sequence[RenderedFigure]


def page(
    methods: Sequence[Method],
    ranks: Sequence[Rank],
    metric: str,
    chosen: Sequence[str] = (),
    left_out: Sequence[str] = (),
    formats: Sequence[str] = FORMATS,
) -> ComparisonPage:
    """Returns the page.

    Args:
      methods: the methods, evaluated on the same examples, the best first.
      ranks: how each method compares with the best.
      metric: name of the metric that ranks the methods.
      chosen: names of the columns of the table; metrics and tests by default.
      left_out: notes on inputs that are not compared.
      formats: suffixes of the files of figures.
    """
    names = [method.name for method in methods]
    differing = columns.differing_parameters(methods) | columns.differing_origins(methods)
    table = comparison_table.table(
        methods, ranks, metric, chosen or comparison_table.measures(methods, metric)
    )
    notes, runs = ' '.join([table.note, *left_out]), _runs(methods)
    differ, samples = disagreements(methods), _samples(methods)
    cards = {heading: shown for heading, shown in differ.items() if not isinstance(shown, Table)} | samples
    forests = render_all(intervals.forests(methods, ranks, metric), 'intervals_', formats)
    curve_figures = render_all(curves.figures(runs), 'training_', formats)
    examples = render_all(_example_figures(methods, cards) if formats else {}, 'examples_', formats)
    sections = [
        markup.section('Comparison', _html(table), f'<p>{markup.escaped(notes)}</p>'),
        markup.section('What differs between them', _transposed(differing, names)),
        markup.section('Intervals', markup.cards(figure.markup() for figure in forests.values())),
        markup.section('Per class', _per_class(methods, names)),
        markup.section('Where the first two differ most', *_headed(differ)),
        markup.section('Samples', *_headed(samples)),
        parts.training(runs, curve_figures.values()),
        markup.section('Outputs', _outputs(methods)),
    ]
    title = _title(methods)
    html = document(title, _head(methods, title), sections, _FOOT, tables.SCRIPT)
    return ComparisonPage(html, [*forests.values(), *examples.values(), *curve_figures.values()])


_FOOT = 'Made by <code>scripts/compare.sh --format=html</code> from saved outputs alone.'


def _title(methods: Sequence[Method]) -> str:
    manifest = methods[0].reports[0].outputs.manifest
    return f'{len(methods)} methods: {outputs_title(manifest.kind, manifest.dataset, manifest.split)}'


def _head(methods: Sequence[Method], title: str) -> str:
    first = methods[0].reports[0]
    folds = f' · {len(methods[0].folds)} folds' * bool(methods[0].folds)
    count = sum(len(method.inputs) for method in methods)
    about = f'{len(first.outputs.ids):,} examples{folds} · {count} outputs'
    dataset = markup.escaped(first.outputs.manifest.dataset)
    return f'<h1 title="{dataset}">{markup.name(title)}</h1><p class="soft">{markup.escaped(about)}</p>'


def _headed(shown: Mapping[str, Sequence[Card] | Table]) -> list[str]:
    """Returns headings with cards or tables."""
    return [
        f'<h3>{markup.escaped(heading)}</h3>'
        + (tables.html(content, heading) if isinstance(content, Table) else gallery.sheet(content))
        for heading, content in shown.items()
    ]


def _example_figures(
    methods: Sequence[Method], cards: Mapping[str, Sequence[Card]]
) -> dict[str, Callable[[], Figure]]:
    """Returns functions that draw the examples below each heading."""
    report = methods[0].reports[0]
    title = figures.subject(report.outputs, report.bootstrap)
    legend = kind_evaluation.load(report.outputs.kind).colours(report.outputs)
    return {
        heading.lower(): partial(example_figure.draw, shown, heading, title, legend)
        for heading, shown in example_cards.pictured(cards).items()
    }


def _html(table: Table) -> str:
    """Returns the comparison. Intervals are set small, below their numbers."""
    rows = [[_with_small_interval(cell) for cell in row] for row in table.rows]
    return tables.html(Table(table.titles, rows), 'Comparison of the methods', 'stacked')


def _with_small_interval(cell: Cell) -> Cell:
    value, bracket, interval = markup.escaped(cell.shown).partition(' (')
    small = f' <small>({interval}</small>' if bracket and cell.is_number else ''
    return cell._replace(markup=_EMPHASIS[cell.mark].format(value) + small) if small else cell


def _transposed(differing: Mapping[str, Sequence[str]], names: Sequence[str]) -> str:
    """Returns a table with a row per differing parameter and a column per method."""
    rows = [[title, *values] for title, values in differing.items()]
    return (
        tables.html(Table.of(['parameter', *names], rows), 'What differs between the methods', 'long')
        if rows
        else ''
    )


def _per_class(methods: Sequence[Method], names: Sequence[str]) -> str:
    """Returns the score of each class by each method, the mean over its seeds."""
    score = kind_evaluation.load(methods[0].reports[0].outputs.kind).class_score
    scores = [[report.tables.get('per_class') for report in method.reports] for method in methods]
    first = scores[0][0]
    if not score or not all(_has_same_classes(table, first) for seeds in scores for table in seeds):
        return ''
    means = {
        name: pd.concat([table[score] for table in seeds if table is not None], axis=1).mean(axis=1)
        for name, seeds in zip(names, scores, strict=True)
    }
    rows = [
        [name, *(_percent(mean) for mean in row)] for name, *row in pd.DataFrame(means).itertuples(name=None)
    ]
    caption = f'{score.upper()} of each class.'
    return f'<p class="soft">{caption}</p>{tables.html(Table.of(["class", *means], rows), caption)}'


def _percent(share: float) -> Cell:
    return Cell(share, '' if math.isnan(share) else f'{100 * share:.2f} %')


def _has_same_classes(table: pd.DataFrame | None, first: pd.DataFrame | None) -> bool:
    return table is not None and first is not None and table.index.equals(first.index)


def _samples(methods: Sequence[Method]) -> dict[str, list[Card]]:
    """Returns the samples that each method's first seed generated; nothing for other kinds."""
    outputs = [method.reports[0].outputs for method in methods]
    evaluation = kind_evaluation.load(outputs[0].kind)
    samples = [evaluation.samples(saved, SAMPLES) for saved in outputs]
    return {
        f'Samples of {isolated(method.name)}': cards
        for method, cards in zip(methods, samples, strict=True)
        if cards
    }


def _runs(methods: Sequence[Method]) -> Runs:
    """Returns the logs of all runs by their shortest distinct names."""
    folders = [source.folder for method in methods for source in method.inputs if source.settings]
    names = files.distinct_names(folders)
    return {name: logs.read(folder) for name, folder in zip(names, folders, strict=True)}


def _outputs(methods: Sequence[Method]) -> str:
    """Returns a table of the outputs that were compared."""
    divided = bool(methods[0].folds)
    rows = [
        [
            saved.folder,
            ', '.join(source.commits),
            *[source.part] * divided,
            source.seed,
            saved.manifest.step,
            len(saved.ids),
        ]
        for method in methods
        for source in method.inputs
        for saved in [source.outputs]
    ]
    return tables.html(
        Table.of(['outputs', 'commit', *['fold'] * divided, 'seed', 'step', 'examples'], rows),
        'Outputs that were compared',
        'long',
    )
