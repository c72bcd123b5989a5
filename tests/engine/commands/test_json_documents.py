"""With `--json`, stdout holds one JSON document and nothing else; text and failures go to stderr."""

import argparse
import json
import math
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from engine.commands import command_line
from engine.commands.command_line import Parser
from engine.errors import RunError, UserError

Main = Callable[[argparse.Namespace], int]
End = Callable[..., tuple[object, str, str]]


@pytest.fixture
def end(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> End:
    """Runs a program with `--json`: end(main, *arguments) -> (exit code, stdout, stderr)."""

    def end(main: Main, *arguments: str) -> tuple[object, str, str]:
        parser = Parser('runs.sh', 'Lists.', '')
        parser.add_json_argument('the runs')
        monkeypatch.setattr(sys, 'argv', ['runs.py', *arguments])
        with pytest.raises(SystemExit) as ended:
            command_line.run(main, parser)
        out, err = capsys.readouterr()
        return ended.value.code, out, err

    return end


def test_text_goes_to_stderr_and_the_document_to_stdout(end: End) -> None:
    def main(_: argparse.Namespace) -> int:
        print('one moment')
        command_line.print_json({'value': 1})
        print('done')
        return 1

    code, out, err = end(main, '--json')
    assert (code, json.loads(out), err) == (1, {'value': 1}, 'one moment\ndone\n')


def test_without_the_flag_text_goes_to_stdout(end: End) -> None:
    def main(arguments: argparse.Namespace) -> int:
        print(arguments.json)
        return 0

    assert end(main) == (0, 'False\n', '')


@pytest.mark.parametrize(('error', 'code'), [(UserError, 2), (RunError, 1)])
def test_a_failure_keeps_its_code_and_its_message(error: type[Exception], code: int, end: End) -> None:
    def main(_: argparse.Namespace) -> int:
        print('before')
        raise error('no such run.')

    assert end(main, '--json') == (code, '', 'before\nerror: no such run.\n')


VALUES = {
    'nan': (math.nan, None),
    'infinity': (-math.inf, None),
    'nested': ({'a': [math.nan, 1.5]}, {'a': [None, 1.5]}),
    'number of NumPy': (np.float32(0.5), 0.5),
    'NaN of NumPy': (np.float64('nan'), None),
    'array': (np.array([[1, 2]]), [[1, 2]]),
    'truth': (np.bool_(True), True),
    'large': (2**60 + 1, 2**60 + 1),
    'path': (Path('a/b'), 'a/b'),
    'none': (None, None),
    'tuple': ((1, 'x'), [1, 'x']),
    'set': ({'b', 'a'}, ['a', 'b']),
    'keys': ({3: 'x'}, {'3': 'x'}),
    'escapes': ('\x1b[31m\u202e', '\x1b[31m\u202e'),
}


@pytest.mark.parametrize('name', VALUES)
def test_values_become_what_json_has(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    value, expected = VALUES[name]
    command_line.print_json(value)
    out = capsys.readouterr().out
    assert json.loads(out, parse_constant=lambda constant: pytest.fail(constant)) == expected
    assert out.isascii()
    assert '\x1b' not in out


def test_a_name_that_is_not_text_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    """A file name need not be UTF-8."""
    command_line.print_json({'run': '\udcff'})
    assert json.loads(capsys.readouterr().out) == {'run': '\udcff'}


PROGRAM = """
import os, subprocess, sys
from engine.commands import command_line
parser = command_line.Parser('runs.sh', 'Lists.', '')
parser.add_json_argument('the runs')

def main(arguments):
    print('text')
    os.write(1, b'of a library\\n')
    subprocess.run(['echo', 'of a child'], check=True)
    if arguments.json:
        command_line.print_json({'value': 1})
    os.write(1, b'at the end\\n')
    return 0

command_line.run(main, parser)
"""


@pytest.mark.parametrize('flags', [['--json'], []])
def test_libraries_and_children_write_to_stderr_too(flags: list[str]) -> None:
    done = subprocess.run([sys.executable, '-c', PROGRAM, *flags], capture_output=True, text=True, check=True)
    text, document = (done.stderr, done.stdout) if flags else (done.stdout, '{"value": 1}')
    assert json.loads(document) == {'value': 1}
    assert sorted(text.splitlines()) == ['at the end', 'of a child', 'of a library', 'text']


def test_a_document_that_cannot_be_written_is_a_failure() -> None:
    with Path('/dev/full').open('w') as full:
        done = subprocess.run(
            [sys.executable, '-c', PROGRAM, '--json'],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    assert (done.returncode, 'No space left on device' in done.stderr) == (1, True)
