"""The run folder: how it begins, is found, and what it tells of the code it ran."""

import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from research.engine import logs, runs
from research.engine.runs import Heartbeat, Run
from research.errors import UserError
from tests.engine.conftest import Clock


@pytest.fixture(autouse=True)
def workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A workspace for each test, so that it has no runs but its own."""
    monkeypatch.setenv('WORKSPACE', str(tmp_path / 'workspace'))
    return tmp_path / 'workspace'


@pytest.fixture
def same_second(monkeypatch: pytest.MonkeyPatch) -> None:
    class Then(runs.datetime):
        @classmethod
        def now(cls, tz: Any = None) -> Any:
            assert tz is runs.UTC  # so that runs of two machines sort
            return cls(2026, 11, 22, 17, 30, 5, tzinfo=tz)

    monkeypatch.setattr(runs, 'datetime', Then)


def begun(*, state: str = '', folder: Path | None = None) -> Run:
    """Returns a run with a config and, if given, a state."""
    run = Run.begin('digits/toy', folder)
    run.config.write_text('')
    if state:
        run.write_status(state=state)
    return run


def test_a_run_is_named_by_project_dataset_and_time(same_second: None, workspace: Path) -> None:
    run = Run.begin('digits/toy')
    assert run.folder == workspace / 'runs' / 'jax-gin-template' / 'digits-toy' / '2026-11-22T17-30-05'
    names = {path.name for path in run.folder.iterdir()}
    assert names == {'checkpoints', 'logs', 'debug', 'outputs', 'notes.md'}


def test_runs_of_one_second_get_folders_of_their_own(same_second: None) -> None:
    names = [Run.begin('digits').folder.name for _ in range(3)]
    assert names == ['2026-11-22T17-30-05', '2026-11-22T17-30-05-2', '2026-11-22T17-30-05-3']


def test_a_folder_of_ones_own_choice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / 'empty').mkdir()
    for name in ('empty', 'new/deep'):
        assert Run.begin('digits', Path(name)).folder == tmp_path / name
        assert (tmp_path / name / 'logs').is_dir()


def test_what_is_there_already_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / 'thesis').mkdir()
    (tmp_path / 'thesis' / 'chapter').touch()
    for path in (tmp_path / 'thesis', tmp_path / 'thesis' / 'chapter'):
        with pytest.raises(UserError, match='exists and holds no run: choose another name for --run'):
            Run.begin('digits', path)
    assert [path.name for path in (tmp_path / 'thesis').iterdir()] == ['chapter']


def test_notes_are_the_researchers(tmp_path: Path) -> None:
    run = begun(folder=tmp_path / 'run')
    assert (run.folder / 'notes.md').read_text() == ''


def test_a_run_is_found_by_its_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = begun(folder=tmp_path / 'mine')
    monkeypatch.chdir(tmp_path)
    assert Run.find('mine') == Run.find(str(run.folder)) == run


def test_a_run_that_is_not_there_is_said_with_the_nearest(tmp_path: Path) -> None:
    run = begun()
    wrong = str(run.folder)[:-1]
    with pytest.raises(UserError) as error:
        Run.find(wrong)
    expected = f"{wrong} is not a run: it holds no config.gin. Did you mean '{run.folder}'?"
    assert str(error.value) == expected


def test_the_latest_is_the_newest_that_is_not_finished(same_second: None) -> None:
    with pytest.raises(UserError, match='there is no unfinished run of jax-gin-template'):
        Run.find('latest')
    first = begun(state=runs.INTERRUPTED)
    second = begun()  # killed before it had a state
    begun(state=runs.FINISHED)
    assert Run.find('latest') == second
    second.write_status(state=runs.FINISHED)
    assert Run.find('latest') == first
    first.write_status(state=runs.FINISHED)
    with pytest.raises(UserError, match='there is no unfinished run'):
        Run.find('latest')


def test_the_eleventh_run_of_a_second_is_later_than_the_second(same_second: None) -> None:
    newest = [begun() for _ in range(11)][-1]
    assert Run.find('latest') == newest


def test_status_changes_by_parts() -> None:
    run = begun()
    assert run.status() == {}
    run.write_status(state=runs.RUNNING, step=3)
    before = run.status()
    run.write_status(step=4)
    after = run.status()
    assert (after['format'], after['state'], after['step']) == (runs.FORMAT, 'running', 4)
    assert after['started'] == before['started'] <= before['heartbeat'] <= after['heartbeat']


def test_the_heart_beats_every_few_seconds(clock: Clock) -> None:
    run = begun()
    beat = Heartbeat(run)
    steps = []
    for step in range(1, 7):
        clock.now += runs.BEAT * 0.4
        beat(step)
        steps.append(run.status().get('step'))
    assert steps == [None, None, 3, 3, 3, 6]


def git(repository: Path, *arguments: str) -> str:
    identity = ('-c', 'user.name=Ada', '-c', 'user.email=ada@example.org', '-c', 'core.autocrlf=false')
    command = ['git', '-C', str(repository), *identity, *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository with one commit, in the place of this one."""
    folder = tmp_path / 'repository'
    for name in ('research/model.py', 'configs/base.gin', 'data/digits/toy/0.png', 'data/digits/builder.py'):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(f'{name}\n')
    (folder / '.gitignore').write_text('ignored\n')
    git(folder, 'init', '-q')
    git(folder, 'add', '.')
    git(folder, 'commit', '-qm', 'first')
    monkeypatch.setattr(runs, 'REPOSITORY', folder)
    return folder


