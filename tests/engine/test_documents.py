"""The documents name files that exist, commands that programs accept, and configs that parse."""

import re
import shlex
import shutil
import tomllib
from functools import cache
from importlib import import_module
from itertools import takewhile
from pathlib import Path

import pytest

from docs.generator import repository_pages
from engine.commands.command_line import Parser
from engine.config.config import Config
from engine.forks.own_files import OWN_FILES
from engine.workspace import REPOSITORY

# What the template documents. A project's own pages have no place in mkdocs.yml; its README.md is its own.
NAVIGATION = (
    (REPOSITORY / 'mkdocs.yml').read_text(encoding='utf-8').partition('\nnav:')[2].partition('\ntheme:')[0]
)
PAGES = [REPOSITORY / 'docs' / page for page in re.findall(r'\S+\.md$', NAVIGATION, re.MULTILINE)]
OTHERS = [REPOSITORY / page.path for page in repository_pages.present() if page.path.endswith('.md')]
DOCUMENTS = [*OTHERS, *(page for page in PAGES if page.exists())]
IS_TEMPLATE = (
    tomllib.loads((REPOSITORY / 'pyproject.toml').read_text())['project']['name'] == 'jax-gin-template'
)
OWN = [] if IS_TEMPLATE else [REPOSITORY / name for name in OWN_FILES]
OF_TEMPLATE = [document for document in DOCUMENTS if document not in OWN]
# Files of the template. A name with `<` or `*` stands for several.
FILE = re.compile(r'(?<![\w/.-])((?:engine|scripts|docs|benchmarks|tests/engine)/[\w./-]*\w/?)(?![\w<*])')
LINK = re.compile(r'\]\((?!https?:)([^)#]+)')
FENCE = re.compile(r'^ *```(.*)\n((?:.*\n)*?) *```$', re.MULTILINE)
LANGUAGES = {'sh', 'python', 'gin', 'json', 'toml', 'text'}  # text is shown: it is not run
COMMAND = re.compile(r'^(?:\$ )?(?:[A-Z_]+=\S+ )*(scripts/\w+\.sh\b.*)', re.MULTILINE)
ASIDE = re.compile(r' {2,}(?!-).*')  # what a text says beside a command
SPAN = re.compile(r'`(scripts/\w+\.sh [^`]*)`')
REGISTRATION = 'from __gin__ import dynamic_registration'
SHELL_WORDS = {'|', '||', '&', '&&', ';', '>', '2>', '>>', '#'}  # what ends a command


def named(path: Path) -> str:
    return path.relative_to(REPOSITORY).as_posix()


def text_of(document: Path) -> str:
    return document.read_text(encoding='utf-8')


def blocks(document: Path, *languages: str) -> list[str]:
    return [text for language, text in FENCE.findall(text_of(document)) if language in languages]


@pytest.mark.parametrize('document', DOCUMENTS, ids=named)
def test_files_that_a_document_names_exist(document: Path) -> None:
    names = set(FILE.findall(text_of(document)))
    assert {name for name in names if not (REPOSITORY / name).exists()} == set()


@pytest.mark.parametrize('document', DOCUMENTS, ids=named)
def test_links_of_a_document_lead_to_files(document: Path) -> None:
    links = set(LINK.findall(text_of(document)))
    assert {link for link in links if not (document.parent / link).exists()} == set()


@pytest.mark.parametrize('document', DOCUMENTS, ids=named)
def test_no_link_needs_a_heading_of_a_file_that_projects_replace(document: Path) -> None:
    replaced = '|'.join(map(re.escape, OWN_FILES))
    assert re.findall(rf'\]\((?:\.\./)*(?:{replaced})#[^)]*', text_of(document)) == []


@pytest.mark.parametrize('document', OF_TEMPLATE, ids=named)
def test_every_block_names_its_language(document: Path) -> None:
    """A block in another language would never be tested."""
    fences = re.findall('^ *```', text_of(document), re.MULTILINE)
    assert {language for language, _ in FENCE.findall(text_of(document))} <= LANGUAGES
    assert len(fences) == 2 * len(FENCE.findall(text_of(document)))


