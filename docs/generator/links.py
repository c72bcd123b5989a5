"""Links between files of the repository become links between pages of the site."""

import posixpath
import re
from dataclasses import dataclass, field
from urllib.parse import unquote
from xml.etree.ElementTree import Element

from markdown import Markdown
from markdown.extensions import Extension
from markdown.treeprocessors import Treeprocessor

from engine.workspace import REPOSITORY

ELSEWHERE = re.compile(r'\w+:|#|/|$')  # an address, a place on the same page, or no link
AFTER_INLINE = 5  # a priority: links are there, and MkDocs has not checked them yet


@dataclass
class Router:
    """Where the files of the repository are on the site.

    Attributes:
      uris: of pages and other files of the site, by path in the repository.
      page: the uri of the page that is rendered.
    """

    uris: dict[str, str] = field(default_factory=dict)
    page: str = ''

    def route(self, link: str) -> str | None:
        """Returns a link as the site needs it; None if it leads to an example that the project dropped."""
        origin = next((path for path, uri in self.uris.items() if uri == self.page), None)
        if origin is None or ELSEWHERE.match(link):
            return link
        path, mark, place = link.partition('#')
        target = posixpath.normpath(posixpath.join(posixpath.dirname(origin), unquote(path)))
        if target in self.uris:
            return posixpath.relpath(self.uris[target], posixpath.dirname(self.page) or '.') + mark + place
        dropped = not (REPOSITORY / 'scripts/examples.txt').exists() and not (REPOSITORY / target).exists()
        return None if dropped else link  # MkDocs reports it


class LinkExtension(Extension):
    """Has `Router` change the links of each page."""

    def __init__(self, router: Router):
        super().__init__()
        self._router = router

    def extendMarkdown(self, md: Markdown) -> None:  # noqa: N802 (Markdown calls it so)
        """Registers what changes the tree of a page."""
        md.treeprocessors.register(_Links(self._router), 'repository_links', AFTER_INLINE)


class _Links(Treeprocessor):
    def __init__(self, router: Router):
        super().__init__()
        self._router = router

    def run(self, root: Element) -> None:
        """Changes links, and leaves out the backslash that GitHub wants before `|` in the code of tables."""
        for element in root.iter():
            for attribute in ('href', 'src'):
                if (link := element.get(attribute)) is not None:
                    _set(element, attribute, self._router.route(link))
            if element.tag in ('td', 'th'):
                _show_bars(element)


def _set(element: Element, attribute: str, value: str | None) -> None:
    if value is not None:
        element.set(attribute, value)
    else:
        element.tag = 'span'  # its text stays
        del element.attrib[attribute]


def _show_bars(cell: Element) -> None:
    for code in cell.iter('code'):
        code.text = type(code.text or '')((code.text or '').replace('\\|', '|'))