def recorded(run: Run, **origin: Any) -> dict[str, Any]:
    """Returns stack.json after the run was recorded."""
    with run.recorded(**origin):
        pass
    return logs.read_json(run.folder / 'stack.json')


def test_the_stack_tells_the_commit_and_what_it_ran_on(repository: Path) -> None:
    run = begun()
    stack = recorded(run, seed=7, dataset={'name': 'digits'})
    assert (stack['commit'], stack['dirty']) == (git(repository, 'rev-parse', 'HEAD'), False)
    assert (stack['seed'], stack['dataset'], stack['devices']) == (7, {'name': 'digits'}, 2)
    wanted = {'command', 'python', 'packages', 'system', 'cpus', 'accelerator', 'driver', 'xla_flags'}
    assert wanted <= stack.keys()
    assert (run.folder / 'uncommitted.diff').read_text() == ''
    lock = (run.folder / 'requirements.lock').read_text().splitlines()
    assert f'jax=={stack["packages"]["jax"]}' in lock
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


def files(repository: Path) -> dict[str, bytes]:
    paths = (path for path in repository.rglob('*') if path.is_file() and '.git' not in path.parts)
    return {path.relative_to(repository).as_posix(): path.read_bytes() for path in paths}


CHANGES = (change, add, add_bytes, add_lines_of_windows, add_latin_1, add_and_stage)


@pytest.mark.parametrize('edit', CHANGES)
def test_commit_and_diff_give_the_very_code(
    edit: Callable[[Path], None], repository: Path, tmp_path: Path
) -> None:
    edit(repository)
    run = begun()
    assert recorded(run)['dirty'] is True
    git(tmp_path, 'clone', '-q', str(repository), 'again')
    git(tmp_path / 'again', 'apply', str(run.folder / 'uncommitted.diff'))
    assert files(tmp_path / 'again') == files(repository)


PRIVATE = ('.env', 'server.pem', 'aws_credentials', 'Client_Secret.json', 'id_rsa', 'secrets/token.txt')


@pytest.mark.parametrize('staged', [False, True], ids=['untracked', 'staged'])
@pytest.mark.parametrize('name', PRIVATE)
def test_no_secret_enters_the_run_folder(name: str, staged: bool, repository: Path) -> None:
    (repository / name).parent.mkdir(exist_ok=True)
    (repository / name).write_text('hunter2\n')
    (repository / 'research' / 'model.py').write_text('changed\n')
    if staged:
        git(repository, 'add', '.')
    run = begun()
    recorded(run)
    diff = (run.folder / 'uncommitted.diff').read_text()
    assert 'changed' in diff
    assert 'hunter2' not in diff


