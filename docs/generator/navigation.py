"""The navigation of the site: that of mkdocs.yml, adapted to the pages that a project has."""

from typing import Any

from docs.generator import reference, repository_pages
from engine.workspace import REPOSITORY

DOCS = REPOSITORY / 'docs'
OWN_PAGES = 'This project'  # the section of pages that mkdocs.yml does not name


def without_missing(nav: list[Any]) -> list[Any]:
    """Returns the navigation without pages whose source this project does not have, such as examples."""
    present = {*(page.uri for page in repository_pages.present()), *reference.pages()}
    examples = {page.uri for page in repository_pages.PAGES}
    examples |= {page for page in _pages(nav) if page.startswith(f'{reference.RESEARCH}/')}
    return _without(nav, examples - present)


def _without(entry: Any, missing: set[str]) -> Any:
    """Returns a part of the navigation without some pages, and without sections that they leave empty."""
    if isinstance(entry, list):
        return [kept for part in entry if (kept := _without(part, missing))]
    if isinstance(entry, dict):
        return {title: kept for title, part in entry.items() if (kept := _without(part, missing))}
    return None if entry in missing else entry


def with_own_pages(nav: list[Any]) -> list[Any]:
    """Returns the navigation, and after it the pages of docs/ and of research/ that it does not name."""
    pages = {path.relative_to(DOCS).as_posix() for path in DOCS.rglob('*.md')} | set(reference.pages())
    own = sorted(pages - set(_pages(nav)))
    return [*nav, {OWN_PAGES: own}] if own else nav


def _pages(entry: Any) -> list[str]:
    """Returns the pages that a part of the navigation names."""
    if isinstance(entry, str):
        return [entry]
    parts = entry.values() if isinstance(entry, dict) else entry
    return [page for part in parts for page in _pages(part)]
