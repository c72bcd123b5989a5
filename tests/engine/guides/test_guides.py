"""The guides of docs/ work as they are written."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from engine.forks.repository import Repository
from engine.workspace import REPOSITORY
from tests.engine.forks.conftest import IDENTITY, committed_template
from tests.engine.guides.guide import PYTHON, SHELL, Block, Guide, guides, missing
from tests.engine.test_readme import clone

FILES = {block.path: block.text for guide in guides() for block in guide.blocks if block.path}
TRAINED = 'leaves or skipnet_robust or worst_class or coast.gin'  # with what they include
OF_PHOTOGRAPHS = ('own-dataset', 'project')
QUICK_TO_COMPILE = '--xla_backend_optimization_level=0 --xla_llvm_disable_expensive_passes=true'
NOT_OF_A_READER = {'WORKSPACE', 'GIT_CONFIG_GLOBAL'}  # variables of the tests
START = 'set -euo pipefail\nexec 2>&1\n'


INDEX = (REPOSITORY / 'docs/README.md').read_text(encoding='utf-8')


def counts(guide: Guide) -> tuple[int, int]:
    """Returns the number of commands that a reader types, and of lines in files that they write."""
    typed = [block.text.replace('\\\n', '') for block in guide.blocks if block.language == SHELL]
    commands = sum(not line.startswith((' ', 'done')) for text in typed for line in text.splitlines())
    return commands, sum(block.text.count('\n') for block in guide.blocks if block.path)


@pytest.mark.parametrize('guide', guides(), ids=lambda guide: guide.name)
def test_the_index_counts_what_a_reader_types(guide: Guide) -> None:
    commands, lines = counts(guide)
    assert f']({guide.name}.md) | {commands} | {lines} |\n' in INDEX


def test_the_page_of_a_project_counts_what_a_reader_types() -> None:
    commands, lines = counts(Guide('project'))
    assert f'You type {commands} commands and write {lines} lines' in Guide('project').text


def environment(home: Path, **more: str) -> dict[str, str]:
    """Returns the variables of a reader whose home is a folder."""
    (home / '.gitconfig').write_text(IDENTITY)
    others = {name: value for name, value in os.environ.items() if name not in NOT_OF_A_READER}
    return (
        others | {'HOME': str(home), 'ENV': 'existing', 'PYTHON': sys.executable, 'MPLBACKEND': 'agg'} | more
    )


def test_the_files_pass_the_tests_of_a_project(tmp_path: Path) -> None:
    """Each config opens with what it is. Those that need the others train for three steps."""
    home = tmp_path / 'ada'
    root = clone(home / 'template')
    for path, text in FILES.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text, encoding='utf-8')
    variables = environment(home, XLA_FLAGS=QUICK_TO_COMPILE, PYTHONPATH=str(root))
    for guide in map(Guide, OF_PHOTOGRAPHS):
        (photographs,) = [block.text for block in guide.blocks if not block.path and block.language == PYTHON]
        subprocess.run([sys.executable, '-c', photographs], env=variables, check=True)
    tests = ['tests/test_configs.py', *(path for path in FILES if path.startswith('tests/'))]
    chosen = f'({TRAINED} or opens or test_skipnet) and not debug'
    done = subprocess.run(
        [sys.executable, '-m', 'pytest', '-n0', *tests, '-k', chosen],
        cwd=root,
        env=variables,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def script(block: Block) -> str:
    """Returns the commands of a shell that do with a block what a reader does."""
    if block.path:
        made = f"mkdir -p '{Path(block.path).parent}'\n"
        return f"{made}cat >'{block.path}' <<'END OF FILE'\n{block.text}END OF FILE\n"
    if block.language == PYTHON:
        return f'"$PYTHON" - <<\'END OF PYTHON\'\n{block.text}END OF PYTHON\n'
    return f'{block.text}(( $? == 0 ))\n' if block.language == SHELL else ''


def sections(output: str) -> dict[int, str]:
    """Returns what each block has printed, by its line."""
    parts = re.split(r'^--- block in line (\d+)\n', output, flags=re.MULTILINE)
    return {int(line): text for line, text in zip(parts[1::2], parts[2::2], strict=True)}


@pytest.fixture(scope='module')
def reader(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, str]]:
    """The home of a reader who has cloned the template, and their variables."""
    home = tmp_path_factory.mktemp('home') / 'ada'
    home.mkdir()
    variables = environment(home)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv('GIT_CONFIG_GLOBAL', str(home / '.gitconfig'))
        committed_template(home)
        Repository(home / 'template').git('branch', '--move', '--force', 'main')
    (home / 'where').write_text(str(home / 'template'))
    return home, variables


@pytest.mark.slow
@pytest.mark.parametrize('guide', guides(), ids=lambda guide: guide.name)
def test_a_guide_as_it_is_written(guide: Guide, reader: tuple[Path, dict[str, str]]) -> None:
    """One guide after the other, by the scripts. What is shown is what is printed, but for numbers."""
    home, variables = reader
    parts = [f'echo "--- block in line {block.line}"\n{script(block)}' for block in guide.blocks]
    done = subprocess.run(
        ['bash', '-c', f'{START}{"".join(parts)}pwd >"$HOME/where"\n'],
        cwd=(home / 'where').read_text().strip(),
        env=variables,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        text=True,
        check=False,
    )
    printed = done.stdout.replace(str(home.parent), '/home')
    assert done.returncode == 0, printed
    outputs = sections(printed)
    lacking = {line: missing(text, outputs[line]) for line, text in guide.shown.items()}
    lacking = {line: lines for line, lines in lacking.items() if lines}
    assert not lacking, '\n'.join(f'line {line} prints\n{outputs[line]}' for line in lacking)