@pytest.mark.parametrize('staged', [False, True], ids=['untracked', 'staged'])
def test_no_large_and_no_ignored_file_enters_the_run_folder(staged: bool, repository: Path) -> None:
    (repository / 'weights.npy').write_bytes(b'x' * (runs.LARGEST + 1))
    (repository / 'ignored').write_text('ignored')
    (repository / 'small.npy').write_bytes(b'x' * runs.LARGEST)
    if staged:
        git(repository, 'add', '.')
    run = begun()
    recorded(run)
    diff = (run.folder / 'uncommitted.diff').read_text()
    assert [name in diff for name in ('weights.npy', 'ignored', 'small.npy')] == [False, False, True]


def test_a_link_to_nowhere_is_no_obstacle(repository: Path) -> None:
    (repository / 'data' / 'digits' / 'raw').symlink_to('/nowhere')
    stack = recorded(begun())
    assert (len(stack['commit']), stack['dirty']) == (40, True)


def copied(run: Run) -> set[str]:
    """Returns the sources that a run keeps."""
    folder = run.folder / 'sources'
    return {path.relative_to(folder).as_posix() for path in folder.rglob('*') if path.is_file()}


SOURCES = {'research/model.py', 'configs/base.gin', 'data/digits/builder.py'}


def test_without_git_the_sources_are_copied(repository: Path) -> None:
    (repository / '.git').rename(repository / 'git')
    run = begun()
    stack = recorded(run)
    assert (stack['commit'], stack['dirty']) == (None, None)
    assert copied(run) == SOURCES
    assert not (run.folder / 'uncommitted.diff').exists()


def test_where_git_does_not_answer_the_sources_are_copied(repository: Path) -> None:
    """As before the first commit, or in a container where git distrusts the owner of the files."""
    (repository / '.git' / 'HEAD').write_text('broken\n')
    run = begun()
    stack = recorded(run)
    assert (stack['commit'], stack['dirty']) == (None, None)
    assert copied(run) == SOURCES


def test_a_continued_run_keeps_its_first_stack(repository: Path) -> None:
    run = begun()
    first = recorded(run, seed=0)
    (repository / 'research' / 'model.py').write_text('changed\n')
    git(repository, 'commit', '-qam', 'second')
    assert 'continued' not in first
    now = git(repository, 'rev-parse', 'HEAD')
    for number in (1, 2):
        stack = recorded(run, seed=0)
        assert stack | {'continued': []} == first | {'continued': []}
        assert [(each['commit'], each['seed']) for each in stack['continued']] == [(now, 0)] * number


def test_what_a_continued_run_changed_is_kept_beside_what_the_first_had(repository: Path) -> None:
    run = begun()
    for text in ('first change', 'second change'):
        (repository / 'research' / 'model.py').write_text(f'{text}\n')
        recorded(run)
    diffs = ''.join(path.read_text() for path in run.folder.rglob('*.diff'))
    assert ('first change' in diffs, 'second change' in diffs) == (True, True)


def test_an_interruption_is_recorded(repository: Path, said: list[str]) -> None:
    run = begun(state=runs.RUNNING)
    with pytest.raises(KeyboardInterrupt), run.recorded():
        raise KeyboardInterrupt
    assert run.status()['state'] == 'interrupted'
    assert said == [f'interrupted; to go on: scripts/train.sh --run={run.folder}']
    assert logs.read_json(run.folder / 'stack.json')['commit']


@pytest.mark.parametrize(
    ('error', 'line'),
    [
        (ValueError('no\nsecond line'), 'ValueError: no'),
        (UserError('a mistake'), 'UserError: a mistake'),
        (SystemExit(3), 'SystemExit: 3'),
    ],
)
def test_a_failure_is_recorded_in_one_line(error: BaseException, line: str, repository: Path) -> None:
    run = begun(state=runs.RUNNING)
    with pytest.raises(type(error)), run.recorded():
        raise error
    assert (run.status()['state'], run.status()['error']) == ('failed', line)


def test_a_run_is_told_by_its_config(tmp_path: Path) -> None:
    assert not runs.is_run(tmp_path)
    (tmp_path / 'config.gin').touch()
    assert runs.is_run(tmp_path)
    assert Run.find(str(tmp_path)).folder == tmp_path.resolve()
