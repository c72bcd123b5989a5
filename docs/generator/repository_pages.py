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
      rank: how much its words count in the search; 1 as in other pages.
    """

    path: str
    uri: str
    rank: float = 1.0

    def markdown(self) -> str:
        """Returns its text."""
        text = (REPOSITORY / self.path).read_text(encoding='utf-8')
        shown = _notebook(text) if self.path.endswith('.ipynb') else text
        return with_rank(shown, self.rank)


PAGES = (
    RepositoryPage('README.md', 'overview.md'),
    RepositoryPage('WORKSPACE.md', 'workspace.md'),
    RepositoryPage('AGENTS.md', 'agents.md'),
    RepositoryPage('CONTRIBUTING.md', 'contributing.md'),
    RepositoryPage('CHANGELOG.md', 'changelog.md', rank=0.2),
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


def with_rank(text: str, rank: float) -> str:
    """Returns a page whose words count more or less in the search than those of others."""
    return text if rank == 1 else f'---\nsearch:\n  boost: {rank}\n---\n\n{text}'


def _notebook(text: str) -> str:
    """Returns the cells of a notebook as Markdown, without their outputs."""
    return '\n\n'.join(map(_cell, json.loads(text)['cells']))


def _cell(cell: dict[str, str | list[str]]) -> str:
    source = ''.join(cell['source'])
    return f'```python\n{source}\n```' if cell['cell_type'] == 'code' else source
