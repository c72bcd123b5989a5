"""One parser and one way to end for every program."""

import argparse
import re
import sys
from collections.abc import Callable

import jax.numpy as jnp
import pytest

from engine import errors, files
from engine.commands import command_line
from engine.commands.command_line import Parser
from engine.errors import Interrupted, UserError


@pytest.fixture
def parser() -> Parser:
    parser = Parser('train.sh', 'Trains.', '  scripts/train.sh --gin_file=a.gin')
    parser.add_gin_arguments()
    parser.add_argument('--steps', type=int)
    return parser


def test_gin_arguments_repeat_and_keep_their_order(parser: Parser) -> None:
    arguments = parser.parse_args(
        ['--gin_file=a', '--gin_bindings=B = 1', '--gin_file', 'c', "--gin_bindings=D = ',x'"]
    )
    assert (arguments.gin_file, arguments.gin_bindings) == (['a', 'c'], ['B = 1', "D = ',x'"])


def test_nothing_given_is_nothing_shared(parser: Parser) -> None:
    parser.parse_args(['--gin_file=a'])
    assert parser.parse_args([]).gin_file == parser.parse_args([]).gin_bindings == []


def test_a_home_folder_is_expanded_wherever_a_shell_would(
    parser: Parser, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A shell expands `--run ~/x`, but not `--run=~/x`."""
    monkeypatch.setenv('HOME', '/home/jane')
    given = ['--gin_file=~/a.gin', '--gin_file', '~', '--gin_file=./~/a', "--gin_bindings=A = '~/b'"]
    arguments = parser.parse_args(given)
    assert arguments.gin_file == ['/home/jane/a.gin', '/home/jane', './~/a']
    assert arguments.gin_bindings == ["A = '~/b'"]
    with pytest.raises(UserError, match='~nobody-here is not the home folder'):
        parser.parse_args(['--gin_file=~nobody-here/a.gin'])


MISTAKES = {
    '--gin_flie=a': "unrecognized arguments: --gin_flie=a. Did you mean '--gin_file'",
    '--gin_bind=a': "unrecognized arguments: --gin_bind=a. Did you mean '--gin_bindings'",  # no abbreviations
    '--zzz': 'There are: --gin_bindings, --gin_file, --help, --steps, --trust.',
    '--steps=many': "argument --steps: invalid int value: 'many'. See scripts/train.sh --help.",
    'stray': 'unrecognized arguments: stray. See scripts/train.sh --help.',
    '--gin_file': 'argument --gin_file: expected one argument. See',
}


@pytest.mark.parametrize('argument', MISTAKES)
def test_a_wrong_argument_is_told_with_the_nearest_right_one(argument: str, parser: Parser) -> None:
    with pytest.raises(UserError) as error:
        parser.parse_args([argument])
    assert MISTAKES[argument] in str(error.value)


def test_help_shows_examples(parser: Parser, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        parser.parse_args(['--help'])
    text = capsys.readouterr().out
    assert ended.value.code == 0
    assert text.startswith('usage: scripts/train.sh ')
    assert 'examples:\n  scripts/train.sh --gin_file=a.gin\n' in text


End = Callable[..., tuple[object, str, str]]


@pytest.fixture
def end(parser: Parser, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> End:
    """Runs a program: end(main, *arguments) -> (exit code, stdout, stderr)."""

    def end(main: Callable[[argparse.Namespace], int], *arguments: str) -> tuple[object, str, str]:
        monkeypatch.setattr(sys, 'argv', ['train.py', *arguments])
        with pytest.raises(SystemExit) as ended:
            command_line.run(main, parser)
        out, err = capsys.readouterr()
        return ended.value.code, out, err

    return end


@pytest.mark.parametrize('code', [errors.EXIT_FINISHED, errors.EXIT_FAILED])
def test_a_program_leaves_with_its_code(code: int, end: End) -> None:
    def main(arguments: argparse.Namespace) -> int:
        print(arguments.steps)
        return code

    assert end(main, '--steps=3') == (code, '3\n', '')


def test_a_mistake_is_one_message_and_2(end: End) -> None:
    def main(_: argparse.Namespace) -> int:
        print('before')
        raise UserError('there is no such thing.')

    assert end(main) == (2, 'before\n', 'error: there is no such thing.\n')


def test_a_mistake_on_the_command_line_is_2_too(end: End) -> None:
    def main(_: argparse.Namespace) -> int:
        raise AssertionError('called')

    code, out, err = end(main, '--stesp=3')
    assert (code, out) == (2, '')
    assert err.startswith("error: unrecognized arguments: --stesp=3. Did you mean '--steps'")
    assert err.endswith('See scripts/train.sh --help.\n')


def test_a_training_that_was_stopped_is_75(end: End) -> None:
    def main(_: argparse.Namespace) -> int:
        raise Interrupted

    assert end(main) == (75, '', '')


def test_a_lack_of_memory_is_one_message_and_1(end: End) -> None:
    def main(_: argparse.Namespace) -> int:
        raise MemoryError

    code, out, err = end(main)
    assert (code, out, err.count('\n')) == (1, '', 1)
    assert err.startswith('error: memory ran out: ')


def test_what_is_no_mistake_of_the_users_shows_where(parser: Parser, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, 'argv', ['train.py'])
    with pytest.raises(AttributeError, match="'Namespace' object has no attribute"):
        command_line.run(files.read_json, parser)  # type: ignore[arg-type]  (a bug of the engine)


def test_an_error_of_the_users_own_code_ends_at_their_line(end: End) -> None:
    def main(_: argparse.Namespace) -> int:
        return {}['missing']

    code, out, err = end(main)
    assert (code, out) == (1, '')
    first, line = err.splitlines()
    assert re.fullmatch(
        r"error: tests/engine/commands/test_command_line.py:\d+, in .*main: KeyError: 'missing'", first
    )
    assert line.strip() == "return {}['missing']"


def test_memory_that_runs_out_is_one_message(end: End) -> None:
    def main(_: argparse.Namespace) -> int:
        return int(jnp.zeros(1 << 50)[0])

    code, _, err = end(main)
    assert code == 1
    assert err.startswith('error: memory ran out: ')
    assert 'lower Trainer.batch_size' in err
    assert len(err.splitlines()) == 1
