"""Files that pages link to and that are no pages themselves: code and configs are shown as they are."""

import posixpath
import re
from pathlib import Path

from docs.generator import repository_pages
from engine.workspace import REPOSITORY

LINK = re.compile(r'\]\((?!\w+:|#)([^)#\s]+)')
LANGUAGES = {  # by suffix
    '': 'docker',
    '.gin': 'gin',
    '.json': 'json',
    '.py': 'python',
    '.sbatch': 'sh',
    '.sh': 'sh',
    '.toml': 'toml',
}
NOT_SEARCHED = '---\nsearch:\n  exclude: true\n---\n\n'
FENCE = '`' * 6  # longer than any in the files


def find() -> tuple[str, ...]:
    """Returns the paths, in the repository, of the files and folders outside docs/ that pages link to."""
    pages = repository_pages.uris()
    documents = [*(REPOSITORY / 'docs').rglob('*.md'), *(REPOSITORY / path for path in pages)]
    targets = {target for document in documents if document.is_file() for target in _targets(document)}
    return tuple(sorted(path for path in targets - pages.keys() if (REPOSITORY / path).exists()))


def _targets(document: Path) -> set[str]:
    """Returns the paths outside docs/ that a document links to."""
    folder = document.relative_to(REPOSITORY).parent.as_posix()
    links = LINK.findall(document.read_text(encoding='utf-8'))
    paths = {posixpath.normpath(posixpath.join(folder, link)) for link in links}
    return {path for path in paths if not path.startswith(('docs/', '..'))}


def uri(path: str) -> str:
    """Returns the page that shows a file or a folder."""
    return f'files/{path}.md'


def markdown(path: str) -> str:
    """Returns the page that shows a file, or the names of a folder's files."""
    file = REPOSITORY / path
    shown = _names(file) if file.is_dir() else _code(file)
    return f'{NOT_SEARCHED}# {path}\n\n{shown}\n'


def _names(folder: Path) -> str:
    files = sorted(file.name for file in folder.iterdir() if not file.name.startswith(('.', '__pycache__')))
    return '\n'.join(f'- `{name}`' for name in files)


def _code(file: Path) -> str:
    text = file.read_text(encoding='utf-8').rstrip('\n')
    return f'{FENCE}{LANGUAGES.get(file.suffix, "text")}\n{text}\n{FENCE}'