@cache
def parser(script: str) -> Parser | None:
    """Returns the parser of a script's program; None if it is not a program of the engine."""
    module = re.search(
        r'exec .* -m engine\.commands\.(\w+)', (REPOSITORY / script).read_text(encoding='utf-8')
    )
    return import_module(f'engine.commands.{module[1]}').parser() if module else None


def commands(text: str) -> list[list[str]]:
    """Returns the words of each call of a script in a block.

    >>> commands('A=1 scripts/x.sh --a=b \\\\\\n  c | head')
    [['scripts/x.sh', '--a=b', 'c']]
    """
    lines = [ASIDE.sub('', line) for line in COMMAND.findall(text.replace('\\\n', ' '))]
    words = [shlex.split(line, comments=True) for line in lines]
    return [[*takewhile(lambda word: word not in SHELL_WORDS, line)] for line in words]


CALLS = [
    pytest.param(words, id=f'{named(document)}: {" ".join(words)}')
    for document in DOCUMENTS
    for block in blocks(document, 'sh', 'text')
    for words in commands(block)
    if '...' not in words
]


@pytest.mark.parametrize('words', CALLS)
def test_a_program_accepts_the_command_of_a_block(words: list[str]) -> None:
    script, *arguments = words
    known = parser(script)
    if known and '--help' not in arguments:
        known.parse_args(arguments)


def test_many_commands_are_found() -> None:
    assert len(CALLS) > 40


@pytest.mark.parametrize('document', DOCUMENTS, ids=named)
def test_flags_that_a_document_names_exist(document: Path) -> None:
    for span in SPAN.findall(text_of(document)):
        script, *words = span.split()
        known = parser(script)
        flags = [re.match(r'--\w+', word) for word in words]
        if known:
            unknown = {flag[0] for flag in flags if flag} - set(known._option_string_actions)
            assert not unknown, span


def has_modules_of_its_own(config: str) -> bool:
    """Whether a config needs a module or a config that only the document shows: other tests write it."""
    included = re.findall(r"^include '(.*)'", config, re.MULTILINE)
    if not all((REPOSITORY / 'configs' / name).exists() for name in included):
        return True
    modules = re.findall(r'^from (research[\w.]*) import (\w+)', config, re.MULTILINE)
    return not all(
        (REPOSITORY / module.replace('.', '/') / f'{name}.py').exists() for module, name in modules
    )


DOCUMENTED_CONFIGS = [
    pytest.param(block, id=f'{named(document)}: {block.count(chr(10))} lines from {block.splitlines()[0]}')
    for document in DOCUMENTS
    for block in blocks(document, 'gin')
    if not has_modules_of_its_own(block)
]


@pytest.mark.parametrize('text', DOCUMENTED_CONFIGS)
def test_a_config_of_a_document_parses(text: str, tmp_path: Path) -> None:
    shutil.copytree(REPOSITORY / 'configs', tmp_path, dirs_exist_ok=True)  # for what it includes
    (tmp_path / 'shown.gin').write_text(text if REGISTRATION in text else f'{REGISTRATION}\n{text}')
    Config([tmp_path / 'shown.gin'])


@pytest.mark.parametrize('document', OF_TEMPLATE, ids=named)
def test_programs_and_modules_of_a_document_are_tested(document: Path) -> None:
    """A test names the document, or its folder: it runs the code."""
    if not blocks(document, 'python', 'json') and not any(
        map(has_modules_of_its_own, blocks(document, 'gin'))
    ):
        return
    tests = [path for path in (REPOSITORY / 'tests').rglob('*.py') if path != Path(__file__)]
    texts = [path.read_text(encoding='utf-8') for path in tests]
    names = [f"'{named(document)}'", f"'{document.parent.relative_to(REPOSITORY)}'", f"'{document.stem}'"]
    assert any(name in text for name in names for text in texts)
