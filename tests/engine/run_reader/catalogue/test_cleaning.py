"""`scripts/runs.sh gc`: what the policy frees, and above all what it leaves."""

import fcntl
import json
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.engine.sample_runs import write_run


@pytest.fixture
def freed(program: Any, home: Path) -> Any:
    """Cleans: freed('--days=0') -> the paths below the workspace that it lists, all freed."""

    def freed(*arguments: str) -> set[str]:
        code, out, err = program('runs', 'gc', *arguments, '--apply', '--json')
        assert code == 0, err
        candidates = json.loads(out)['candidates']
        assert not any(os.path.lexists(item['path']) for item in candidates if item['freed'])
        return {str(Path(item['path']).relative_to(home.parent)) for item in candidates if item['freed']}

    return freed


def begun(folder: Path) -> Path:
    """Writes what a run leaves that is killed before its first step."""
    for name in ('checkpoints/latest', 'logs', 'debug', 'outputs'):
        (folder / name).mkdir(parents=True)
    (folder / 'notes.md').touch()
    (folder / 'logs' / 'train.log').write_text('importing')
    return folder


def file(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b'x' * 1000)
    return path


def aged(folder: Path, days: float = 3) -> Path:
    """Makes all files of a folder old."""
    time = (datetime.now(UTC) - timedelta(days=days)).timestamp()
    for path in (*folder.rglob('*'), folder):
        os.utime(path, (time, time), follow_symlinks=False)
    return folder


def test_nothing_is_freed_without_apply(home: Path, program: Any) -> None:
    aged(begun(home / 'empty'))
    code, out, err = program('runs', 'gc')
    assert (code, err) == (0, '')
    assert out.startswith('policy:\n- runs in the trash for more than 30 days: deleted\n')
    assert f'{home / "empty"}  it never made a step  0.0 MB' in out
    assert out.endswith('Nothing was freed. --apply frees 0.0 MB.\n')
    assert (home / 'empty').is_dir()


def test_empty_runs_move_to_the_trash(home: Path, freed: Any, program: Any) -> None:
    aged(begun(home / 'empty'))
    begun(home / 'young')
    for name, kept in {
        'noted': 'notes.md',
        'logged': 'logs/val.jsonl',
        'saved': 'checkpoints/latest/3',
        'predicted': 'outputs/test/ids.txt',
        'diverged': 'debug/nonfinite/state.npz',
    }.items():
        file(begun(home / name) / kept)
        aged(home / name)
    assert freed() == {'runs/empty'}
    assert {path.name for path in home.iterdir()} == {
        'young',
        'noted',
        'logged',
        'saved',
        'predicted',
        'diverged',
    }
    assert program('runs', 'restore', 'empty')[0] == 0


def test_leftovers_and_damaged_checkpoints_go(home: Path, freed: Any) -> None:
    run = write_run(home / 'a')
    leftovers = (
        '.status.json.0123abcd.tmp',
        'checkpoints/latest/.3.0123abcd.tmp/x',
        'checkpoints/damaged/latest-3/x',
    )
    kept = ('.hidden', 'note.tmp', 'checkpoints/latest/4/x', 'checkpoints/best/4/x', 'debug/first_batch.npz')
    for name in (*leftovers, *kept):
        file(run / name)
    assert freed() == set()  # the run is young
    aged(run)
    assert freed() == {
        'runs/a/.status.json.0123abcd.tmp',
        'runs/a/checkpoints/latest/.3.0123abcd.tmp',
        'runs/a/checkpoints/damaged',
    }
    assert all((run / name).is_file() for name in (*kept, 'config.gin', 'logs/train.jsonl'))


def test_checkpoints_to_resume_from_go_only_if_asked_for(home: Path, freed: Any) -> None:
    for name, state, kinds in (
        ('done', 'finished', ('latest', 'best')),
        ('without_best', 'finished', ('latest',)),
        ('paused', 'paused', ('latest', 'best')),
        ('killed', 'running', ('latest', 'best')),
        ('failed', 'failed', ('latest', 'best')),
    ):
        for kind in kinds:
            file(write_run(home / name, state=state) / 'checkpoints' / kind / '20' / 'x') if kind == kinds[
                0
            ] else file(home / name / 'checkpoints' / kind / '20' / 'x')
        aged(home / name, days=40)
    assert freed() == set()
    assert freed('--resumable_days=60') == set()
    assert freed('--resumable_days=30') == {'runs/done/checkpoints/latest/20'}
    assert (home / 'done' / 'checkpoints' / 'best' / '20' / 'x').is_file()


def test_the_trash_is_kept_for_its_time(home: Path, freed: Any, program: Any) -> None:
    for name in 'ab':
        write_run(home / name)
        program('runs', 'rm', name)
    note = next((home.parent / 'trash').glob('*-a/removed.json'))
    removed = json.loads(note.read_text())
    removed['removed'] = (datetime.now(UTC) - timedelta(days=31)).isoformat()
    note.write_text(json.dumps(removed))
    assert freed('--days=32') == freed('--days=1e12') == set()
    assert freed() == {f'trash/{note.parent.name}'}
    assert [path.name[-1] for path in (home.parent / 'trash').iterdir()] == ['b']
    assert len(freed('--days=0')) == 1


def test_a_run_whose_lock_is_held_keeps_all(home: Path, program: Any) -> None:
    """A process may begin to work after the list was made."""
    run = begun(home / 'empty')
    with (run / 'lock').open('w') as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        aged(run)
        code, out, _ = program('runs', 'gc', '--apply')
    assert code == 0
    assert f'kept {run}: {run} is being trained by' in out
    assert run.is_dir()


@pytest.mark.parametrize('days', ['-1', 'nan', 'many'])
def test_days_are_a_number(days: str, home: Path, program: Any) -> None:
    code, out, err = program('runs', 'gc', f'--days={days}', '--apply')
    assert (code, out) == (2, '')
    assert days in err
