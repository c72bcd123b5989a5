"""The shell preamble, tried on copies of `scripts/` that need one tiny wheel and no network."""

import contextlib
import os
import platform
import shutil
import signal
import subprocess
import sys
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO

import pytest

from engine.workspace import REPOSITORY

PROGRAMS = {
    'train': 'train',
    'predict': 'predict',
    'eval': 'evaluate',
    'export': 'export',
    'ensemble': 'ensemble',
    'check_outputs': 'check_outputs',
    'compare': 'compare',
    'check': 'check',
    'dataset': 'dataset',
    'logs': 'logs',
}
PYTHON = getattr(sys, '_base_executable', sys.executable)
PROGRAM = 'import os, sys, tiny; print(sys.prefix, tiny.VERSION, os.getcwd(), *sys.argv[1:])'


def write_wheel(folder: Path, version: str, code: str = '') -> str:
    name = f'tiny-{version}-py3-none-any.whl'
    about = f'tiny-{version}.dist-info/'
    with zipfile.ZipFile(folder / name, 'w') as wheel:
        wheel.writestr('tiny.py', f'VERSION = {version!r}\n{code}')
        wheel.writestr(about + 'METADATA', f'Metadata-Version: 2.1\nName: tiny\nVersion: {version}\n')
        wheel.writestr(about + 'WHEEL', 'Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n')
        wheel.writestr(about + 'RECORD', f'tiny.py,,\n{about}METADATA,,\n{about}WHEEL,,\n{about}RECORD,,\n')
    return f'./{name}\n'


def write_repository(root: Path) -> Path:
    shutil.copytree(REPOSITORY / 'scripts', root / 'scripts')
    (root / 'requirements.txt').write_text(write_wheel(root, '1.0'))
    (root / 'engine/commands').mkdir(parents=True)
    (root / 'engine/commands/train.py').write_text(PROGRAM)
    return root


def environment() -> dict[str, str]:
    unset = ('ENV', 'PYTHON', 'ACCELERATOR', 'PYTHONPATH')
    return {name: value for name, value in os.environ.items() if name not in unset}


