"""One page about some trainings: progress, metrics, notes and curves."""

from collections.abc import Iterable
from datetime import datetime

from engine.render import markup
from engine.render import table as tables
from engine.render.document import document
from engine.render.figures.rendered import RenderedFigure
from engine.render.table import Table
from engine.run_reader import summary
from engine.run_reader.summary import Runs

SCRIPT = 'reload.js'
STALE_SECONDS = 90  # after which a page that should be kept true says that it is not
MADE_BY = '<code>scripts/logs.sh --watch</code>'


def page(runs: Runs, figures: Iterable[RenderedFigure], written: datetime, is_live: bool) -> str:
    """Returns the page.

    Args:
      runs: the runs, by the names to show.
      figures: their curves.
      written: the time of the logs.
      is_live: whether a program replaces the page when the logs grow; the page then reloads itself.
    """
    title = next(iter(runs)) if len(runs) == 1 else f'{len(runs)} trainings'
    sections = [
        markup.section('Progress', _table(summary.progress(runs), 'progress of each run')),
        markup.section('Notes', _notes(runs)),
        markup.section('Curves', markup.cards(figure.markup() for figure in figures)),
        markup.section('Metrics', _table(summary.metrics(runs), 'best and last value of each metric')),
    ]
    foot = f'Made by {MADE_BY} from the logs alone.'
    return document(title, _head(title, written, is_live), sections, foot, SCRIPT)


def _head(title: str, written: datetime, is_live: bool) -> str:
    time = f'{written:%Y-%m-%d %H:%M:%S} UTC'
    live = f' data-live="{STALE_SECONDS}"' if is_live else ''
    kept = 'This page reloads itself.' if is_live else f'{MADE_BY} has ended; the page stays as it is.'
    return (
        f'<h1>{markup.name(title)}</h1>'
        f'<p class="soft">As of <time datetime="{written.isoformat()}"{live}>{time}</time>. {kept}</p>'
        f'<p data-stale hidden><strong>{MADE_BY} no longer runs</strong>. Start it again to see news.</p>'
    )


def _notes(runs: Runs) -> str:
    items = ''.join(f'<li>{markup.breakable(note)}</li>' for note in summary.notes(runs))
    return f'<ul>{items}</ul>' if items else ''


def _table(table: Table, caption: str) -> str:
    return tables.html(table, caption, sortable=False) if table.rows else ''
