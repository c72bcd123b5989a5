"""The code blocks of README.md run, in order, in a copy of the repository.

Blocks marked `sh`, `bash` and `python` form one script: later blocks see the variables of earlier ones.
Blocks marked `gin` are configs that must parse. Blocks marked `text` show the expected output.
"""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from engine.config.config import Config
from engine.workspace import REPOSITORY

FENCE = re.compile(r'^```(\w*)\n(.*?)^```$', re.MULTILINE | re.DOTALL)
SHELL, PYTHON, GIN, SHOWN = {'sh', 'bash'}, {'python'}, {'gin'}, {'text'}


def blocks(readme: str) -> list[tuple[str, str, int]]:
    """Returns (language, text, line) of each fenced block."""
    return [
        (block[1], block[2], readme.count('\n', 0, block.start()) + 1) for block in FENCE.finditer(readme)
    ]


def script(readme: str) -> str:
    """Returns the blocks to run as one shell script, which prints the line of each block before it starts."""
    parts = ['set -euo pipefail\nexec 2>&1\n']
    for language, text, line in blocks(readme):
        if language in PYTHON:
            text = f'"$PYTHON" - <<\'END OF PYTHON\'\n{text}END OF PYTHON\n'
        if language in SHELL | PYTHON:
            # The last line notices `false && true`, which `set -e` forgives.
            parts.append(f"echo '--- block in line {line}'\n{text}(( $? == 0 ))\n")
    return ''.join(parts)


def execute(readme: str, folder: Path) -> tuple[int, str]:
    """Runs a README's blocks in `folder`, by the Python that runs the tests; returns exit code and output."""
    environment = os.environ | {'ENV': 'existing', 'PYTHON': sys.executable, 'MPLBACKEND': 'agg'}
    done = subprocess.run(
        ['bash', '-c', script(readme)],
        cwd=folder,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        text=True,
        check=False,
    )
    return done.returncode, done.stdout


def clone(folder: Path) -> Path:
    """Copies the files that a clone would hold, uncommitted ones too."""
    listed = ['git', 'ls-files', '--cached', '--others', '--exclude-standard', '-z']
    files = subprocess.run(listed, cwd=REPOSITORY, capture_output=True, text=True, check=True).stdout
    for file in filter(None, files.split('\0')):
        if (REPOSITORY / file).is_file():  # it may have been deleted since the last commit
            (folder / file).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(REPOSITORY / file, folder / file)
    return folder


README = (REPOSITORY / 'README.md').read_text(encoding='utf-8')


def test_every_block_says_what_it_is() -> None:
    """Blocks in other languages would never run."""
    marks = {language for language, *_ in blocks(README)}
    assert marks & SHELL
    assert marks <= SHELL | PYTHON | GIN | SHOWN
    assert len(blocks(README)) * 2 == README.count('```')


def test_the_commands_of_the_readme_work(tmp_path: Path) -> None:
    code, output = execute(README, clone(tmp_path / 'clone'))
    assert code == 0, output


@pytest.mark.parametrize('text', [text for language, text, _ in blocks(README) if language in GIN])
def test_the_configs_of_the_readme_parse(text: str, tmp_path: Path) -> None:
    shutil.copytree(REPOSITORY / 'configs', tmp_path, dirs_exist_ok=True)  # for what it includes
    (tmp_path / 'readme.gin').write_text(text)
    Config([tmp_path / 'readme.gin'])


SMALL = """
```sh
GREETING=hello
```
```text
exit 1
```
```python
import sys
print(sys.executable)
```
```bash
echo "$GREETING again"
{line}
```
```sh
echo the end
```
"""


def test_blocks_run_in_order_and_share_variables(tmp_path: Path) -> None:
    code, output = execute(SMALL.format(line=''), tmp_path)
    assert code == 0, output
    shown = [line for line in output.splitlines() if not line.startswith('---')]
    assert shown == [sys.executable, 'hello again', 'the end']


@pytest.mark.parametrize('line', ['exit 3', 'false', 'false && true', 'echo "$UNSET"', 'no-such-command'])
def test_a_block_that_fails_is_noticed(line: str, tmp_path: Path) -> None:
    code, output = execute(SMALL.format(line=line), tmp_path)
    assert code != 0
    assert 'the end' not in output
    assert [line for line in output.splitlines() if line.startswith('---')][-1] == '--- block in line 12'


def test_a_python_block_that_fails_is_noticed(tmp_path: Path) -> None:
    code, output = execute('```python\n1 / 0\n```\n', tmp_path)
    assert (code, 'ZeroDivisionError' in output) == (1, True)
