"""Files that pages link to and that are no pages themselves: code and configs are shown as they are."""

import posixpath
import re
from pathlib import Path
from urllib.parse import unquote

from docs.generator import repository_pages
from engine.workspace import REPOSITORY

LINK = re.compile(r'(?:\]\(|^\[[^\]]+\]: *)(?!\w+:|#)([^)#\s]+)', re.MULTILINE)
LANGUAGES = {'.py': 'python', '.sbatch': 'sh'}  # others are called as the suffix
BY_NAME = {'Dockerfile': 'docker'}
PICTURES = {'.svg', '.html'}  # texts that a browser shows better
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
    paths = {posixpath.normpath(posixpath.join(folder, unquote(link))) for link in links}
    return {path for path in paths if not path.startswith(('docs/', '..'))}


def is_page(path: str) -> bool:
    """Whether a page shows a file: that of a folder and of a text. Others, such as pictures, are copied."""
    file = REPOSITORY / path
    return file.is_dir() or (file.suffix not in PICTURES and _text(file) is not None)


def uri(path: str) -> str:
    """Returns the page that shows a file or a folder, or the copy of a file that is no text."""
    return f'files/{path}.md' if is_page(path) else f'files/{path}'


def markdown(path: str) -> str:
    """Returns the page that shows a text, or the names of a folder's files."""
    file = REPOSITORY / path
    shown = _names(file) if file.is_dir() else _code(file)
    return f'{NOT_SEARCHED}# {path}\n\n{shown}\n'


def _names(folder: Path) -> str:
    files = sorted(file.name for file in folder.iterdir() if not file.name.startswith(('.', '__pycache__')))
    return '\n'.join(f'- `{name}`' for name in files)


def _code(file: Path) -> str:
    language = BY_NAME.get(file.name) or LANGUAGES.get(file.suffix) or file.suffix[1:] or 'text'
    return f'{FENCE}{language}\n{(_text(file) or "").rstrip()}\n{FENCE}'


def _text(file: Path) -> str | None:
    """Returns the text of a file; None if it is no text."""
    try:
        return file.read_text(encoding='utf-8')
    except UnicodeDecodeError:
        return None
