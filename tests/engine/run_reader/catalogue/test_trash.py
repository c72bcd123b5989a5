"""`scripts/runs.sh rm` and `restore`: a removed run can come back, and nothing else is touched."""

import errno
import fcntl
import json
import os
import platform
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from engine.errors import EXIT_MISTAKE
from tests.engine.sample_runs import write_run


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of runs of a workspace of the test's own, with two runs."""
    monkeypatch.setenv('WORKSPACE', str(tmp_path))
    for name in 'ab':
        write_run(tmp_path / 'runs' / 'digits' / name)
    return tmp_path / 'runs'


def contents(folder: Path) -> dict[str, bytes]:
    files = [path for path in folder.rglob('*') if path.is_file() and path.name != 'lock']
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


def test_a_removed_run_comes_back_as_it_was(home: Path, program: Any) -> None:
    before = contents(home)
    code, out, err = program('runs', 'rm', 'digits/a', f'{home}/digits/../digits/a')
    assert (code, err) == (0, '')
    assert out.startswith('removed digits/a, to ')
    assert [path.name for path in (home / 'digits').iterdir()] == ['b']
    assert 'digits/a' in program('runs', 'restore')[1]
    assert program('runs', 'restore', 'a')[:2] == (0, f'run: {home / "digits/a"}\n')
    assert contents(home) == before
    assert [*(home.parent / 'trash').iterdir()] == []
    assert program('runs', 'restore')[1] == 'The trash is empty.\n'


def test_runs_of_the_same_name_come_back_the_last_removed_first(home: Path, program: Any) -> None:
    for text in ('first', 'second'):
        run = home / 'digits' / 'a'
        if text == 'second':
            write_run(run)
        (run / 'notes.md').write_text(text)
        assert program('runs', 'rm', str(run))[0] == 0
    assert json.loads(program('runs', 'restore', '--json')[1])['trash'][1]['name'] == 'digits/a'
    (code, out, _), run = program('runs', 'restore', 'digits/a', '--json'), home / 'digits/a'
    assert (code, json.loads(out)) == (0, {'restored': [str(run)]})
    assert (run / 'notes.md').read_text() == 'second'
    code, _, err = program('runs', 'restore', 'digits/a')
    assert (code, f'{run} exists. Move it away' in err) == (EXIT_MISTAKE, True)


def refused(program: Any, *names: str) -> str:
    code, out, err = program('runs', 'rm', *names)
    assert (code, out, err.count('\n')) == (EXIT_MISTAKE, '', 1)
    return err


def test_a_live_run_stays_and_with_it_all_others_of_the_command(home: Path, program: Any) -> None:
    status = {'state': 'running', 'pid': os.getpid(), 'host': platform.node()}
    heartbeat = datetime.now(UTC).isoformat()
    (home / 'digits/b/status.json').write_text(json.dumps({**status, 'heartbeat': heartbeat}))
    assert 'digits/b is running: process' in refused(program, 'digits/a', 'digits/b')
    assert sorted(path.name for path in (home / 'digits').iterdir()) == ['a', 'b']


def test_a_held_lock_keeps_a_run_whatever_its_status_says(home: Path, program: Any) -> None:
    with (home / 'digits/a/lock').open('w') as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        assert 'is being trained by' in refused(program, 'digits/a')
    assert (home / 'digits/a/config.gin').is_file()
    assert [*(home.parent / 'trash').iterdir()] == []


def test_what_is_not_a_run_stays(home: Path, program: Any) -> None:
    assert 'digits is not a run.' in refused(program, 'digits')
    assert f'{home.parent} is not a run.' in refused(program, str(home.parent))
    assert 'rm needs a RUN' in refused(program)
    assert 'x is not in the trash. It is empty.' in program('runs', 'restore', 'x')[2]


def test_a_link_stays_and_its_run_too(home: Path, tmp_path: Path, program: Any) -> None:
    write_run(tmp_path / 'disk')
    (home / 'link').symlink_to(tmp_path / 'disk')
    assert f'is a link to {tmp_path / "disk"}' in refused(program, 'link')
    assert (home / 'link' / 'config.gin').is_file()


def test_a_run_on_another_disk_stays(home: Path, program: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def rename(path: Path, target: Path) -> None:
        raise OSError(errno.EXDEV, 'Invalid cross-device link', str(path), None, str(target))

    monkeypatch.setattr(Path, 'rename', rename)
    assert 'lies on another disk than the workspace' in refused(program, 'digits/a')
    assert (home / 'digits/a/config.gin').is_file()
    assert [*(home.parent / 'trash').iterdir()] == []


def test_damaged_entries_of_the_trash_are_no_obstacle(home: Path, program: Any) -> None:
    (home.parent / 'trash' / 'x').mkdir(parents=True)
    (home.parent / 'trash' / 'x' / 'removed.json').write_text('{"source": ')
    (home.parent / 'trash' / 'file').touch()
    program('runs', 'rm', 'digits/a')
    note = next((home.parent / 'trash').glob('*-a/removed.json'))
    note.write_text(note.read_text().replace('20', 'xx', 1))
    assert program('runs', 'restore', 'digits/a')[0] == 0
