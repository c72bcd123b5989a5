"""The documentation as a site: it is built without a warning, is complete, and opens from the disk."""

import html
import inspect
import os
import re
import subprocess
import sys
from collections import Counter
from importlib import import_module
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urldefrag

import pytest
from markdown_it import MarkdownIt

from docs.generator import navigation, reference, repository_pages
from docs.generator.docstrings import parameters
from engine.config import bindable
from engine.workspace import REPOSITORY
from tests.engine.test_documents import DOCUMENTS, IS_TEMPLATE, OF_TEMPLATE, named
from tests.test_configs import CONFIGS, bindings

PAGES = {'docs/README.md': 'index', 'docs/recipes/README.md': 'recipes/index'} | {
    page.path: page.uri.removesuffix('.md') for page in repository_pages.present()
}
LINK = re.compile(r'<(?:a|img|link|script)\b[^>]*?\b(?:href|src)="?([^">\s]+)')
LOADED_FROM_NETWORK = re.compile(
    r'<(?:img|script|iframe)\b[^>]*?\bsrc="?(?:https?:)?//'
    r'|<link\b[^>]*?rel="?(?:stylesheet|preconnect|icon)\b[^>]*?href="?(?:https?:)?//'
)
SHOWN = ('h1', 'h2', 'h3', 'h4', 'table', 'tr', 'li', 'pre', 'img')  # what a reader counts
SIZES = {'window': 1280, 'phone': 390}  # pixels


@pytest.fixture(scope='module')
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp('site')
    done = call('build', f'--site-dir={folder}')
    assert done.returncode == 0, done.stderr
    assert not re.search('WARNING|ERROR', done.stdout + done.stderr), done.stderr
    return folder


def call(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ['bash', str(REPOSITORY / 'scripts/docs.sh'), *arguments],
        env=os.environ | {'ENV': 'existing', 'PYTHON': sys.executable},
        capture_output=True,
        text=True,
        check=False,
    )


def test_an_unknown_command_is_refused() -> None:
    done = call('bulid')
    assert (done.returncode, done.stdout) == (2, '')
    assert done.stderr.startswith("error: 'bulid' is unknown: scripts/docs.sh builds the site")


def test_help_names_the_commands() -> None:
    done = call('--help')
    assert done.returncode == 0
    assert 'scripts/docs.sh serve' in done.stdout and '#' not in done.stdout


def page_of(document: Path) -> str:
    """Returns the file of the site that shows a document."""
    name = named(document)
    return PAGES.get(name, name.removeprefix('docs/').removesuffix('.md')) + '.html'


def article(text: str) -> str:
    """Returns what a page of the site shows, without what surrounds it."""
    return text[text.index('<article') : text.index('</article>')]


def counts(text: str) -> Counter[str]:
    return Counter(tag for tag in re.findall(r'<(\w+)[ >]', text) if tag in SHOWN)


@pytest.mark.parametrize('document', OF_TEMPLATE, ids=named)
def test_a_document_is_shown_as_github_shows_it(document: Path, site: Path) -> None:
    """The two read Markdown differently: lists without a blank line, nested lists, bars in tables."""
    on_github = MarkdownIt('commonmark').enable('table').render(document.read_text(encoding='utf-8'))
    on_site = article((site / page_of(document)).read_text(encoding='utf-8'))
    assert counts(on_site) == counts(on_github)
    assert '\\|' not in on_site


def test_every_page_is_in_the_navigation(site: Path) -> None:
    index = (site / 'index.html').read_text(encoding='utf-8')
    pages = {page_of(document) for document in DOCUMENTS} | {
        uri.replace('.md', '.html') for uri in reference.pages()
    }
    links = set(LINK.findall(index))
    assert {page for page in pages if page != 'index.html' and page not in links} == set()


def test_the_template_gives_each_page_its_place(site: Path) -> None:
    if IS_TEMPLATE:  # a project adds pages without a place
        assert navigation.OWN_PAGES not in (site / 'index.html').read_text(encoding='utf-8')


def test_bindings_lead_to_the_reference(site: Path) -> None:
    page = (site / 'optimizers.html').read_text(encoding='utf-8')
    link = 'href="reference/optimizers.html#engine.parts.optimizers.Groups"'
    assert f'<a {link}><code>optimizers.Groups' in page


def test_links_lead_to_pages_and_places(site: Path) -> None:
    files = {path: path.read_text(encoding='utf-8') for path in site.rglob('*.html')}
    del files[site / '404.html']  # its links begin at the root of a server
    places = {path: {*re.findall(r'\bid="?([^">\s]+)', text)} for path, text in files.items()}
    for path, text in files.items():
        for link in map(html.unescape, LINK.findall(text)):
            if re.match(r'(https?|mailto|data):', link):
                continue
            name, place = urldefrag(link)
            target = (path.parent / unquote(name)).resolve() if name else path
            assert target.is_file(), (path, link)
            assert not place or target not in places or unquote(place) in places[target], (path, link)


