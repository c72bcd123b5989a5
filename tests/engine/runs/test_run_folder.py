"""The run folder: how it begins, how it is found, and what its status says."""

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from engine.errors import UserError
from engine.runs import run_folder
from engine.runs.environment import history
from engine.runs.run_folder import Run, RunData
from engine.runs.run_state import RunState
from engine.workspace import REPOSITORY, project

CARD = REPOSITORY / 'data' / 'digits' / 'README.md'
DIGITS = RunData(
    name='digits/toy', check_name='digits', slug='digits-toy', cards=(CARD,), fingerprint='0123456789abcdef'
)


@pytest.fixture(autouse=True)
def workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A workspace for each test, so that it has no runs but its own."""
    monkeypatch.setenv('WORKSPACE', str(tmp_path / 'workspace'))
    return tmp_path / 'workspace'


@pytest.fixture
def same_second(monkeypatch: pytest.MonkeyPatch) -> None:
    class Then(run_folder.datetime):
        @classmethod
        def now(cls, tz: Any = None) -> Any:
            assert tz is run_folder.UTC  # so that runs of two machines sort
            return cls(2026, 11, 22, 17, 30, 5, tzinfo=tz)

    monkeypatch.setattr(run_folder, 'datetime', Then)


def new_run(*, state: str = '', folder: Path | None = None) -> Run:
    """Returns a run with a config and, if given, a state."""
    run = Run.begin(DIGITS, folder)
    run.config.write_text('')
    if state:
        run.write_status(state=state)
    return run


def test_a_run_is_named_by_project_dataset_and_time(same_second: None, workspace: Path) -> None:
    run = Run.begin(DIGITS)
    assert run.folder == workspace / 'runs' / project() / 'digits-toy' / '2026-11-22T17-30-05'
    names = {path.name for path in run.folder.iterdir()}
    assert names == {'checkpoints', 'logs', 'debug', 'outputs', 'notes.md', 'dataset.md'}


def test_runs_of_one_second_get_folders_of_their_own(same_second: None) -> None:
    names = [Run.begin(DIGITS).folder.name for _ in range(3)]
    assert names == ['2026-11-22T17-30-05', '2026-11-22T17-30-05-2', '2026-11-22T17-30-05-3']


def test_a_folder_may_be_chosen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / 'empty').mkdir()
    for name in ('empty', 'new/deep'):
        assert Run.begin(DIGITS, Path(name)).folder == tmp_path / name
        assert (tmp_path / name / 'logs').is_dir()


def test_existing_files_are_left_alone(tmp_path: Path) -> None:
    (tmp_path / 'thesis').mkdir()
    (tmp_path / 'thesis' / 'chapter').touch()
    for path in (tmp_path / 'thesis', tmp_path / 'thesis' / 'chapter'):
        with pytest.raises(UserError, match=r'exists and is not a run\. Choose another name for --run'):
            Run.begin(DIGITS, path)
    assert [path.name for path in (tmp_path / 'thesis').iterdir()] == ['chapter']


def test_notes_are_empty(tmp_path: Path) -> None:
    run = new_run(folder=tmp_path / 'run')
    assert (run.folder / 'notes.md').read_text() == ''


def test_a_run_is_found_by_its_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = new_run(folder=tmp_path / 'mine')
    monkeypatch.chdir(tmp_path)
    assert Run.find('mine') == Run.find(str(run.folder)) == run


def test_the_nearest_run_is_suggested_for_a_missing_one(tmp_path: Path) -> None:
    run = new_run()
    wrong = str(run.folder)[:-1]
    with pytest.raises(UserError) as error:
        Run.find(wrong)
    expected = f"{wrong} is not a run: it has no config.gin. Did you mean '{run.folder}'?"
    assert str(error.value) == expected


def test_the_latest_is_the_newest_that_is_not_finished(same_second: None) -> None:
    with pytest.raises(UserError, match=f'there is no unfinished run of {project()}'):
        Run.find('latest')
    first = new_run(state=RunState.INTERRUPTED)
    second = new_run()  # killed before it had a state
    new_run(state=RunState.FINISHED)
    assert Run.find('latest') == second
    second.write_status(state=RunState.FINISHED)
    assert Run.find('latest') == first
    first.write_status(state=RunState.FINISHED)
    with pytest.raises(UserError, match='there is no unfinished run'):
        Run.find('latest')


def test_the_eleventh_run_of_a_second_is_later_than_the_second(same_second: None) -> None:
    newest = [new_run() for _ in range(11)][-1]
    assert Run.find('latest') == newest


def test_status_changes_by_parts() -> None:
    run = new_run()
    assert run.status() == {}
    run.write_status(state=RunState.RUNNING, step=3)
    before = run.status()
    run.write_status(step=4)
    after = run.status()
    assert (after['format'], after['state'], after['step']) == (run_folder.FORMAT, 'running', 4)
    assert after['started'] == before['started'] <= before['heartbeat'] <= after['heartbeat']


@pytest.mark.parametrize('point', ['config', 'config_saved'])
@pytest.mark.parametrize('old', ['', 'RATE = 1'], ids=['a new run', 'a changed config'])
def test_a_kill_while_the_config_is_saved_refuses_no_resume(old: str, point: str, tmp_path: Path) -> None:
    run = Run.begin(DIGITS, tmp_path / 'run')
    if old:
        run.save_config(lambda path: path.write_text(old))
    program = """
