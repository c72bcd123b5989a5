"""Closed, full and unread outputs, in processes of their own: no program is hurt, none says too much."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from engine.workspace import REPOSITORY

# A program of this project. It prints text, opens a file, and runs `work`.
PROGRAM = """
import sys
from engine.commands import command_line, streams
from engine.errors import UserError

def main(_):
    with open(sys.argv.pop(), 'w') as file:
        {work}
        print('in the file', file=file)
    return 0

path = sys.argv.pop(1)
sys.argv.append(path)
parser = command_line.Parser('program.sh', '', '')
parser.parse_args = lambda: None
command_line.run(main, parser)
"""
PRINT = "print('text', flush=True)"
PRINT_LATE = "print('text')"
PRINT_MUCH = "[print('text ' * 100) for _ in range(10000)]"
MISTAKE = "raise UserError('a mistake.')"
OPTIONAL = """
        with streams.optional_output():
            for _ in range(1000):
                print('text ' * 100)
                print('text ' * 100, file=sys.stderr, flush=True)
            sys.stdout.flush()"""


def run(work: str, shell: str, tmp_path: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    """Runs the program as `program` in a line of bash."""
    program, file = tmp_path / 'program.py', tmp_path / 'file'
    program.write_text(PROGRAM.format(work=work), encoding='utf-8')
    line = f'program() {{ {sys.executable} {program} {file} "$@"; }}; {shell}'
    return subprocess.run(
        ['bash', '-c', line],
        capture_output=True,
        text=True,
        env=os.environ | {'PYTHONPATH': str(REPOSITORY)} | variables,
        timeout=60,
        check=False,
    )


def in_file(tmp_path: Path) -> str:
    return (tmp_path / 'file').read_text(encoding='utf-8')


@pytest.mark.parametrize('work', [PRINT, PRINT_LATE, PRINT_MUCH])
def test_unread_output_ends_a_program_silently(work: str, tmp_path: Path) -> None:
    """As it ends all programs of Unix: a shell shows 128 and the number of SIGPIPE."""
    done = run(work, 'set -o pipefail; (sleep 1; program) | true', tmp_path)
    assert (done.returncode, done.stderr) == (128 + signal.SIGPIPE, '')


@pytest.mark.parametrize('work', [PRINT, PRINT_LATE, PRINT_MUCH])
def test_a_full_disk_below_the_output_is_one_message(work: str, tmp_path: Path) -> None:
    done = run(work, 'program > /dev/full', tmp_path)
    assert done.returncode == 1
    assert done.stderr.startswith('error: ') and 'No space left on device' in done.stderr
    assert done.stderr.count('\n') == 1


@pytest.mark.parametrize('closed', ['>&-', '2>&-', '>&- 2>&-', '<&- >&- 2>&-'])
def test_what_is_printed_to_a_closed_stream_enters_no_file(closed: str, tmp_path: Path) -> None:
    done = run(f'import os; os.system("echo by a library"); {PRINT}', f'program {closed}', tmp_path)
    assert done.returncode == 0
    assert done.stderr == ''
    assert in_file(tmp_path) == 'in the file\n'


@pytest.mark.parametrize('where', ['2>/dev/full', '2>&-', '>/dev/full 2>&1', '>&- 2>&-'])
def test_a_mistake_that_nobody_can_be_told_keeps_its_code(where: str, tmp_path: Path) -> None:
    done = run(MISTAKE, f'program {where}', tmp_path)
    assert (done.returncode, done.stderr) == (2, '')


@pytest.mark.parametrize('where', ['>/dev/full 2>&1', '>&- 2>&-', '2>&1 | true; exit ${PIPESTATUS[0]}'])
def test_optional_output_stops_nothing(where: str, tmp_path: Path) -> None:
    done = run(OPTIONAL, f'program {where}', tmp_path)
    assert (done.returncode, done.stderr) == (0, '')
    assert in_file(tmp_path) == 'in the file\n'


@pytest.mark.parametrize(
    'variables',
    [
        {'PYTHONIOENCODING': 'ascii'},
        {'PYTHONIOENCODING': 'latin-1:strict'},
        {'LC_ALL': 'C', 'PYTHONUTF8': '0', 'PYTHONCOERCECLOCALE': '0'},
    ],
)
def test_any_text_can_be_printed_in_any_encoding(variables: dict[str, str], tmp_path: Path) -> None:
    work = r"print('\u732b \udcff'); raise UserError('\u732b.')"
    done = run(work, 'program', tmp_path, **variables)
    assert (done.returncode, done.stdout, done.stderr) == (2, '\\u732b \\udcff\n', 'error: \\u732b.\n')