def test_nothing_comes_from_a_network(site: Path) -> None:
    for path in (*site.rglob('*.html'), *site.rglob('*.css')):
        text = path.read_text(encoding='utf-8')
        assert LOADED_FROM_NETWORK.findall(text) == [], path
        assert re.findall(r'url\((?:https?:)?//[^)]+|@import', text) == [], path


def target(name: str) -> Any:
    module, _, attribute = name.rpartition('.')
    return getattr(import_module(module), attribute)


def sections(site: Path) -> dict[str, str]:
    """Returns what the reference says of each object, by the name that a config writes."""
    parts = {}
    for uri in reference.pages():
        text = article((site / uri.replace('.md', '.html')).read_text(encoding='utf-8'))
        heads = re.split(r'<h3 id="([^"]+)" class="doc doc-heading">', text)
        parts |= dict(zip(heads[1::2], heads[2::2], strict=True))
    return parts


BOUND = [name for group in reference.GROUPS.values() if not group.shows_methods for name in group.objects]


@pytest.fixture(scope='module')
def documented(site: Path) -> dict[str, str]:
    return sections(site)


@pytest.mark.parametrize('name', [name for name in BOUND if inspect.isclass(target(name))])
def test_the_reference_has_all_parameters(name: str, documented: dict[str, str]) -> None:
    rows = re.findall(r'<h4 id="[\w.]+\(\**(\w+)\)"', documented[name])
    wanted = bindable.signature(target(name)).parameters.keys()
    assert sorted(rows) == sorted(wanted - {'args', 'kwargs'})  # of a class without a constructor


@pytest.mark.parametrize('name', [name for name in BOUND if inspect.isclass(target(name))])
def test_the_reference_shows_what_docstrings_say(name: str, documented: dict[str, str]) -> None:
    shown = words(html.unescape(re.sub('<[^>]*>', '', documented[name])))
    for entry in parameters(inspect.getdoc(target(name)) or '').values():
        assert words(entry.partition(': ')[2].replace('`', '')) in shown


def test_examples_of_docstrings_are_code(documented: dict[str, str]) -> None:
    assert not any('<blockquote' in section for section in documented.values())
    assert '<span class="gp">&gt;&gt;&gt; </span>' in documented['engine.parts.crops.Crops']


def words(text: str) -> str:
    return ' '.join(text.split())


def test_what_configs_bind_is_in_the_reference(documented: dict[str, str]) -> None:
    listed = {target(name) for name in documented if not name.startswith('engine.interfaces')}
    bound = {binding.target for path in CONFIGS for binding in bindings(path) if binding.target}
    ours = {target for target in bound if target.__module__.startswith(('engine.', 'research.'))}
    assert ours <= listed
    assert {target for target in ours if target.__module__.startswith('research.')}


@pytest.mark.parametrize(
    ('page', 'size', 'scheme'),
    [
        ('index', 'window', 'light'),
        ('workspace', 'phone', 'dark'),
        ('outputs', 'phone', 'light'),
        ('reference/trainer', 'window', 'dark'),
        ('reference/trainer', 'phone', 'light'),
        ('architecture', 'window', 'light'),
    ],
)
def test_a_page_opens_from_the_disk(page: str, size: str, scheme: str, site: Path, show: Any) -> None:
    opened = show(site / f'{page}.html', width=SIZES[size], color_scheme=scheme)
    assert opened.complaints == []
    assert all(url.startswith((site.as_uri(), 'data:')) for url in opened.requests)
    assert opened.page.locator('h1').count() == 1
    shown, inner = opened.page.evaluate('[document.documentElement.scrollWidth, innerWidth]')
    assert shown <= inner


@pytest.mark.parametrize(
    ('size', 'query', 'found'),
    [('window', 'evaluate_every', 'reference/trainer.html'), ('phone', 'sweep.sh', 'sweeps.html')],
)
def test_the_search_finds_pages_from_the_disk(
    size: str, query: str, found: str, site: Path, show: Any
) -> None:
    opened = show(site / 'scaling.html', width=SIZES[size])
    if size == 'phone':
        opened.page.locator('label[for=__search]:visible').first.click()
    opened.page.locator('input[name=query]').press_sequentially(query)
    first = opened.page.locator('.md-search-result__link').first
    first.wait_for(timeout=10_000)
    assert found in (first.get_attribute('href') or '')
    assert opened.complaints == []