def start(root: Path, *arguments: str, script: str = 'train', **changes: str) -> subprocess.Popen[str]:
    """Starts a script from another folder, in a process group of its own."""
    return subprocess.Popen(
        ['bash', str(root / f'scripts/{script}.sh'), *arguments],
        cwd=root.parent,
        env=environment() | changes,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def finish(process: subprocess.Popen[str]) -> tuple[int, str, str]:
    try:
        out, err = process.communicate(timeout=120)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        raise
    return process.returncode, out, err


def call(root: Path, *arguments: str, **changes: str) -> tuple[int, str, str]:
    return finish(start(root, *arguments, **changes))


def expected(root: Path, version: str = '1.0', *arguments: str) -> str:
    return ' '.join([str(root / '.venv'), version, str(root.parent), *arguments]) + '\n'


@pytest.fixture(scope='module')
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository that the first call has set up."""
    root = write_repository(tmp_path_factory.mktemp('made') / 'my fork')
    code, out, err = call(root, '--gin_file=a b.gin', PYTHON=PYTHON)
    assert (code, out) == (0, expected(root, '1.0', '--gin_file=a b.gin')), err
    assert err.startswith('setting up .venv: requirements.txt') and err.count('\n') == 1
    return root


@pytest.fixture
def with_uv(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Puts uv on PATH, if it is installed; pip does the same in more time."""
    uv = Path(sys.executable).with_name('uv')
    if uv.exists():
        (tmp_path / 'programs').mkdir()
        (tmp_path / 'programs/uv').symlink_to(uv)
        monkeypatch.setenv('PATH', f'{tmp_path}/programs:{os.environ["PATH"]}')


@pytest.fixture
def repository(made: Path, tmp_path: Path) -> Path:
    """A repository that is set up and may be spoiled: a copy of `made` that passes for the original."""
    root = tmp_path / 'my fork'
    shutil.copytree(made, root, symlinks=True)
    stamp = root / '.venv/made/stamp'
    stamp.write_text(stamp.read_text().replace(str(made), str(root)))
    assert call(root) == (0, expected(root), '')
    return root


@pytest.mark.parametrize('script', sorted((REPOSITORY / 'scripts').glob('*.sh')), ids=lambda path: path.name)
def test_scripts_parse(script: Path):
    subprocess.run(['bash', '-n', str(script)], check=True)


@pytest.mark.parametrize('script', PROGRAMS)
def test_a_program_script_sources_the_preamble_and_becomes_the_program(script: str):
    lines = (REPOSITORY / f'scripts/{script}.sh').read_text().splitlines()
    assert [line for line in lines if not line.startswith('#')] == [
        'source "$(dirname -- "${BASH_SOURCE[0]}")/environment.sh"',
        f'exec "$python" -m engine.commands.{PROGRAMS[script]} "$@"',
    ]
    assert os.access(REPOSITORY / f'scripts/{script}.sh', os.X_OK)


def test_nothing_is_done_when_all_is_there(made: Path):
    script = ['bash', '-c', f'set -x; source "{made}/scripts/environment.sh"']
    trace = subprocess.run(script, env=environment(), capture_output=True, text=True, check=True).stderr
    commands = [line.lstrip('+ ').split()[0] for line in trace.splitlines()]
    assert 'source' in commands and len(commands) < 60
    assert {command for command in commands if shutil.which(command)} <= {'dirname', 'pwd', '[', 'printf'}


def test_what_lies_in_the_current_folder_does_not_shadow_the_repository(made: Path):
    other = made.parent / 'engine'
    other.mkdir()
    (other / 'train.py').write_text('raise SystemExit("the wrong one")')
    (made.parent / 'tiny.py').write_text('raise SystemExit("the wrong one")')
    assert call(made) == (0, expected(made), '')


def test_changed_requirements_are_installed(repository: Path):
    # A version of another length: by time and size Python tells a module from its compiled predecessor.
    (repository / 'requirements.txt').write_text(write_wheel(repository, '1.10'))
    code, out, err = call(repository)
    assert (code, out) == (0, expected(repository, '1.10')), err
    assert call(repository) == (0, expected(repository, '1.10'), '')


@pytest.mark.usefixtures('with_uv')
def test_an_accelerator_adds_its_requirements_and_is_remembered(repository: Path):
    (repository / 'requirements-gpu.txt').write_text(write_wheel(repository, '1.0'))
    code, _, err = call(repository, ACCELERATOR='gpu')
    assert code == 0 and 'requirements.txt requirements-gpu.txt' in err
    assert call(repository) == (0, expected(repository), '')
    code, _, err = call(repository, ACCELERATOR='cpu')
    assert code == 0 and 'setting up .venv: requirements.txt for' in err
    assert call(repository, ACCELERATOR='cuda')[::2] == (
        2,
        'error: ACCELERATOR=cuda is unknown. Give gpu, tpu or cpu.\n',
    )


@pytest.mark.usefixtures('with_uv')
def test_a_failed_installation_shows_why_and_the_next_call_repairs_it(repository: Path):
    right = (repository / 'requirements.txt').read_text()
    (repository / 'requirements.txt').write_text('./missing-1.0-py3-none-any.whl\n')
    code, out, err = call(repository)
    assert (code, out) == (1, '')
    assert 'missing-1.0' in err and 'error: setting up .venv failed' in err and 'Is the network there' in err
    (repository / 'requirements.txt').write_text(right)
    assert call(repository)[:2] == (0, expected(repository))


def open_when_read(pipe: Path, process: subprocess.Popen[str]) -> IO[str]:
    deadline = time.monotonic() + 60
    while process.poll() is None and time.monotonic() < deadline:
        with contextlib.suppress(OSError):  # ENXIO: nobody reads it yet
            return os.fdopen(os.open(pipe, os.O_WRONLY | os.O_NONBLOCK), 'w')
        time.sleep(0.01)
    raise AssertionError(finish(process))


@pytest.fixture
def installing(tmp_path: Path) -> Iterator[tuple[Path, subprocess.Popen[str]]]:
    """A repository and its first call, which installs without end (it reads a pipe) until it is stopped."""
    root = write_repository(tmp_path / 'fork')
    with (root / 'requirements.txt').open('a') as requirements:
        requirements.write('-r more.txt\n')
    os.mkfifo(root / 'more.txt')
    process = start(root, PYTHON=PYTHON)
    with open_when_read(root / 'more.txt', process):
        yield root, process
    (root / 'more.txt').unlink()
    (root / 'more.txt').touch()
    code, out, err = call(root)
    assert (code, out) == (0, expected(root)), err
    assert (root / '.venv/made/stamp').read_text().splitlines() == [str(root), PYTHON, 'cpu']


def test_a_killed_set_up_is_finished_by_the_next_call(installing: tuple[Path, subprocess.Popen[str]]):
    _, process = installing
    os.killpg(process.pid, signal.SIGKILL)
    assert finish(process)[0] == -signal.SIGKILL


def test_an_interrupted_set_up_is_finished_by_the_next_call(installing: tuple[Path, subprocess.Popen[str]]):
    _, process = installing
    os.killpg(process.pid, signal.SIGINT)
    code, out, err = finish(process)
    assert (code, out) == (-signal.SIGINT, ''), err  # a loop of a shell ends too
    assert err.endswith('error: interrupted. The same command sets up the rest.\n')


def test_of_two_scripts_that_start_at_once_one_sets_up(tmp_path: Path):
    root = write_repository(tmp_path / 'fork')
    results = [finish(process) for process in [start(root, PYTHON=PYTHON) for _ in range(2)]]
    assert [result[:2] for result in results] == [(0, expected(root))] * 2
    assert ''.join(result[2] for result in results).count('setting up .venv:') == 1


def test_a_backend_of_matplotlib_that_is_not_there_changes_nothing(made: Path) -> None:
    """A notebook sets the variable for the commands that it starts."""
    program = made / 'engine/commands/train.py'
    program.write_text('import os; print(os.environ["MPLBACKEND"])')
    try:
        assert call(made, MPLBACKEND='module://not_installed') == (0, 'agg\n', '')
    finally:
        program.write_text(PROGRAM)


@pytest.mark.usefixtures('with_uv')
def test_a_moved_repository_is_set_up_again(repository: Path):
    moved = repository.rename(repository.with_name('moved'))
    code, out, err = call(moved)
    assert (code, out) == (0, expected(moved)), err
    assert str(repository) not in (moved / '.venv/bin/activate').read_text()


@pytest.mark.usefixtures('with_uv')
def test_a_venv_whose_python_vanished_is_made_again(repository: Path):
    link = repository / '.venv/bin/python'
    link.unlink()
    link.symlink_to('/nowhere/python3')
    code, out, err = call(repository)
    assert (code, out) == (0, expected(repository)), err


def test_the_same_python_by_another_name_changes_nothing(repository: Path):
    untouched = repository / '.venv/untouched'
    untouched.touch()
    alias = repository / 'alias'
    alias.symlink_to(PYTHON)
    assert call(repository, PYTHON=str(alias))[:2] == (0, expected(repository))
    assert untouched.exists()
    assert call(repository, PYTHON=str(alias)) == (0, expected(repository), '')


def test_an_existing_python_is_used_as_it_is(tmp_path: Path):
    root = write_repository(tmp_path / 'fork')
    (root / 'tiny.py').write_text('VERSION = "found"')
    prefix = subprocess.check_output([PYTHON, '-c', 'import sys; print(sys.prefix)'], text=True).strip()
    assert call(root, ENV='existing', PYTHON=PYTHON) == (0, f'{prefix} found {tmp_path}\n', '')
    assert not (root / '.venv').exists()


@pytest.fixture
def developed(tmp_path: Path) -> Path:
    """A repository, a Python without packages, and tools that fail if `FAILING` names them."""
    root = write_repository(tmp_path / 'my fork')
    subprocess.run([PYTHON, '-m', 'venv', '--without-pip', tmp_path / 'bare'], check=True)
    for tool in ('ruff', 'pyright', 'pytest', 'xdist'):
        (root / f'{tool}.py').write_text(TOOL)
    return root


TOOL = """import os, sys
name = os.path.basename(sys.argv[0])[:-3]
print('ran', name, *sys.argv[1:2], flush=True)
sys.exit(name in os.environ.get('FAILING', '').split())
"""


def run_tests(root: Path, *arguments: str, **changes: str) -> tuple[int, list[str], str]:
    """Calls scripts/test.sh; returns its exit code, the lines that it printed, and its errors."""
    changes |= {'ENV': 'existing', 'PYTHON': str(root.parent / 'bare/bin/python')}
    code, out, err = finish(start(root, *arguments, script='test', **changes))
    return code, out.splitlines(), err


@pytest.mark.parametrize(
    ('failing', 'report'),
    [
        ('', 'lint: passed, tests: passed'),
        ('ruff', 'lint: failed, tests: passed'),
        ('pyright', 'lint: failed, tests: passed'),
        ('pytest', 'lint: passed, tests: failed'),
        ('ruff pytest', 'lint: failed, tests: failed'),
    ],
)
def test_style_and_tests_are_both_checked_and_reported(developed: Path, failing: str, report: str):
    code, lines, err = run_tests(developed, '-x', FAILING=failing)
    assert (code, err) == (1 if failing else 0, '')
    assert lines == ['ran ruff check', 'ran ruff format', 'ran pyright --pythonpath', 'ran pytest -x', report]


def test_all_replaces_the_choice_of_tests(developed: Path):
    assert run_tests(developed, '--all')[1][-2:] == ['ran pytest -m', 'lint: passed, tests: passed']


def test_a_missing_linter_is_named_and_the_tests_run(developed: Path):
    (developed / 'ruff.py').unlink()
    code, lines, err = run_tests(developed)
    assert (code, lines) == (1, ['ran pytest', 'lint: failed, tests: passed'])
    assert f'error: ENV=existing: {developed.parent}/bare/bin/python lacks ruff.\n' in err
    assert f'-m pip install -r {developed}/requirements-dev.txt\n' in err


def test_a_missing_pytest_is_named(developed: Path):
    (developed / 'xdist.py').unlink()
    code, lines, err = run_tests(developed)
    assert (code, lines) == (2, [])
    assert 'lacks xdist.' in err


def test_an_unsupported_python_is_refused(tmp_path: Path):
    root = write_repository(tmp_path / 'fork')
    preamble = root / 'scripts/environment.sh'
    preamble.write_text(preamble.read_text().replace('<= (3, 13)', '<= (3, 10)'))
    reason = f'it is Python {platform.python_version()}).'
    code, out, err = call(root, PYTHON=PYTHON)
    assert (code, out) == (2, '')
    assert err.startswith(f'error: PYTHON={PYTHON} will not do ({PYTHON}: {reason}')
    code, out, err = call(root, PYTHON=PYTHON, ENV='existing')
    assert (code, out) == (2, '')
    assert err.startswith(f'error: ENV=existing: {PYTHON} will not do ({reason}')
    assert not (root / '.venv').exists()


@pytest.mark.parametrize('name', ['/nowhere/python3.12', 'no-such-python'])
def test_a_python_that_is_not_there_is_refused(tmp_path: Path, name: str):
    root = write_repository(tmp_path / 'fork')
    for changes in ({}, {'ENV': 'existing'}):
        code, out, err = call(root, PYTHON=name, **changes)
        assert (code, out) == (2, '')
        assert f'{name} will not do' in err


def test_no_python_to_be_found_is_said(tmp_path: Path):
    root = write_repository(tmp_path / 'fork')
    programs = tmp_path / 'programs'
    programs.mkdir()
    for name in ('bash', 'dirname', 'ls'):
        (programs / name).symlink_to(str(shutil.which(name)))
    code, out, err = call(
        root, PATH=str(programs), HOME=str(tmp_path), PYENV_ROOT='', UV_PYTHON_INSTALL_DIR=''
    )
    assert (code, out) == (2, '')
    assert err.startswith('error: no Python 3.13, 3.12 or 3.11 that will do is on PATH')
