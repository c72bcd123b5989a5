"""docs/mirrors.md: its commands are those of the programs."""

import re
import shlex
from pathlib import Path

import pytest

from engine.commands import logs, mirror
from engine.mirrors import destinations
from engine.run_reader.watching import page
from engine.workspace import REPOSITORY
from tests.conftest import Program
from tests.engine.sample_runs import write_run

DOCUMENT = (REPOSITORY / 'docs/mirrors.md').read_text(encoding='utf-8')
COMMANDS = [
    shlex.split(line)
    for block in re.findall(r'^```sh\n(.*?)^```$', DOCUMENT, re.MULTILINE | re.DOTALL)
    for line in block.splitlines()
]


@pytest.mark.parametrize('command', COMMANDS, ids=' '.join)
def test_commands_parse(command: list[str]) -> None:
    program = {'scripts/mirror.sh': mirror, 'scripts/logs.sh': logs}[command[0]]
    program.parser().parse_args(command[1:])


def test_the_command_that_needs_no_package_works(program: Program, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setenv('WORKSPACE', str(tmp_path / 'workspace'))
    monkeypatch.chdir(tmp_path)
    write_run(tmp_path / 'workspace/runs/first')
    assert program('mirror', *COMMANDS[0][1:])[0] == 0
    assert list((tmp_path / 'workspace/mirrors/tensorboard/first').glob('events.*'))


def test_every_destination_is_described() -> None:
    rows = re.findall(r'^\| `(\w+)` \|', DOCUMENT, re.MULTILINE)
    assert rows == list(destinations.CLASSES)
    assert [flag for command in COMMANDS for flag in command if flag.startswith('--to')] == [
        f'--to={name}' for name in ('tensorboard', 'mlflow', 'wandb', 'visdom')
    ]


def test_seconds_are_those_of_the_page() -> None:
    assert f'after {page.STALE_SECONDS} seconds' in DOCUMENT
    assert 'every 5 seconds' in DOCUMENT and ', 5000)' in (REPOSITORY / 'engine/render/reload.js').read_text()
