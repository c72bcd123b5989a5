"""What the site has beside the files of docs/. MkDocs calls these functions: https://www.mkdocs.org/user-guide/configuration/#hooks."""

import tomllib

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.livereload import LiveReloadServer
from mkdocs.structure.files import File, Files, InclusionLevel
from mkdocs.structure.pages import Page

from docs.generator import linked_files, navigation, reference, repository_pages
from docs.generator.links import LinkExtension, Router
from engine.workspace import REPOSITORY

_router = Router()


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Names the site after the project, and adapts the navigation to the pages that exist."""
    project = tomllib.loads((REPOSITORY / 'pyproject.toml').read_text(encoding='utf-8'))['project']
    config.site_name = project['name']
    config.nav = navigation.with_own_pages(navigation.without_missing(config.nav or []))
    config.markdown_extensions.append(LinkExtension(_router))  # type: ignore[arg-type] (an instance will do)
    return config


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Adds the pages outside docs/, the reference, and a page for each other file that a page links to."""
    for page in repository_pages.present():
        files.append(File.generated(config, page.uri, content=page.markdown()))
    for uri, text in reference.pages().items():
        files.append(File.generated(config, uri, content=text))
    for path in linked_files.find():
        files.append(_linked(path, config))
    _router.uris = {f'docs/{file.src_uri}': file.src_uri for file in files if not file.generated_by}
    _router.uris |= repository_pages.uris() | {path: linked_files.uri(path) for path in linked_files.find()}
    _router.references = reference.places()
    return files


def _linked(path: str, config: MkDocsConfig) -> File:
    """Returns the page that shows a file of the repository, or a copy of the file."""
    uri, outside = linked_files.uri(path), InclusionLevel.NOT_IN_NAV
    if linked_files.is_page(path):
        return File.generated(config, uri, content=linked_files.markdown(path), inclusion=outside)
    return File.generated(config, uri, abs_src_path=str(REPOSITORY / path), inclusion=outside)


def on_page_markdown(markdown: str, page: Page, **_: object) -> str:
    """Tells the links which page is rendered next."""
    _router.page = page.file.src_uri
    return markdown


def on_serve(server: LiveReloadServer, **_: object) -> LiveReloadServer:
    """Watches what the site shows of the rest of the repository."""
    for path in (*(page.path for page in repository_pages.present()), 'engine', 'research'):
        server.watch(str(REPOSITORY / path))
    return server
