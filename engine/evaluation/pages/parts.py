"""Parts of a report: metrics with intervals, tables, and the run's training, config and environment."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import replace

import pandas as pd

from engine.evaluation.results import frames
from engine.evaluation.results.metric import Metric
from engine.evaluation.results.report import Report
from engine.outputs.outputs import Outputs
from engine.render import markup
from engine.render import table as tables
from engine.render.figures.rendered import RenderedFigure
from engine.render.prose import prose
from engine.render.table import Cell, Table
from engine.run_reader.origin import Origin
from engine.run_reader.summary import Runs, metrics, notes, progress

MAX_ROWS = 500  # of a table on the page; its CSV file has all rows


def tiles(metrics: Sequence[Metric]) -> str:
    """Returns the headline metrics in large print, with their intervals."""
    shown = ''.join(
        f'<div class="fact"><span>{markup.escaped(metric.definition.title)}</span><b>{metric.shown()}</b>'
        f'<small>{metric.shown_interval()}</small></div>'
        for metric in metrics
    )
    return f'<div class="facts">{shown}</div>'


def metric_tables(report: Report) -> str:
    """Returns the main metrics as a table with drawn fractions, other groups as cards, and definitions."""
    shown, groups = report.metric_tables(), report.groups()
    cards = [_group(heading, table) for heading, table in shown.items() if heading]
    meanings = ''.join(
        (f'<h3>{markup.escaped(heading)}</h3>' if heading else '')
        + f'<dl>{"".join(map(_meaning, metrics))}</dl>'
        for heading, metrics in groups.items()
    )
    return (
        (_main(shown[''], groups['']) if '' in shown else '')
        + markup.cards(cards)
        + markup.folded('What these numbers mean', meanings)
    )


def _main(table: Table, metrics: Sequence[Metric]) -> str:
    rows = [
        [*row[:3], Cell(None, markup=_bar(metric)), *row[3:]]
        for row, metric in zip(table.rows, metrics, strict=True)
    ]
    titles = [*table.titles[:3], '', *table.titles[3:]]
    return tables.html(Table(titles, rows), 'Metrics', 'metrics')


def _group(heading: str, table: Table) -> str:
    return f'<h3>{markup.escaped(heading)}</h3>{tables.html(table, heading, "group", sortable=False)}'


def _meaning(metric: Metric) -> str:
    meaning = metric.definition
    return (
        f'<dt>{markup.escaped(meaning.title)}</dt><dd>{markup.escaped(meaning.definition)} '
        f'<small>{markup.escaped(meaning.source)}</small></dd>'
    )


def _bar(metric: Metric) -> str:
    """Draws a fraction and its interval on a scale from 0 to 1; returns '' for other units."""
    if metric.definition.unit != 'fraction' or not all(map(math.isfinite, (metric.value, *metric.interval))):
        return ''
    low, high, value = (100 * min(max(number, 0), 1) for number in (*metric.interval, metric.value))
    return (
        '<svg class="interval" viewBox="0 0 100 8" preserveAspectRatio="none" aria-hidden="true">'
        '<path class="track" d="M0 4H100"/>'
        f'<path class="range" d="M{low:.2f} 4H{max(high, low + 0.4):.2f}"/>'
        f'<path class="value" d="M{value:.2f} 0V8"/></svg>'
    )


def frame(table: pd.DataFrame, caption: str, titles: Sequence[str] = ()) -> str:
    """Returns a data frame as a table: the first rows if there are many.

    Args:
      table: the data frame. Its index names the rows.
      caption: what the table holds.
      titles: titles of the index and the columns; by default their names, with spaces for underscores.
    """
    shown = frames.table(table.head(MAX_ROWS))
    titles = titles or [title.replace('_', ' ') for title in shown.titles]
    note = f'<p class="soft">The first {MAX_ROWS:,} of {len(table):,} rows.</p>'
    return tables.html(replace(shown, titles=titles), caption) + (note if len(table) > MAX_ROWS else '')


def training(runs: Runs, figures: Iterable[RenderedFigure]) -> str:
    """Returns the progress, the metrics and the curves of trainings."""
    if not any(len(run.train) or len(run.val) for run in runs.values()):
        return ''
    plots = [figure.markup() for figure in figures]
    odd = ''.join(f'<li>{markup.escaped(note)}</li>' for note in notes(runs))
    captioned = {'Progress of the training': progress(runs), 'Metrics of the training': metrics(runs)}
    summaries = [tables.html(table, caption) for caption, table in captioned.items() if table.rows]
    return markup.section('Training', *summaries, f'<ul>{odd}</ul>' if odd else '', markup.cards(plots))


def config(origin: Origin) -> str:
    """Returns the config of a run: a table of the parameters, and the text of the file."""
    values = {**origin.settings.macros, **origin.settings.values}
    table = tables.html(Table.of(['parameter', 'value'], values.items()), 'Parameters', 'long')
    whole = f'<pre>{markup.escaped(origin.config)}</pre>'
    return markup.section('Config', table, markup.folded('The whole config.gin', whole))


def environment(origin: Origin) -> str:
    """Returns a table of the code, packages and machine of a run."""
    table = Table.of(['name', 'value'], origin.environment.items())
    return markup.section('Environment', tables.html(table, 'Environment', 'long')) if table.rows else ''


def words(title: str, markdown: str) -> str:
    """Returns a section of Markdown that people wrote."""
    return markup.section(title, prose(markdown))


def files(outputs: Outputs) -> str:
    """Returns a table of the arrays of the outputs, and their details."""
    files = outputs.manifest.files
    rows = [
        [
            name,
            array.dtype,
            ' x '.join('varying' if length is None else str(length) for length in array.shape),
            array.meaning,
            _digest(files[array.file].sha256) if array.file in files else 'a file for each example',
        ]
        for name, array in outputs.manifest.arrays.items()
    ]
    table = tables.html(Table.of(['array', 'dtype', 'shape', 'meaning', 'sha256'], rows), 'Arrays')
    return markup.section('Outputs', table, _details(outputs))


def _digest(sha256: str) -> Cell:
    return Cell(None, markup=f'<code>{markup.escaped(sha256[:16])}</code>')


def _details(outputs: Outputs) -> str:
    table = Table.of(['detail', 'value'], outputs.manifest.details.items())
    return tables.html(table, 'Details', 'long') if table.rows else ''
