"""Short functions that make HTML. They escape all text. Imports the standard library alone."""

import html
import re
from collections.abc import Iterable

MIN_BROKEN_WORD = 12  # characters; shorter words fit into every column


def escaped(text: object) -> str:
    """Returns a text that HTML shows as it is.

    >>> escaped('a < b')
    'a &lt; b'
    """
    return html.escape(str(text), quote=True)


def breakable(text: object) -> str:
    """Returns a text as `escaped` does; long words may break after a separator, such as those of paths.

    >>> breakable('resnet_50/seed_0')
    'resnet_<wbr>50/<wbr>seed_<wbr>0'
    """
    return ''.join(_broken(word) for word in re.split(r'(\s+)', str(text)))


def _broken(word: str) -> str:
    if len(word) < MIN_BROKEN_WORD:
        return escaped(word)
    return '<wbr>'.join(map(escaped, re.split(r'(?<=[_/.:,=-])(?=\w)', word)))


def name(text: object) -> str:
    """Returns a name within a sentence: its direction does not reorder the words beside it."""
    return f'<bdi>{breakable(text)}</bdi>'


def inline(text: str) -> str:
    """Returns a paragraph of Markdown as HTML: code as code, links as their text."""
    text = re.sub(r'\[([^\]]*)\]\([^)]*\)', r'\1', text)
    return re.sub(r'`([^`]*)`', r'<code>\1</code>', escaped(text))


def section(title: str, *parts: str) -> str:
    """Returns a section under a heading, whose words are its anchor; '' if the section would be empty."""
    body = '\n'.join(filter(None, parts))
    if not body:
        return ''
    return f'<section id="{_anchor(title)}"><h2>{escaped(title)}</h2>\n{body}\n</section>'


def contents(sections: Iterable[str]) -> str:
    """Returns a bar of links to sections."""
    titles = [title for section in sections for title in re.findall(r'<section[^>]*><h2>(.*?)</h2>', section)]
    links = ''.join(f'<a href="#{_anchor(html.unescape(title))}">{title}</a>' for title in titles)
    return f'<nav aria-label="Sections">{links}</nav>' if links else ''


def folded(summary: str, *parts: str) -> str:
    """Returns parts that unfold when readers click the summary, a text; '' if there are none."""
    body = '\n'.join(filter(None, parts))
    return f'<details><summary>{escaped(summary)}</summary>{body}</details>' if body else ''


def _anchor(title: str) -> str:
    return re.sub(r'\W+', '-', title.lower())


def cards(parts: Iterable[str]) -> str:
    """Returns parts as cards, as many side by side as fit."""
    inner = ''.join(f'<div class="card">{part}</div>' for part in parts)
    return f'<div class="cards">{inner}</div>' if inner else ''


def chips(names: Iterable[tuple[str, str]]) -> str:
    """Returns a legend of pairs (name, CSS colour): a patch of the colour beside the name."""
    return ''.join(
        f'<span class="chip"><i style="background:{colour}"></i>{name(label)}</span>'
        for label, colour in names
    )


def number(value: float) -> str:
    """Returns a number with four digits; an integer in full.

    >>> number(12345), number(0.123456)
    ('12,345', '0.1235')
    """
    if abs(value) < 1e15 and value == int(value):
        return f'{int(value):,}'
    return f'{value:.4g}'
