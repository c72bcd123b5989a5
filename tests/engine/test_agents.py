"""AGENTS.md: its commands work, and answers, exit codes, files and folders are as it says.

test_documents.py holds that programs accept the commands, and that links lead somewhere.
"""

import importlib
import json
import re
import shlex
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from engine import errors
from engine.workspace import REPOSITORY
from tests.conftest import Program
from tests.engine.test_readme import blocks

PAGE = (REPOSITORY / 'AGENTS.md').read_text(encoding='utf-8')
PROGRAM = re.compile(r'-m engine\.commands\.(\w+) ')
COMMANDS = [
    line
    for language, text, _ in blocks(PAGE)
    if language == 'sh'
    for line in text.splitlines()
    if line.strip()
]
SHELL = {'scripts/test.sh', 'scripts/pipeline.sh'}  # no programs of the engine, but scripts that call some
ROWS = [
    [cell.strip() for cell in line.strip('|').split('|')]
    for line in PAGE.splitlines()
    if line.startswith('| ')
]
EXIT_CODES = {
    'finished': errors.EXIT_FINISHED,
    'failed': errors.EXIT_FAILED,
    'a mistake': errors.EXIT_MISTAKE,
    'interrupted': errors.EXIT_INTERRUPTED,
}


def script(line: str) -> str:
    return shlex.split(line, comments=True)[0]


def program_of(path: str) -> str:
    """Returns the program that a script runs."""
    found = PROGRAM.search((REPOSITORY / path).read_text(encoding='utf-8'))
    assert found, path
    return found[1]


def arguments(line: str, **places: object) -> list[str]:
    """Returns the arguments of a command, with things in place of '<name>'."""
    for name, value in places.items():
        line = line.replace(f'<{name}>', str(value))
    return shlex.split(line, comments=True)[1:]


def test_the_page_has_commands_of_most_programs() -> None:
    assert len({script(line) for line in COMMANDS}) >= 14
    assert len(PAGE.splitlines()) <= 120  # one page


def test_every_block_holds_commands() -> None:
    assert {language for language, *_ in blocks(PAGE)} == {'sh'}
    assert all(line.startswith('scripts/') for line in COMMANDS)


@pytest.mark.parametrize('line', COMMANDS, ids=lambda line: line.partition('  ')[0])
def test_every_program_answers_in_json(line: str) -> None:
    if script(line) not in SHELL:
        parser = importlib.import_module(f'engine.commands.{program_of(script(line))}').parser()
        assert '--json' in parser.format_help()


def paths() -> Iterator[str]:
    """Yields the files and folders that the page names in code."""
    for code in re.findall(r'`([^`\n]+)`', PAGE):
        name = code.split()[0]
        if re.fullmatch(r'[\w./-]+', name) and re.match(
            r'(configs|data|research|engine|scripts|docs|tests)/', name
        ):
            yield name


@pytest.mark.parametrize('path', sorted({*paths()}))
def test_paths_exist(path: str) -> None:
    # Folders that a project makes when it needs them are owned in WORKSPACE.md.
    owned = (REPOSITORY / 'WORKSPACE.md').read_text(encoding='utf-8')
    assert (REPOSITORY / path).exists() or f'| `{path}` | yours |' in owned


def test_exit_codes() -> None:
    listed = {means: int(code) for code, means, *_ in (row for row in ROWS if row[0].isdecimal())}
    assert len(listed) == len(EXIT_CODES)
    for start, code in EXIT_CODES.items():
        assert [value for means, value in listed.items() if means.startswith(start)] == [code]


def test_the_files_of_a_run_exist(trained: Path) -> None:
    section = PAGE.partition('## A run folder')[2]
    names = [name for name in re.findall(r'`([\w./-]+)`', section) if name != 'uncommitted.diff']
    assert len(names) >= 6
    assert [name for name in names if not (trained / name).exists()] == []


# --- the commands at work


def answers(line: str) -> list[str]:
    """Returns the names that the page lists for the answer of a command."""
    command = next(row for row in ROWS if row[0] == f'`{line}`')
    return re.findall(r'`(\w+)`', command[1])


def named(document: Any) -> set[str]:
    """Returns all names in a JSON document."""
    if isinstance(document, dict):
        return {*document}.union(*map(named, document.values()))
    return set().union(*map(named, document)) if isinstance(document, list) else set()


@pytest.fixture
def place(
    trained: Path, workspace: Path, tmp_path: Path, config_file: Callable[..., Path]
) -> Iterator[Callable[[str], list[str]]]:
    """Fills the names of a command: a run of the workspace, another one, a config."""
    home = workspace / 'runs' / tmp_path.name
    for name in ('run', 'other'):
        shutil.copytree(trained, home / name)
    config = config_file()

    def fill(line: str) -> list[str]:
        line = line.replace('configs/<name>.gin', str(config))
        places = {name: home / name for name in ('run', 'other', 'new')}
        return arguments(line, **places, dataset='digits/toy', model=tmp_path.name)

    yield fill
    shutil.rmtree(home)


def check(line: str, place: Callable[[str], list[str]], program: Program) -> None:
    """Runs a command, as a person and as a program would read it."""
    name, given = program_of(script(line)), place(line)
    code, out, err = program(name, *given, '--json')
    assert code == 0, err
    document = json.loads(out)
    for row in ROWS:
        listed = row[0].strip('`').split()
        if listed[0] == script(line) and {*listed[1:]} == {'--dry_run'} & {*given}:
            assert {*answers(' '.join(listed))} <= named(document), row


QUICK = ('scripts/runs.sh ', 'scripts/check_outputs.sh ', 'scripts/dataset.sh check ')
SLOW = tuple(
    f'scripts/{name}.sh '
    for name in ('train', 'check', 'verify', 'predict', 'eval', 'compare', 'logs', 'release')
)


@pytest.mark.parametrize('line', [line for line in COMMANDS if line.startswith(QUICK)])
def test_a_command_works(line: str, place: Callable[[str], list[str]], program: Program) -> None:
    check(line, place, program)


@pytest.mark.slow
@pytest.mark.parametrize('line', [line for line in COMMANDS if line.startswith(SLOW)])
def test_a_longer_command_works(line: str, place: Callable[[str], list[str]], program: Program) -> None:
    check(line, place, program)


def test_the_answers_that_the_page_lists_belong_to_commands_of_the_page() -> None:
    listed = {row[0].strip('`').split()[0] for row in ROWS if row[0].startswith('`scripts/')}
    assert len(listed) >= 6
    assert listed <= {script(line) for line in COMMANDS}
