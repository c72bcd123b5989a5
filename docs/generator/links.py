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
SELECTOR = re.compile(r'@?(\w+\.\w+)(?=$|[ .=(])')  # a class or function in a binding
UNLINKED = {'a', 'pre', 'h1', 'h2', 'h3', 'h4', 'h5', 'h6'}  # what holds no further links
AFTER_INLINE = 5  # a priority: links are there, and MkDocs has not checked them yet


@dataclass
class Router:
    """Where the files of the repository are on the site.

    Attributes:
      uris: of pages and other files of the site, by path in the repository.
      references: of classes and functions, by their names in configs: page and place.
      page: the uri of the page that is rendered.
    """

    uris: dict[str, str] = field(default_factory=dict)
    references: dict[str, str] = field(default_factory=dict)
    page: str = ''

    def route(self, link: str) -> str | None:
        """Returns a link as the site needs it; None if it leads to an example that the project dropped."""
        origin = self._origin()
        if origin is None or ELSEWHERE.match(link):
            return link
        path, mark, place = link.partition('#')
        target = posixpath.normpath(posixpath.join(posixpath.dirname(origin), unquote(path)))
        if target in self.uris:
            return self._relative(self.uris[target]) + mark + place
        dropped = not (REPOSITORY / 'scripts/examples.txt').exists() and not (REPOSITORY / target).exists()
        return None if dropped else link  # MkDocs reports it

    def reference(self, code: str) -> str | None:
        """Returns the link to what a binding such as `orders.Balanced.power = 0.5` binds; None if unknown."""
        selector = SELECTOR.match(code)
        place = self.references.get(selector[1]) if selector and self._origin() else None
        return place and self._relative(place)

    def _origin(self) -> str | None:
        """Returns the path of the file that the page shows; None for a page that exists on the site alone."""
        return next((path for path, uri in self.uris.items() if uri == self.page), None)

    def _relative(self, uri: str) -> str:
        return posixpath.relpath(uri, posixpath.dirname(self.page) or '.')


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
        self._refer(root)

    def _refer(self, parent: Element) -> None:
        """Links what code names to the reference."""
        for place, child in enumerate(parent):
            link = self._router.reference(child.text or '') if child.tag == 'code' else None
            if link:
                parent[place] = _linked(child, link)
            elif child.tag not in UNLINKED:
                self._refer(child)


def _linked(element: Element, link: str) -> Element:
    """Returns a link that takes the place of an element, around it."""
    around = Element('a', href=link)
    around.tail, element.tail = element.tail, None
    around.append(element)
    return around


def _set(element: Element, attribute: str, value: str | None) -> None:
    if value is not None:
        element.set(attribute, value)
    else:
        element.tag = 'span'  # its text stays
        del element.attrib[attribute]


def _show_bars(cell: Element) -> None:
    for code in cell.iter('code'):
        code.text = type(code.text or '')((code.text or '').replace('\\|', '|'))
