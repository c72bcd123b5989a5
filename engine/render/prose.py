"""Markdown from people as HTML. HTML in it is escaped, and pictures are left out."""

from typing import Any

from markdown_it import MarkdownIt
from markdown_it.token import Token

TOP_LEVEL = 3  # of a heading: the prose stands in a section, which has a heading of level 2


def prose(text: str) -> str:
    """Returns Markdown as HTML; '' for a blank text. Its headings continue those of the page."""
    if not text.strip():
        return ''
    tokens = _READER.parse(text)
    _set_levels([token for token in tokens if token.type.startswith('heading_')])
    return f'<div class="prose" dir="auto">{_READER.renderer.render(tokens, _READER.options, {})}</div>'


def _set_levels(headings: list[Token]) -> None:
    """Moves headings below those of the page. None is more than one level below the heading before it."""
    level = TOP_LEVEL - 1
    for opening, closing in zip(headings[::2], headings[1::2], strict=True):
        level = min(int(opening.tag[1]) + TOP_LEVEL - 1, level + 1, 6)
        opening.tag = closing.tag = f'h{level}'


def _no_picture(*_: Any) -> str:
    return ''


_READER = MarkdownIt('commonmark', {'html': False}).enable('table')
_READER.add_render_rule('image', _no_picture)
