"""The record of the code and the machine of a run."""

import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from engine.files import read_json
from engine.runs import environment

SOURCES = {'engine/errors.py', 'research/model.py', 'configs/base.gin', 'data/digits/builder.py'}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The folder of a run."""
    (tmp_path / 'run').mkdir()
    return tmp_path / 'run'


def git(repository: Path, *arguments: str) -> str:
    identity = ('-c', 'user.name=Ada', '-c', 'user.email=ada@example.org', '-c', 'core.autocrlf=false')
    command = ['git', '-C', str(repository), *identity, *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository with one commit, in the place of this one."""
    folder = tmp_path / 'repository'
    for name in (*SOURCES, 'data/digits/toy/0.png'):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(f'{name}\n')
    (folder / '.gitignore').write_text('ignored\n')
    git(folder, 'init', '-q')
    git(folder, 'add', '.')
    git(folder, 'commit', '-qm', 'first')
    monkeypatch.setattr(environment, 'REPOSITORY', folder)
    return folder


def recorded(folder: Path, **origin: Any) -> dict[str, Any]:
    """Returns environment.json after it was written."""
    environment.write(folder, **origin)
    return read_json(folder / 'environment.json')


def test_the_record_has_the_commit_and_the_machine(repository: Path, folder: Path) -> None:
    record = recorded(folder, seed=7, dataset={'name': 'digits'})
    assert (record['commit'], record['dirty']) == (git(repository, 'rev-parse', 'HEAD'), False)
    assert (record['seed'], record['dataset']) == (7, {'name': 'digits'})
    assert {'command', 'python', 'packages', 'system', 'cpus', 'xla_flags'} <= record.keys()
    assert (folder / 'uncommitted.diff').read_text() == ''
    lock = (folder / 'requirements.lock').read_text().splitlines()
    assert f'jax=={record["packages"]["jax"]}' in lock
    assert lock == sorted(set(lock), key=str.lower)


def change(repository: Path) -> None:
    (repository / 'research' / 'model.py').write_text('changed, no newline at the end')
    (repository / 'configs' / 'base.gin').unlink()


def add(repository: Path) -> None:
    (repository / 'notes').mkdir()
    (repository / 'notes' / 'a new file, ü.md').write_text('über\n')


def add_bytes(repository: Path) -> None:
    (repository / 'data' / 'digits' / 'toy' / '1.png').write_bytes(bytes(range(256)))


def add_lines_of_windows(repository: Path) -> None:
    (repository / 'research' / 'model.py').write_bytes(b'one\r\ntwo\r\n')


def add_latin_1(repository: Path) -> None:
    (repository / 'notes.txt').write_bytes('über\n'.encode('latin-1'))


def add_and_stage(repository: Path) -> None:
    add(repository)
    git(repository, 'add', '.')


def contents(repository: Path) -> dict[str, bytes]:
    paths = (path for path in repository.rglob('*') if path.is_file() and '.git' not in path.parts)
    return {path.relative_to(repository).as_posix(): path.read_bytes() for path in paths}


CHANGES = (change, add, add_bytes, add_lines_of_windows, add_latin_1, add_and_stage)


@pytest.mark.parametrize('edit', CHANGES)
def test_commit_and_diff_give_the_very_code(
    edit: Callable[[Path], None], repository: Path, tmp_path: Path, folder: Path
) -> None:
    edit(repository)
    assert recorded(folder)['dirty'] is True
    git(tmp_path, 'clone', '-q', str(repository), 'again')
    git(tmp_path / 'again', 'apply', str(folder / 'uncommitted.diff'))
    assert contents(tmp_path / 'again') == contents(repository)


PRIVATE = ('.env', 'server.pem', 'aws_credentials', 'Client_Secret.json', 'id_rsa', 'secrets/token.txt')


@pytest.mark.parametrize('staged', [False, True], ids=['untracked', 'staged'])
@pytest.mark.parametrize('name', PRIVATE)
def test_no_secret_enters_the_run_folder(name: str, staged: bool, repository: Path, folder: Path) -> None:
    (repository / name).parent.mkdir(exist_ok=True)
    (repository / name).write_text('hunter2\n')
    (repository / 'research' / 'model.py').write_text('changed\n')
    if staged:
        git(repository, 'add', '.')
    recorded(folder)
    diff = (folder / 'uncommitted.diff').read_text()
    assert 'changed' in diff
    assert 'hunter2' not in diff


@pytest.mark.parametrize('staged', [False, True], ids=['untracked', 'staged'])
def test_no_large_and_no_ignored_file_enters_the_run_folder(
    staged: bool, repository: Path, folder: Path
) -> None:
    (repository / 'weights.npy').write_bytes(b'x' * (environment.MAX_UNTRACKED_BYTES + 1))
    (repository / 'ignored').write_text('ignored')
    (repository / 'small.npy').write_bytes(b'x' * environment.MAX_UNTRACKED_BYTES)
    if staged:
        git(repository, 'add', '.')
    recorded(folder)
    diff = (folder / 'uncommitted.diff').read_text()
    assert [name in diff for name in ('weights.npy', 'ignored', 'small.npy')] == [False, False, True]


def test_a_link_to_nowhere_is_no_obstacle(repository: Path, folder: Path) -> None:
    (repository / 'data' / 'digits' / 'raw').symlink_to('/nowhere')
    record = recorded(folder)
    assert (len(record['commit']), record['dirty']) == (40, True)


def copied(folder: Path) -> set[str]:
    """Returns the sources that a run keeps."""
    home = folder / 'sources'
    return {path.relative_to(home).as_posix() for path in home.rglob('*') if path.is_file()}


def test_without_git_the_sources_are_copied(repository: Path, folder: Path) -> None:
    (repository / '.git').rename(repository / 'git')
    record = recorded(folder)
    assert (record['commit'], record['dirty']) == (None, None)
    assert copied(folder) == SOURCES
    assert not (folder / 'uncommitted.diff').exists()


def test_where_git_does_not_answer_the_sources_are_copied(repository: Path, folder: Path) -> None:
    """As before the first commit, or in a container where git distrusts the owner of the files."""
    (repository / '.git' / 'HEAD').write_text('broken\n')
    record = recorded(folder)
    assert (record['commit'], record['dirty']) == (None, None)
    assert copied(folder) == SOURCES


def test_a_continued_run_keeps_its_first_record(repository: Path, folder: Path) -> None:
    first = recorded(folder, seed=0)
    (repository / 'research' / 'model.py').write_text('changed\n')
    git(repository, 'commit', '-qam', 'second')
    assert 'continued' not in first
    now = git(repository, 'rev-parse', 'HEAD')
    for number in (1, 2):
        record = recorded(folder, seed=0)
        assert record | {'continued': []} == first | {'continued': []}
        assert [(later['commit'], later['seed']) for later in record['continued']] == [(now, 0)] * number


def test_what_a_continued_run_changed_is_kept_beside_what_the_first_had(
    repository: Path, folder: Path
) -> None:
    for text in ('first change', 'second change'):
        (repository / 'research' / 'model.py').write_text(f'{text}\n')
        recorded(folder)
    diffs = ''.join(path.read_text() for path in folder.rglob('*.diff'))
    assert ('first change' in diffs, 'second change' in diffs) == (True, True)
