"""The documents name files that exist."""

import re
from pathlib import Path

import pytest

from engine.workspace import REPOSITORY

DOCUMENTS = [
    *(REPOSITORY / name for name in ('README.md', 'WORKSPACE.md', 'CONTRIBUTING.md', 'CHANGELOG.md')),
    *sorted((REPOSITORY / 'docs').glob('*.md')),
    REPOSITORY / 'benchmarks/README.md',
]
# Files of the template. A name with `<` or `*` stands for several.
FILE = re.compile(r'(?<![\w/.-])((?:engine|scripts|docs|benchmarks|tests/engine)/[\w./-]*\w/?)(?![\w<*])')
LINK = re.compile(r'\]\((?!https?:)([^)#]+)')


def named(path: Path) -> str:
    return path.relative_to(REPOSITORY).as_posix()


@pytest.mark.parametrize('document', DOCUMENTS, ids=named)
def test_files_that_a_document_names_exist(document: Path) -> None:
    names = set(FILE.findall(document.read_text(encoding='utf-8')))
    assert {name for name in names if not (REPOSITORY / name).exists()} == set()


@pytest.mark.parametrize('document', DOCUMENTS, ids=named)
def test_links_of_a_document_lead_to_files(document: Path) -> None:
    links = set(LINK.findall(document.read_text(encoding='utf-8')))
    assert {link for link in links if not (document.parent / link).exists()} == set()
