"""Tables that readers sort and filter: `tables.js` does it, and without it they are read as they stand."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from engine.render import markup

SCRIPT = 'tables.js'
SHORT = 8  # so many rows are seen at a glance: there is nothing to filter


@dataclass(frozen=True)
class Cell:
    """A cell.

    Attributes:
      shown: markup.
      number: what it is sorted by; None sorts by its text.
    """

    shown: str
    number: float | None = None


def text(words: object) -> Cell:
    """Returns a cell of text."""
    return Cell(markup.escaped(words))


def number(value: float, shown: str = '') -> Cell:
    """Returns a cell of a number, by default in four digits; an empty one for NaN."""
    if value != value:
        return Cell('', float('inf'))
    return Cell(markup.escaped(shown or markup.number(value)), float(value))


def table(titles: Sequence[str], rows: Iterable[Sequence[Cell]], kind: str = '') -> str:
    """Returns a table to sort and filter.

    Args:
      titles: of the columns, as text.
      rows: their cells.
      kind: a further class for the style sheet.
    """
    rows = list(rows)
    head = ''.join(_title(title, place, rows) for place, title in enumerate(titles))
    body = ''.join(f'<tr>{"".join(map(_cell, row))}</tr>' for row in rows)
    filtering = _FILTER if len(rows) > SHORT else ''
    return (
        f'<div class="data {kind}">{filtering}<div class="wide"><table class="sortable">'
        f'<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div></div>'
    )


_FILTER = (
    '<p class="filter"><input type="search" placeholder="filter rows" aria-label="filter rows">'
    '<output></output></p>'
)


def _title(title: str, place: int, rows: Sequence[Sequence[Cell]]) -> str:
    kind = ' class="text"' if all(row[place].number is None for row in rows) else ''
    return (
        f'<th scope="col" aria-sort="none"{kind}><button type="button">{markup.escaped(title)}</button></th>'
    )


def _cell(cell: Cell) -> str:
    if cell.number is None:
        return f'<td class="text">{cell.shown}</td>'
    return f'<td data-number="{cell.number:.17g}">{cell.shown}</td>'
