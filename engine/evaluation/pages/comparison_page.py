"""Several methods beside each other, as one file that needs nothing else."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial

import pandas as pd

from engine import files
from engine.evaluation.comparison import comparison_table
from engine.evaluation.comparison.methods import Method
from engine.evaluation.comparison.ranking import Rank
from engine.evaluation.pages import gallery, parts
from engine.evaluation.pages.disagreements import disagreements
from engine.evaluation.results.metric import Metric
from engine.render import html_tables, markup
from engine.render.charts import ForestRow, forest
from engine.render.document import document
from engine.render.html_tables import Cell, number, text
from engine.render.table_formats import BEST, TIED, Table
from engine.run_reader import logs
from engine.run_reader.summary import Runs

CLASS_SCORES = {'classification': 'f1', 'segmentation': 'iou', 'detection': 'ap'}
SAMPLES = 36  # generated pictures of a method, its first ones

_NUMBER = re.compile(r'(?:below )?(-?\d+(?:\.\d+)?(?:e[+-]\d+)?)(?: |$)')
_EMPHASIS = {BEST: '<strong>{}</strong>', TIED: '<em>{}</em>', '': '{}'}


def page(methods: Sequence[Method], found: Sequence[Rank], name: str) -> str:
    """Returns the page.

    Args:
      methods: the methods, about the same examples, the best first.
      found: how each of them stands.
      name: of the metric by which they are compared.
    """
    names, differing = comparison_table.names(methods), comparison_table.differing(methods)
    table = comparison_table.table(methods, found, name, in_numbers=False)
    sections = [
        markup.section('Comparison', _table(table, set(differing)), f'<p>{markup.escaped(table.note)}</p>'),
        markup.section('What differs between them', _transposed(differing, names)),
        markup.section('Intervals', markup.cards(_forests(methods, names, found, name))),
        markup.section('Per class', _per_class(methods, names)),
        markup.section('Where the first two differ most', *disagreements(methods, names)),
        markup.section('Samples', *_samples(methods, names)),
        parts.training(_runs(methods)),
        markup.section('Outputs', _sources(methods)),
    ]
    sections = list(filter(None, sections))
    title = _title(methods)
    body = [_head(methods, title), markup.contents(sections), *sections, _FOOT]
    return document(title, '\n'.join(body), html_tables.SCRIPT)


_FOOT = '<footer>Made by <code>scripts/compare.sh --format=html</code> from saved outputs alone.</footer>'


def _title(methods: Sequence[Method]) -> str:
    found = methods[0].inputs[0].outputs
    return f'{len(methods)} methods, {found.dataset or found.kind} {found.split}'.strip()


def _head(methods: Sequence[Method], title: str) -> str:
    first = methods[0].reports[0]
    count = sum(len(method.reports) for method in methods)
    about = f'{len(first.outputs.ids):,} examples · {first.outputs.kind} · {count} outputs'
    return f'<header><h1>{markup.escaped(title)}</h1><p class="soft">{markup.escaped(about)}</p></header>'


def _table(table: Table, without: set[str]) -> str:
    """Returns the comparison to sort and filter, its marks as they are in print, without some columns."""
    shown = {title: cells for title, cells in table.columns.items() if title not in without}
    columns = [
        [
            _marked(cell, table.marks.get((title, row), ''), _is_numeric(cells))
            for row, cell in enumerate(cells)
        ]
        for title, cells in shown.items()
    ]
    titles = [re.sub(' (?=[↑↓])', '\N{NO-BREAK SPACE}', title) for title in shown]
    return html_tables.table(titles, zip(*columns, strict=True), 'stacked')


def _transposed(differing: Mapping[str, Sequence[str]], names: Sequence[str]) -> str:
    """Returns a row for each parameter that differs, and a column for each method."""
    rows = [[text(title), *map(text, cells)] for title, cells in differing.items()]
    return html_tables.table(['what', *names], rows, 'long') if rows else ''


def _is_numeric(cells: Sequence[str]) -> bool:
    return any(cells) and all(_NUMBER.match(cell) for cell in cells if cell)


def _marked(cell: str, mark: str, numeric: bool) -> Cell:
    value, bracket, interval = markup.escaped(cell).partition(' (')
    shown = _EMPHASIS[mark].format(value) + (f' <small>({interval}</small>' if bracket else '')
    found = _NUMBER.match(cell)
    return Cell(shown, (float(found[1]) if found else float('inf')) if numeric else None)


def _forests(methods: Sequence[Method], names: Sequence[str], found: Sequence[Rank], by: str) -> list[str]:
    """Returns each headline metric of all methods, and how far they are from the best."""
    metrics = methods[0].reports[0].metrics
    cards = [
        forest(
            comparison_table.title(methods, each),
            _lines(methods, names, each),
            partial(_shown, metrics[each]),
        )
        for each in dict.fromkeys((by, *methods[0].reports[0].headline))
        if all(each in report.metrics for method in methods for report in method.reports)
    ]
    title = f'{comparison_table.title(methods, by)}, minus the best'
    minus = [
        ForestRow(
            name,
            each.difference.value,
            *each.difference.interval,
            shown=each.difference.shown_with_interval(),
        )
        for name, each in zip(names, found, strict=True)
        if each.difference
    ]
    return [*cards, *([forest(title, minus, partial(_shown, metrics[by]), zero=True)] if minus else [])]


def _shown(like: Metric, value: float) -> str:
    return replace(like, value=value).shown()


def _lines(methods: Sequence[Method], names: Sequence[str], metric: str) -> list[ForestRow]:
    lines = []
    for method, name in zip(methods, names, strict=True):
        found = method.metric(metric)
        seeds = [each.metrics[metric].value for each in method.reports] if len(method.reports) > 1 else []
        lines.append(ForestRow(name, found.value, *found.interval, shown=method.shown(metric), dots=seeds))
    return lines


def _per_class(methods: Sequence[Method], names: Sequence[str]) -> str:
    """Returns the score of each class by each method, the mean over its seeds."""
    score = CLASS_SCORES.get(methods[0].reports[0].outputs.kind, '')
    found = [[each.tables.get('per_class') for each in method.reports] for method in methods]
    if not score or not all(_has_same_classes(each, found[0][0]) for method in found for each in method):
        return ''
    means = {
        name: pd.concat([each[score] for each in method if each is not None], axis=1).mean(axis=1)
        for name, method in zip(names, found, strict=True)
    }
    return f'<p class="soft">{score.replace("f1", "F1").upper()} of each class.</p>' + parts.frame(
        pd.DataFrame(means), ['class', *means]
    )


def _has_same_classes(table: pd.DataFrame | None, first: pd.DataFrame | None) -> bool:
    return table is not None and first is not None and table.index.equals(first.index)


def _samples(methods: Sequence[Method], names: Sequence[str]) -> list[str]:
    """Returns what each method generated, of its first seed; nothing of another kind."""
    found = [method.reports[0].outputs for method in methods]
    if found[0].kind != 'generation':
        return []
    return [
        f'<h3>{markup.escaped(name)}</h3><div class="sheet">{"".join(gallery.samples(each, SAMPLES))}</div>'
        for name, each in zip(names, found, strict=True)
    ]


def _runs(methods: Sequence[Method]) -> Runs:
    """Returns the logs of all runs, by the shortest names that tell them apart."""
    found = [each.folder for method in methods for each in method.inputs if each.settings]
    names = files.distinct_names(found)
    return {name: logs.read(folder) for name, folder in zip(names, found, strict=True)}


def _sources(methods: Sequence[Method]) -> str:
    """Returns where each number is from."""
    rows = []
    for method in methods:
        for source in method.inputs:
            found = source.outputs
            step = float('nan') if found.step is None else found.step
            cells = [found.folder, source.commit, source.seed]
            rows.append([*map(text, cells), number(step), number(len(found.ids))])
    return html_tables.table(['outputs', 'commit', 'seed', 'step', 'examples'], rows, 'long')
