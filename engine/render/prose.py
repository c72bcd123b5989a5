"""Markdown from people as HTML. HTML in it is escaped, and pictures are left out."""

from typing import Any

from markdown_it import MarkdownIt


def prose(text: str) -> str:
    """Returns Markdown as HTML; '' for a blank text."""
    return f'<div class="prose">{_READER.render(text)}</div>' if text.strip() else ''


def _no_picture(*_: Any) -> str:
    return ''


_READER = MarkdownIt('commonmark', {'html': False}).enable('table')
_READER.add_render_rule('image', _no_picture)
