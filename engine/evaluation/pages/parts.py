"""Parts of a report: numbers with their intervals, tables, and what the run tells."""

import math
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from engine.evaluation.results.metric import Metric
from engine.outputs.outputs import Outputs
from engine.render import html_tables, markup, vectors
from engine.render.html_tables import Cell, number, text
from engine.render.prose import prose
from engine.run_reader import curves
from engine.run_reader.origin import Origin
from engine.run_reader.summary import Runs, metrics, notes, progress

ROWS = 500  # of a long table; the CSV file has all of them
CONFUSED = 30  # pairs of classes


def tiles(metrics: Sequence[Metric]) -> str:
    """Returns the headline numbers, large, each with its interval."""
    shown = ''.join(
        f'<div class="fact"><span>{markup.escaped(each.definition.title)}</span><b>{each.shown()}</b>'
        f'<small>{each.shown_interval()}</small></div>'
        for each in metrics
    )
    return f'<div class="facts">{shown}</div>'


def metric_table(metrics: Mapping[str, Metric], interval: str) -> str:
    """Returns every metric with its interval, drawn too where it is a fraction, and what each means."""
    rows = [
        [
            text(each.definition.title),
            number(each.value, each.shown()),
            text(each.shown_interval()),
            Cell(_bar(each)),
            text(each.definition.direction),
        ]
        for each in metrics.values()
    ]
    meanings = ''.join(
        f'<dt>{markup.escaped(each.definition.title)}</dt><dd>{markup.escaped(each.definition.definition)} '
        f'<small>{markup.escaped(each.definition.source)}</small></dd>'
        for each in metrics.values()
    )
    table = html_tables.table(['metric', 'value', interval, '', 'better'], rows, 'metrics')
    return table + markup.folded('What these numbers mean', f'<dl>{meanings}</dl>')


def _bar(metric: Metric) -> str:
    """Draws a fraction and its interval on the way from 0 to 1; nothing of other units."""
    if metric.definition.unit != 'fraction' or not all(map(math.isfinite, (metric.value, *metric.interval))):
        return ''
    low, high, value = (100 * min(max(each, 0), 1) for each in (*metric.interval, metric.value))
    return (
        '<svg class="interval" viewBox="0 0 100 8" preserveAspectRatio="none" aria-hidden="true">'
        '<path class="track" d="M0 4H100"/>'
        f'<path class="range" d="M{low:.2f} 4H{max(high, low + 0.4):.2f}"/>'
        f'<path class="value" d="M{value:.2f} 0V8"/></svg>'
    )


def frame(table: pd.DataFrame, titles: Sequence[str] = ()) -> str:
    """Returns a table of which the index names the rows; the first ones if there are many.

    Args:
      table: what to show.
      titles: of the index and the columns; by default their names, read as words.
    """
    shown = table.head(ROWS).reset_index()
    rows = [[_cell(value) for value in row] for row in shown.itertuples(index=False)]
    more = f'<p class="soft">The first {ROWS:,} of {len(table):,} rows.</p>' if len(table) > ROWS else ''
    titles = titles or [str(name).replace('_', ' ') for name in shown.columns]
    return html_tables.table(titles, rows) + more


def _cell(value: object) -> Cell:
    if isinstance(value, bool | np.bool_):
        return text('yes' if value else 'no')
    if isinstance(value, int | float | np.number):
        return number(float(value))
    return text(value)


def confused(counts: pd.DataFrame) -> str:
    """Returns the pairs of classes that are taken for each other most often.

    Args:
      counts: a row per label and a column per predicted class.
    """
    numbers = counts.to_numpy()
    wrong = np.where(np.eye(len(numbers), dtype=bool), 0, numbers)
    most = np.argsort(-wrong, axis=None, kind='stable')[:CONFUSED]
    places = [divmod(int(place), len(numbers)) for place in most if wrong.flat[place]]
    totals = numbers.sum(1)
    rows = [
        [
            text(counts.index[label]),
            text(counts.columns[found]),
            number(int(wrong[label, found])),
            number(share := wrong[label, found] / totals[label], f'{100 * share:.2f} %'),
        ]
        for label, found in places
    ]
    titles = ['label', 'predicted as', 'times', 'share of the label']
    return f'<h3>Most often confused</h3>{html_tables.table(titles, rows)}' if rows else ''


def training(runs: Runs) -> str:
    """Returns how trainings went: how far, how well, and all their curves over each other."""
    if not any(len(run.train) or len(run.val) for run in runs.values()):
        return ''
    plots = [
        vectors.svg(vectors.drawn(draw), f'training {name}') for name, draw in curves.figures(runs).items()
    ]
    odd = ''.join(f'<li>{markup.escaped(note)}</li>' for note in notes(runs))
    found = [_of_strings(rows) for rows in (progress(runs), metrics(runs)) if len(rows) > 1]
    return markup.section('Training', *found, f'<ul>{odd}</ul>' if odd else '', markup.cards(plots))


def _of_strings(rows: Sequence[Sequence[str]]) -> str:
    titles, *body = rows
    return html_tables.table(titles, [[text(cell) for cell in row] for row in body])


def config(origin: Origin) -> str:
    """Returns the config of a run: each parameter in a table, and the file as it stands."""
    values = {**origin.settings.macros, **origin.settings.values}
    table = html_tables.table(
        ['parameter', 'value'], [[text(name), text(each)] for name, each in values.items()], 'long'
    )
    whole = f'<pre>{markup.escaped(origin.config)}</pre>'
    return markup.section('Config', table, markup.folded('config.gin, whole', whole))


def stack(origin: Origin) -> str:
    """Returns the code, packages and machine that a run stood on."""
    rows = [[text(name), text(value)] for name, value in origin.stack.items()]
    return markup.section('Stack', html_tables.table(['what', 'value'], rows, 'long')) if rows else ''


def words(title: str, markdown: str) -> str:
    """Returns what somebody wrote in Markdown."""
    return markup.section(title, prose(markdown))


def files(found: Outputs) -> str:
    """Returns what the outputs are made of."""
    stated = found.manifest['files']
    arrays = found.manifest['arrays']
    rows = [
        [
            text(name),
            text(each['dtype']),
            text(' x '.join(map(str, each['shape']))),
            text(each['meaning']),
            Cell(f'<code>{markup.escaped(stated[each["file"]]["sha256"][:16])}</code>'),
        ]
        for name, each in arrays.items()
    ]
    table = html_tables.table(['array', 'dtype', 'shape', 'meaning', 'sha256'], rows)
    return markup.section('Outputs', table, _details(found))


def _details(found: Outputs) -> str:
    rows = [[text(name), text(value)] for name, value in found.manifest['details'].items()]
    return html_tables.table(['detail', 'value'], rows, 'long') if rows else ''
