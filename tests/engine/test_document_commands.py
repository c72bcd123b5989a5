"""The commands of docs/ that need runs work as they are written: in a clone whose trainings are short.

docs/first-run.md and the other guides have tests of their own.
"""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.engine.forks.conftest import IDENTITY, committed_template
from tests.engine.forks.forked import commit_all
from tests.engine.guides.guide import GUIDES
from tests.engine.test_documents import FENCE, OF_TEMPLATE, blocks

FIRST = 'scripts/train.sh --gin_file=configs/digits_cnn.gin --run=workspace/runs/first\n'
SHORT = {'STEPS = 500 ': 'STEPS = 8 ', "'digits'": "'digits/toy'", 'BATCH_SIZE = 128 ': 'BATCH_SIZE = 8 '}
FEW = {'--trials=40': '--trials=2', ':log:27': ':log:3', 'SEED=0..4': 'SEED=0..1', '(100, 110)': '(2, 4)'}
# They need packages of their own, do not end, or the outputs of other frameworks.
ELSEWHERE = re.compile(r'.*(--environment=rebuild|--to=(?!tensorboard)|--watch|\.venv-eval|\bsklearn\b).*\n')
# In this order: the table of runs shows those of a sweep.
PAGES = ('sweeps', 'runs', 'reproducing', 'mirrors', 'performance')
# Tests of these run their commands: of README.md as a whole, of the others the programs that they name.
TESTED = ('README', 'AGENTS', 'CONTRIBUTING', 'outputs', 'releasing')


def test_the_commands_of_every_page_are_run() -> None:
    pages = {document.stem for document in OF_TEMPLATE if blocks(document, 'sh')}
    assert pages <= {*PAGES, *GUIDES, *TESTED}
    assert pages >= {*PAGES, *GUIDES}


def script(page: str, root: Path) -> str:
    """Returns the commands of a page, each with a line before it, for a shell that stops at a failure."""
    text = (root / f'docs/{page}.md').read_text(encoding='utf-8').replace('\\\n', ' ')
    commands = ''.join(block for language, block in FENCE.findall(text) if language == 'sh')
    for written, instead in FEW.items():
        commands = commands.replace(written, instead)
    return ELSEWHERE.sub('', commands)


@pytest.fixture(scope='module')
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A clone with one run, workspace/runs/first."""
    folder = tmp_path_factory.mktemp('walk')
    settings = folder / 'gitconfig'
    settings.write_text(IDENTITY)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv('GIT_CONFIG_GLOBAL', str(settings))
        repository = committed_template(folder)
        config = repository.root / 'configs/digits_cnn.gin'
        text = config.read_text()
        for written, instead in SHORT.items():
            assert written in text
            text = text.replace(written, instead)
        config.write_text(text)
        commit_all(repository)
    run(repository.root, FIRST)
    return repository.root


def run(root: Path, commands: str) -> str:
    variables = {name: value for name, value in os.environ.items() if name != 'WORKSPACE'}
    variables |= {'ENV': 'existing', 'PYTHON': sys.executable}
    done = subprocess.run(
        ['bash', '-exo', 'pipefail', '-c', f'exec 2>&1\n{commands}'],
        cwd=root,
        env=variables | {'GIT_CONFIG_GLOBAL': str(root.parent / 'gitconfig')},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    return done.stdout


@pytest.mark.slow
@pytest.mark.parametrize('page', PAGES)
def test_the_commands_of_a_page_work(page: str, root: Path) -> None:
    commands = script(page, root)
    assert len(re.findall('^scripts/', commands, re.MULTILINE)) >= 1
    run(root, commands)
