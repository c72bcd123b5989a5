"""The page of a comparison: several methods in one file that needs no other."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial

import pandas as pd

from engine import files
from engine.evaluation import kind_evaluation
from engine.evaluation.comparison import columns, comparison_table
from engine.evaluation.comparison.methods import Method
from engine.evaluation.comparison.rank import Rank
from engine.evaluation.pages import parts
from engine.evaluation.pages.disagreements import disagreements
from engine.evaluation.results.metric import Metric
from engine.render import markup
from engine.render import table as tables
from engine.render.charts import ForestRow, forest
from engine.render.document import document
from engine.render.table import BEST, TIED, Cell, Table
from engine.run_reader import logs
from engine.run_reader.summary import Runs

SAMPLES = 36  # generated pictures of a method, the first ones

_EMPHASIS = {BEST: '<strong>{}</strong>', TIED: '<em>{}</em>', '': '{}'}


def page(
    methods: Sequence[Method],
    ranks: Sequence[Rank],
    metric: str,
    chosen: Sequence[str] = (),
    left_out: Sequence[str] = (),
) -> str:
    """Returns the page.

    Args:
      methods: the methods, evaluated on the same examples, the best first.
      ranks: how each method compares with the best.
      metric: name of the metric that ranks the methods.
      chosen: names of the columns of the table; metrics and tests by default.
      left_out: notes on inputs that are not compared.
    """
    names = [method.name for method in methods]
    differing = columns.differing_parameters(methods) | columns.differing_origins(methods)
    table = comparison_table.table(
        methods, ranks, metric, chosen or comparison_table.measures(methods, metric)
    )
    notes = ' '.join([table.note, *left_out])
    sections = [
        markup.section('Comparison', _html(table), f'<p>{markup.escaped(notes)}</p>'),
        markup.section('What differs between them', _transposed(differing, names)),
        markup.section('Intervals', markup.cards(_forests(methods, names, ranks, metric))),
        markup.section('Per class', _per_class(methods, names)),
        markup.section('Where the first two differ most', *disagreements(methods, names)),
        markup.section('Samples', *_samples(methods, names)),
        parts.training(_runs(methods)),
        markup.section('Outputs', _outputs(methods)),
    ]
    sections = list(filter(None, sections))
    title = _title(methods)
    body = [_head(methods, title), markup.contents(sections), *sections, _FOOT]
    return document(title, '\n'.join(body), tables.SCRIPT)


_FOOT = '<footer>Made by <code>scripts/compare.sh --format=html</code> from saved outputs alone.</footer>'


def _title(methods: Sequence[Method]) -> str:
    outputs = methods[0].inputs[0].outputs
    return (
        f'{len(methods)} methods, {outputs.manifest.dataset or outputs.kind} {outputs.manifest.split}'.strip()
    )


def _head(methods: Sequence[Method], title: str) -> str:
    first = methods[0].reports[0]
    count = sum(len(method.reports) for method in methods)
    about = f'{len(first.outputs.ids):,} examples · {first.outputs.kind} · {count} outputs'
    return f'<header><h1>{markup.escaped(title)}</h1><p class="soft">{markup.escaped(about)}</p></header>'


def _html(table: Table) -> str:
    """Returns the comparison. Intervals are set small, below their numbers."""
    rows = [[_with_small_interval(cell) for cell in row] for row in table.rows]
    return tables.html(Table(table.titles, rows), 'stacked')


def _with_small_interval(cell: Cell) -> Cell:
    value, bracket, interval = markup.escaped(cell.shown).partition(' (')
    small = f' <small>({interval}</small>' if bracket and cell.is_number else ''
    return cell._replace(markup=_EMPHASIS[cell.mark].format(value) + small) if small else cell


def _transposed(differing: Mapping[str, Sequence[str]], names: Sequence[str]) -> str:
    """Returns a table with a row per differing parameter and a column per method."""
    rows = [[title, *values] for title, values in differing.items()]
    return tables.html(Table.of(['parameter', *names], rows), 'long') if rows else ''


def _forests(
    methods: Sequence[Method], names: Sequence[str], ranks: Sequence[Rank], metric: str
) -> list[str]:
    """Returns a forest plot per headline metric, and one of the differences from the best."""
    metrics = methods[0].reports[0].metrics
    plots = [
        forest(columns.title(methods, name), _rows(methods, names, name), partial(_shown, metrics[name]))
        for name in dict.fromkeys((metric, *methods[0].reports[0].headline))
        if all(name in report.metrics for method in methods for report in method.reports)
    ]
    title = f'{columns.title(methods, metric)}, minus the best'
    minus = [
        ForestRow(
            name,
            rank.difference.value,
            *rank.difference.interval,
            shown=rank.difference.shown_with_interval(),
        )
        for name, rank in zip(names, ranks, strict=True)
        if rank.difference
    ]
    return [*plots, *([forest(title, minus, partial(_shown, metrics[metric]), zero=True)] if minus else [])]


def _shown(like: Metric, value: float) -> str:
    return replace(like, value=value).shown()


def _rows(methods: Sequence[Method], names: Sequence[str], metric: str) -> list[ForestRow]:
    rows = []
    for method, name in zip(methods, names, strict=True):
        mean = method.metric(metric)
        values = [report.metrics[metric].value for report in method.reports]
        seeds = values if len(values) > 1 else []
        rows.append(ForestRow(name, mean.value, *mean.interval, shown=method.shown(metric), dots=seeds))
    return rows


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
    return f'<p class="soft">{score.replace("f1", "F1").upper()} of each class.</p>' + tables.html(
        Table.of(['class', *means], rows)
    )


def _percent(share: float) -> Cell:
    return Cell(share, '' if math.isnan(share) else f'{100 * share:.2f} %')


def _has_same_classes(table: pd.DataFrame | None, first: pd.DataFrame | None) -> bool:
    return table is not None and first is not None and table.index.equals(first.index)


def _samples(methods: Sequence[Method], names: Sequence[str]) -> list[str]:
    """Returns the samples that each method's first seed generated; nothing for other kinds."""
    outputs = [method.reports[0].outputs for method in methods]
    evaluation = kind_evaluation.load(outputs[0].kind)
    samples = [''.join(evaluation.samples(saved, SAMPLES)) for saved in outputs]
    return [
        f'<h3>{markup.escaped(name)}</h3><div class="sheet">{cards}</div>'
        for name, cards in zip(names, samples, strict=True)
        if cards
    ]


def _runs(methods: Sequence[Method]) -> Runs:
    """Returns the logs of all runs by their shortest distinct names."""
    folders = [source.folder for method in methods for source in method.inputs if source.settings]
    names = files.distinct_names(folders)
    return {name: logs.read(folder) for name, folder in zip(names, folders, strict=True)}


def _outputs(methods: Sequence[Method]) -> str:
    """Returns a table of the outputs that were compared."""
    rows = [
        [saved.folder, source.commit, source.seed, saved.manifest.step, len(saved.ids)]
        for method in methods
        for source in method.inputs
        for saved in [source.outputs]
    ]
    return tables.html(Table.of(['outputs', 'commit', 'seed', 'step', 'examples'], rows), 'long')
