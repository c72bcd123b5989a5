"""A release is whole or not there: when processes are killed, race, or fill the disk."""

import resource
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from engine.errors import RunError, UserError
from engine.releases import variables
from engine.releases.new_folder import LOCK, new_folder
from engine.releases.variables import Variables
from engine.stored_trees import release_folder
from engine.stored_trees.release_folder import CONFIG, DATASET, PROGRAM, RECORD, VARIABLES
from engine.workspace import REPOSITORY

NAMES = (VARIABLES, PROGRAM, CONFIG, DATASET, RECORD)
# Writes a release whose files all say the same. It is killed after some files, or starts at a signal.
WRITE = """
import os, signal, sys
from engine.errors import UserError
from engine.releases.new_folder import new_folder
from engine.stored_trees import release_folder

text, kill_after, *names = sys.argv[1:]
folder = release_folder.place('net', '1')
print('ready', flush=True)
sys.stdin.readline()
try:
    with new_folder(folder) as new:
        for count, name in enumerate(names):
            if count == int(kill_after):
                os.kill(os.getpid(), signal.SIGKILL)
            (new / name).write_text(text * 10_000)
        if len(names) == int(kill_after):
            release_folder.write_checksums(new)
            os.kill(os.getpid(), signal.SIGKILL)
except UserError as error:
    sys.exit(str(error))
"""


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of all versions of a model."""
    monkeypatch.setenv('WORKSPACE', str(tmp_path))
    return tmp_path / 'models' / 'net'


def start(text: str, kill_after: int = -1) -> subprocess.Popen[str]:
    process = subprocess.Popen(
        [sys.executable, '-c', WRITE, text, str(kill_after), *NAMES],
        cwd=REPOSITORY,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout and process.stdout.readline() == 'ready\n'
    return process


def write(folder: Path, text: str = 'x') -> None:
    with new_folder(folder) as new:
        for name in NAMES:
            (new / name).write_text(text)


def test_writing_a_release_loads_no_framework() -> None:
    code = 'import sys, engine.releases.new_folder; print({"jax", "numpy"} & set(sys.modules))'
    done = subprocess.run([sys.executable, '-c', code], cwd=REPOSITORY, capture_output=True, text=True)
    assert done.stdout == 'set()\n', done.stderr


def test_a_killed_release_is_not_there_and_leaves_nothing_for_the_next(home: Path) -> None:
    """Killed before each file, and after the last one and the checksums."""
    killed = [start('x', count) for count in range(len(NAMES) + 1)]
    for process in killed:
        process.communicate('\n')
    assert [process.returncode for process in killed] == [-9] * len(killed)
    left = [path for path in home.iterdir() if path.name.endswith('.tmp')]
    assert left  # each one has deleted what the one before left
    assert release_folder.versions('net') == []
    with pytest.raises(UserError, match="has no model 'net'"):
        release_folder.find('net')
    write(release_folder.place('net', '1'))
    assert sorted(path.name for path in home.iterdir()) == [LOCK, '1']
    assert release_folder.find('net') == (home / '1').resolve()


def test_of_several_processes_one_releases_a_version(home: Path) -> None:
    processes = [start(text) for text in 'abcd']
    for process in processes:
        assert process.stdin
        process.stdin.write('\n')
        process.stdin.flush()
    messages = [process.communicate()[1] for process in processes]
    assert sorted(process.returncode for process in processes) == [0, 1, 1, 1]
    assert (
        sum('A release never changes: choose another --version. net has 1.' in text for text in messages) == 3
    )
    release_folder.check(home / '1')
    assert len({(home / '1' / name).read_text() for name in NAMES}) == 1
    assert sorted(path.name for path in home.iterdir()) == [LOCK, '1']


@pytest.mark.parametrize('error', [KeyboardInterrupt, MemoryError, ValueError])
def test_nothing_remains_of_a_release_that_fails(error: type[BaseException], home: Path) -> None:
    with pytest.raises(error), new_folder(home / '1') as new:
        (new / CONFIG).write_text('x')
        raise error
    assert [path.name for path in home.iterdir()] == [LOCK]


@contextmanager
def limited(size: int) -> Iterator[None]:
    """Lets no file grow larger."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_full_disk_is_one_message(home: Path) -> None:
    large = np.zeros(10**6, np.float32)
    released = Variables({'w': large}, {'w': ('params/w',)})
    for fill in (
        lambda new: variables.write(released, new / VARIABLES),
        lambda new: (new / PROGRAM).write_bytes(bytes(10**7)),
    ):
        with (
            pytest.raises(RunError, match=r'net/1 was not released: a limit was reached: File too large'),
            limited(10**6),
            new_folder(home / '1') as new,
        ):
            fill(new)
    assert [path.name for path in home.iterdir()] == [LOCK]


def test_a_folder_that_cannot_be_written_is_one_message(home: Path) -> None:
    home.parent.mkdir()
    home.write_text('a file')
    with pytest.raises(RunError, match='net/1 was not released: the file system failed: '):
        write(home / '1')


def test_an_empty_folder_is_not_a_version_of_ours(home: Path) -> None:
    (home / '1').mkdir(parents=True)
    with pytest.raises(UserError, match=r'exists already.* net has no release'):
        release_folder.place('net', '1')