import sys
from pathlib import Path
from engine.files import write_text
from engine.runs.run_folder import Run
Run(Path(sys.argv[1])).save_config(lambda path: write_text(path, 'RATE = 2'))
"""
    command = [sys.executable, '-c', program, str(run.folder)]
    done = subprocess.run(command, cwd=REPOSITORY, env=os.environ | {'FAULT': point}, check=False)
    assert done.returncode == -signal.SIGKILL
    if run.config.exists():
        assert run.config.read_text() == ('RATE = 2' if point == 'config_saved' else old)
        Run.find(str(run.folder)).check_config()
    else:
        assert Run.begin(DIGITS, run.folder) == run
    run.save_config(lambda path: path.write_text('RATE = 3'))
    run.check_config()
    for text in (old, 'RATE = 2'):  # neither is the config of the run any longer
        run.config.write_text(text)
        with pytest.raises(UserError, match='has changed since the run began'):
            run.check_config()


PLACES = {
    'logs': 'a folder', 'debug': 'a folder', 'outputs': 'a folder', 'checkpoints': 'a folder',
    'checkpoints/best': 'a folder', 'status.json': 'a file', 'environment.json': 'a file',
    'lock': 'a file', 'logs/train.jsonl': 'a file', 'logs/train.log': 'a file',
}  # fmt: skip


@pytest.mark.parametrize('other', ['the other', 'a link that leads nowhere'])
@pytest.mark.parametrize('name', PLACES)
def test_a_place_that_holds_something_else_is_named(name: str, other: str, tmp_path: Path) -> None:
    run, wanted = new_run(folder=tmp_path / 'run'), PLACES[name]
    run.check_places()
    path = run.folder / name
    if path.exists():
        path.rmdir()
    if other != 'the other':
        path.symlink_to(tmp_path / 'nowhere')
    elif wanted == 'a file':
        path.mkdir()
    else:
        path.write_text('')
    with pytest.raises(UserError, match=rf'{path} is .*, but a run keeps {wanted} there\. Move it away'):
        Run.find(str(run.folder))


@pytest.mark.parametrize('name', ['logs', 'status.json'])
def test_an_unreadable_place_is_named(name: str, tmp_path: Path) -> None:
    run = new_run(folder=tmp_path / 'run', state=RunState.INTERRUPTED)
    path = run.folder / name
    path.chmod(0)
    with (
        as_other_user(run.folder),
        pytest.raises(UserError, match=f'{path} cannot be read: permission denied'),
    ):
        run.check_places()
    path.chmod(0o700)


@contextlib.contextmanager
def as_other_user(folder: Path) -> Iterator[None]:
    """Lets the superuser, who may read everything, act as a user who may not."""
    if os.geteuid() != 0:
        yield
        return
    for parent in (folder, *folder.parents):  # pytest's folders are private
        parent.chmod(parent.stat().st_mode | 0o111)
    os.setresuid(65534, 65534, 0)
    try:
        yield
    finally:
        os.setresuid(0, 0, 0)


def test_folders_that_are_missing_are_made(tmp_path: Path) -> None:
    run = new_run(folder=tmp_path / 'run')
    for name in ('logs', 'debug', 'outputs', 'checkpoints'):
        (run.folder / name).rmdir()
    run.check_places()
    run.make_folders()
    assert all((run.folder / name).is_dir() for name in ('logs', 'debug', 'outputs', 'checkpoints'))


@pytest.mark.parametrize('text', ['', '{', '[]', 'null', '[' * 10**5, '\x00'])
def test_a_damaged_status_is_empty(text: str, tmp_path: Path) -> None:
    run = new_run(folder=tmp_path / 'run')
    (run.folder / 'status.json').write_text(text)
    assert run.status() == {}
    run.check_config()
    assert run.data_changes(DIGITS) == {}
    run.write_status(state=RunState.RUNNING)
    assert run.status()['state'] == 'running'


def test_data_that_are_only_evaluated_are_compared_too(tmp_path: Path) -> None:
    run = new_run(folder=tmp_path / 'run')
    evaluated = replace(DIGITS, evaluated={'photos': '01', 'digits': '02'})
    changed = replace(DIGITS, evaluated={'photos': '03', 'digits': '02', 'new': '04'})
    run.record_data(evaluated)
    assert run.data_changes(evaluated) == {}
    assert run.data_changes(changed) == {'photos': ('01', '03')}
    (run.folder / 'status.json').unlink()
    assert run.data_changes(changed) == {}
    datasets = {'photos': {'fingerprint': '01'}, 'digits': {'fingerprint': '02'}, 'odd': 5}
    history.write(run.folder / history.FILE, {'evaluated_datasets': datasets})
    assert run.data_changes(evaluated) == {}
    assert run.data_changes(changed) == {'photos': ('01', '03')}
    whole = replace(DIGITS, evaluated={'digits': '05'})  # and its toy form is trained on
    assert run.data_changes(whole) == {'digits (evaluated)': ('02', '05')}
    both = run.data_changes(replace(whole, fingerprint='06'))
    assert both == {'digits (evaluated)': ('02', '05')}  # nothing is known of the first one
    run.record_data(DIGITS)
    assert run.data_changes(DIGITS) == {}
    assert run.data_changes(replace(whole, fingerprint='06')).keys() == {'digits', 'digits (evaluated)'}


@pytest.mark.parametrize('dataset', ['null', '5', '"digits"', '[]', '{"fingerprint": null}'])
def test_a_damaged_record_of_the_data_is_no_record(dataset: str, tmp_path: Path) -> None:
    run = new_run(folder=tmp_path / 'run')
    (run.folder / 'environment.json').write_text(f'{{"dataset": {dataset}}}')
    assert run.data_changes(DIGITS) == {}


def test_a_run_is_recognised_by_its_config(tmp_path: Path) -> None:
    assert not run_folder.is_run(tmp_path)
    (tmp_path / 'config.gin').touch()
    assert run_folder.is_run(tmp_path)
    assert Run.find(str(tmp_path)).folder == tmp_path.resolve()


def test_a_run_may_begin_among_half_written_files(tmp_path: Path) -> None:
    half_written = (
        '.status.json.0123abcd.tmp',
        '.config.gin.0123abcd.tmp',
        '..config.gin.0123abcd.tmp.456789ef.tmp',
    )
    for name in (*half_written, 'requirements.lock', 'lock'):
        (tmp_path / name).touch()
    assert Run.begin(DIGITS, tmp_path).folder == tmp_path
