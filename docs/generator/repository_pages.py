"""Documents outside docs/ that are pages of the site too."""

import json
from dataclasses import dataclass

from engine.workspace import REPOSITORY


@dataclass(frozen=True)
class RepositoryPage:
    """A document outside docs/.

    Attributes:
      path: in the repository.
      uri: of the page, as if it were a file of docs/.
    """

    path: str
    uri: str

    def markdown(self) -> str:
        """Returns its text."""
        text = (REPOSITORY / self.path).read_text(encoding='utf-8')
        return _notebook(text) if self.path.endswith('.ipynb') else text


PAGES = (
    RepositoryPage('README.md', 'overview.md'),
    RepositoryPage('WORKSPACE.md', 'workspace.md'),
    RepositoryPage('AGENTS.md', 'agents.md'),
    RepositoryPage('CONTRIBUTING.md', 'contributing.md'),
    RepositoryPage('CHANGELOG.md', 'changelog.md'),
    RepositoryPage('benchmarks/README.md', 'benchmarks.md'),
    RepositoryPage('playground/first_steps.ipynb', 'notebook.md'),
)


def present() -> list[RepositoryPage]:
    """Returns the documents that exist: a project may have dropped the examples."""
    return [page for page in PAGES if (REPOSITORY / page.path).is_file()]


def uris() -> dict[str, str]:
    """Returns the pages by the paths that links name: a file, or its folder."""
    pages = {page.path: page.uri for page in present()}
    folders = {path.rpartition('/')[0]: uri for path, uri in pages.items() if '/' in path}
    return pages | folders


def _notebook(text: str) -> str:
    """Returns the cells of a notebook as Markdown, without their outputs."""
    return '\n\n'.join(map(_cell, json.loads(text)['cells']))


def _cell(cell: dict[str, str | list[str]]) -> str:
    source = ''.join(cell['source'])
    return f'```python\n{source}\n```' if cell['cell_type'] == 'code' else source
