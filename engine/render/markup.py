"""HTML in short: everything that comes from data is escaped here. Imports the standard library alone."""

import html
import re
from collections.abc import Iterable, Sequence


def escaped(text: object) -> str:
    """Returns a text as it reads, whatever signs it holds."""
    return html.escape(str(text), quote=True)


def inline(text: str) -> str:
    """Returns a paragraph of Markdown: code as code, links as the words that they stand on."""
    text = re.sub(r'\[([^\]]*)\]\([^)]*\)', r'\1', text)
    return re.sub(r'`([^`]*)`', r'<code>\1</code>', escaped(text))


def table(titles: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Returns a table; its cells are markup, all but the first column set to the right."""
    head = ''.join(f'<th>{title}</th>' for title in titles)
    body = ''.join('<tr>' + ''.join(f'<td>{cell}</td>' for cell in row) + '</tr>' for row in rows)
    return f'<div class="wide"><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>'


def section(title: str, *parts: str) -> str:
    """Returns a section under a heading, by whose words it is linked to; '' if it would be empty."""
    body = '\n'.join(filter(None, parts))
    if not body:
        return ''
    return f'<section id="{_anchor(title)}"><h2>{escaped(title)}</h2>\n{body}\n</section>'


def contents(sections: Iterable[str]) -> str:
    """Returns links to sections."""
    titles = [found[1] for each in sections if (found := re.match(r'<section[^>]*><h2>(.*?)</h2>', each))]
    links = ''.join(f'<a href="#{_anchor(html.unescape(title))}">{title}</a>' for title in titles)
    return f'<nav>{links}</nav>'


def folded(summary: str, *parts: str) -> str:
    """Returns parts that show when their summary, a text, is clicked; '' if there are none."""
    body = '\n'.join(filter(None, parts))
    return f'<details><summary>{escaped(summary)}</summary>{body}</details>' if body else ''


def _anchor(title: str) -> str:
    return re.sub(r'\W+', '-', title.lower())


def cards(each: Iterable[str]) -> str:
    """Returns parts side by side, as many as there is room for."""
    inner = ''.join(f'<div class="card">{part}</div>' for part in each)
    return f'<div class="cards">{inner}</div>' if inner else ''


def chips(names: Iterable[tuple[str, str]]) -> str:
    """Returns names, each beside a patch of its colour: (name, CSS colour)."""
    return ''.join(
        f'<span class="chip"><i style="background:{colour}"></i>{escaped(name)}</span>'
        for name, colour in names
    )


def number(value: float) -> str:
    """Returns a number in four digits, whole ones whole."""
    if value == int(value) if abs(value) < 1e15 else False:
        return f'{int(value):,}'
    return f'{value:.4g}'
