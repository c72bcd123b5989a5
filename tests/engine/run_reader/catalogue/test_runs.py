"""`scripts/runs.sh` on runs written by hand: sound, crashed, half written and foreign ones."""

import fcntl
import json
import os
import platform
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from engine.errors import EXIT_MISTAKE
from engine.workspace import REPOSITORY
from tests.engine.sample_runs import append, write_run

FRAMEWORKS = ('jax', 'jaxlib', 'flax', 'orbax', 'optax', 'gin', 'tensorflow', 'pandas', 'matplotlib')
WATCHED = f"""
import runpy, sys
try:
    runpy.run_module('engine.commands.runs', run_name='__main__')
finally:
    print('imported:', *(name for name in {FRAMEWORKS} if name in sys.modules), file=sys.stderr)
"""


def ago(**time: float) -> str:
    return (datetime.now(UTC) - timedelta(**time)).isoformat(timespec='seconds')


def dead_process() -> int:
    """Returns the id of a process that has ended."""
    ended = subprocess.Popen(['true'])
    ended.wait()
    return ended.pid


@pytest.fixture
def listed(program: Any) -> Any:
    """Lists runs: listed('--where=...') -> what is known of each run, by name."""

    def listed(*arguments: str) -> dict[str, dict[str, Any]]:
        code, out, err = program('runs', *arguments, '--json')
        assert code == 0, err
        return {run['run']: run for run in json.loads(out)['runs']}

    return listed


def configure(run: Path, text: str) -> Path:
    with (run / 'config.gin').open('a') as file:
        file.write(text)
    return run


@pytest.fixture
def sweep(home: Path) -> Path:
    """Three runs that differ in a macro, a parameter and the seed; their best scores are 12, 8 and 12."""
    for name, steps, rate, width, seed in (
        ('a', 20, 0.1, 64, 0),
        ('b', 8, 0.01, 64, 1),
        ('c', 12, 1e-3, 8, 1),
    ):
        run = write_run(home / 'digits' / name, steps, started=ago(days=1 + ord(name) - 97))
        configure(
            run,
            f'RATE = {rate}\nmlp.MLP.width = {width}\nmlp.MLP.rate = %RATE\ntrainer.Trainer.seed = {seed}\n',
        )
    return home


def test_the_table_needs_neither_jax_nor_pandas_and_changes_nothing(sweep: Path) -> None:
    before = {path: path.stat().st_mtime_ns for path in sweep.rglob('*')}
    command = [sys.executable, '-W', 'error', '-c', WATCHED]
    ended = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, timeout=300, check=False)
    assert (ended.returncode, ended.stderr.strip()) == (0, 'imported:')
    titles, _, *rows, _, summary = ended.stdout.splitlines()
    assert titles.split() == ['run', 'state', 'progress', 'best', 'time', 'age', 'seed', 'differs']
    assert [row.split()[0] for row in rows] == ['digits/a', 'digits/b', 'digits/c']  # the newest first
    assert '8 of 20 (40 %)   score 8 at 8    20.0 s  2 d' in rows[1]
    assert rows[2].endswith('1     RATE=0.001, width=8')
    assert summary == '3 runs: 3 finished'
    assert {path: path.stat().st_mtime_ns for path in sweep.rglob('*')} == before


CONDITIONS = {
    'state = finished': 'abc',
    'state!=finished': '',
    'score > 8': 'ac',
    'score>=8': 'abc',
    'best < 12': 'b',
    'RATE = 1e-1': 'a',
    'RATE<0.05': 'bc',
    'mlp.MLP.width=64': 'ab',
    'MLP.width = 64': 'ab',
    'width != 64': 'c',
    'SEED=1': 'bc',
    'run ~ s/[ab]': 'ab',
    'age > 36h': 'bc',
    'age<1.5d': 'a',
    'time = 20s': 'b',
    'progress < 0.5': 'b',
    'started > 2000': 'abc',
    'metric == score': 'abc',
}


@pytest.mark.parametrize('condition', CONDITIONS)
def test_conditions(condition: str, sweep: Path, listed: Any) -> None:
    expected = [f'digits/{name}' for name in CONDITIONS[condition]]
    assert [*listed(f'--where={condition}')] == expected


def test_a_folder_limits_the_list(sweep: Path, listed: Any) -> None:
    write_run(sweep / 'shapes' / 'd')
    for folder in ('shapes', 'runs/shapes', str(sweep / 'shapes')):
        assert [*listed(folder)] == [*listed('list', folder)] == ['shapes/d']


def test_all_conditions_hold(sweep: Path, listed: Any) -> None:
    assert [*listed('--where=width=64', '--where=seed=1')] == ['digits/b']


MISTAKES = {
    '--where=acuracy>1': "--where='acuracy>1': no run has 'acuracy'.",
    '--where=score': "--where='score' is not a condition. Write --where='NAME OPERATOR VALUE'",
    '--where=score>': 'is not a condition',
    '--where=score>high': "--where='score>high': high is not a number.",
    '--where=age>soon': 'soon is not a duration, such as 90s, 2h or 7d.',
    '--where=run~[': '[ is not a regular expression',
    'lst': 'lst is neither a folder nor a command. The commands are list, show, diff, rm, restore, gc.',
    '--limit=0': '--limit=0: give a number of runs, such as 10.',
    '--sort=scor': "--sort=scor: no run has 'scor'. Did you mean 'score'",
    '--columns=state,widht': "--columns: no run has 'widht'. Did you mean 'width'",
}


@pytest.mark.parametrize('argument', MISTAKES)
def test_mistakes_are_told_with_the_nearest_right_name(argument: str, sweep: Path, program: Any) -> None:
    code, out, err = program('runs', argument)
    assert (code, out) == (EXIT_MISTAKE, '')
    assert MISTAKES[argument] in err
    assert err.count('\n') == 1


ORDERS = {
    'best': 'acb',
    '-best': 'bac',
    'RATE': 'cba',
    '-step': 'acb',
    'age': 'abc',
    'run': 'abc',
    '-run': 'cba',
}


@pytest.mark.parametrize('order', ORDERS)
def test_orders(order: str, sweep: Path, listed: Any) -> None:
    assert ''.join(name[-1] for name in listed(f'--sort={order}')) == ORDERS[order]


def test_runs_without_the_value_are_last_in_both_directions(sweep: Path, listed: Any) -> None:
    (sweep / 'digits/b/logs/val.jsonl').unlink()
    assert [[*listed(f'--sort={order}')][-1] for order in ('best', '-best')] == ['digits/b'] * 2


def test_the_best_of_a_loss_is_the_lowest(home: Path, listed: Any) -> None:
    for name in 'ab':
        run = write_run(home / name, 20 if name == 'a' else 12)
        (run / 'config.gin').write_text("trainer.Trainer.best = ('loss', 'min')\n")
    found = listed('--sort=best')
    assert [(name, run['best'], run['best_step']) for name, run in found.items()] == [
        ('a', 0.1, 20),
        ('b', 2 / 12, 12),
    ]


def test_formats_and_columns(sweep: Path, program: Any) -> None:
    _, out, _ = program('runs', '--columns=RATE,width', '--sort=run', '--format=csv', '--limit=2')
    assert out == 'run,RATE,mlp.MLP.width\ndigits/a,0.1,64\ndigits/b,0.01,64\n'


def test_json_tells_unknown_values_as_null(home: Path, listed: Any) -> None:
    (home / 'empty').mkdir()
    (home / 'empty' / 'config.gin').touch()
    run = listed()['empty']
    assert {run[name] for name in ('steps', 'progress', 'best', 'time', 'started', 'dataset', 'seed')} == {
        None
    }
    assert (run['state'], run['step'], run['metrics']) == ('unknown', 0, {})


# Live and dead runs.


def running(home: Path, **status: Any) -> Path:
    return write_run(
        home / 'run',
        8,
        **{'state': 'running', 'host': platform.node(), 'heartbeat': ago(seconds=1), **status},
    )


STATES: dict[str, tuple[dict[str, Any], str]] = {
    'alive here': ({'pid': os.getpid()}, 'running'),
    'killed a moment ago': ({'pid': None}, 'dead'),
    'killed, its id used again': ({'pid': os.getpid(), 'silence': 3600}, 'dead'),
    'alive elsewhere': ({'pid': 1, 'host': 'node7'}, 'running'),
    'clock of another machine is ahead': ({'host': 'node7', 'silence': -30}, 'running'),
    'dead elsewhere': ({'pid': 1, 'host': 'node7', 'silence': 300}, 'dead'),
    'bad heartbeat': ({'pid': None, 'heartbeat': 'soon'}, 'dead'),
    'bad process': ({'pid': -1}, 'dead'),
    'huge process': ({'pid': 2**70}, 'dead'),
    'no host': ({'host': None}, 'running'),
    'finished': ({'state': 'finished'}, 'finished'),
    'stopped early': ({'state': 'finished', 'stopped': {'step': 8, 'reason': 'no better'}}, 'stopped'),
    'paused': ({'state': 'paused'}, 'paused'),
    'interrupted': ({'state': 'interrupted'}, 'interrupted'),
    'failed': ({'state': 'failed', 'error': 'disk full'}, 'failed'),
    'unknown': ({'state': 'baking'}, 'unknown'),
    'number': ({'state': 3}, 'unknown'),
}


@pytest.mark.parametrize('case', STATES)
def test_states(case: str, home: Path, listed: Any) -> None:
    status, expected = STATES[case][0].copy(), STATES[case][1]
    if 'silence' in status:  # seconds; counted from now, for a time in the table would grow old
        status['heartbeat'] = ago(seconds=status.pop('silence'))
    if status.get('pid', 0) is None:
        status['pid'] = dead_process()
    running(home, **status)
    assert listed()['run']['state'] == expected


def test_a_silent_process_that_holds_the_lock_is_stalled(home: Path, listed: Any, program: Any) -> None:
    """So is a process that was stopped, or that another container runs."""
    run = running(home, pid=os.getpid(), heartbeat=ago(minutes=5))
    with (run / 'lock').open('w') as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        assert listed()['run']['state'] == 'stalled'
        code, _, err = program('runs', 'rm', 'run')
        assert code == EXIT_MISTAKE
        assert 'run is stalled: process' in err
    assert listed()['run']['state'] == 'dead'


def test_a_training_that_is_killed_is_dead_at_once(home: Path, listed: Any) -> None:
    sleeper = subprocess.Popen(['sleep', '60'])
    running(home, pid=sleeper.pid)
    assert listed()['run']['state'] == 'running'
    sleeper.kill()
    os.waitid(
        os.P_PID, sleeper.pid, os.WEXITED | os.WNOWAIT
    )  # it has ended, and its parent does not know yet
    assert listed()['run']['state'] == 'dead'
    sleeper.wait()
    assert listed()['run']['state'] == 'dead'


# Damaged and foreign folders.


def test_broken_folders_are_listed_without_a_traceback(home: Path, program: Any, listed: Any) -> None:
    sound = write_run(home / 'sound')
    append(sound, 'val', '{"step": 24, "sc')
    torn = write_run(home / 'torn')
    (torn / 'status.json').write_text('{"state": "fini')
    (torn / 'logs' / 'val.jsonl').write_text(
        'null\n[1]\n{"step": "x"}\n{"step": 4, "score": "high"}\n{"step": 6, "score": 1'
        + '0' * 400
        + '}\n{"step": 8}\n'
    )
    nan = write_run(home / 'nan')
    (nan / 'logs' / 'val.jsonl').write_text('{"step": 4, "score": null}\n{"step": 8, "score": NaN}\n')
    begun = home / 'begun'
    for name in ('checkpoints', 'logs', 'debug', 'outputs'):
        (begun / name).mkdir(parents=True)
    binary = write_run(home / 'binary')
    for name in ('config.gin', 'status.json', 'logs/val.jsonl', 'logs/performance.jsonl', 'environment.json'):
        (binary / name).write_bytes(bytes(range(256)) * 40)
    odd = write_run(home / 'odd')
    (odd / 'config.gin').unlink()
    (odd / 'config.gin').mkdir()
    (odd / 'status.json').unlink()
    os.mkfifo(odd / 'status.json')
    (odd / 'logs' / 'performance.jsonl').write_text(
        '{"step": 4, "seconds": {"total": "x"}}\n{"step": 5, "seconds": 3}\n'
    )
    (home / 'foreign').mkdir()
    (home / 'foreign' / 'train.py').touch()
    (home / 'file.txt').touch()
    (home / 'nowhere').symlink_to(home / 'gone')
    (home / 'loop').symlink_to(home)
    names = {'sound', 'torn', 'nan', 'begun', 'binary', 'odd'}
    assert listed().keys() == names
    assert (listed()['nan']['best'], listed()['torn']['best']) == (None, None)
    assert listed()['sound']['best'] == 12
    code, out, err = program('runs')
    assert (code, err) == (0, '')
    assert 'torn: status.json is damaged' in out
    assert 'sound: val.jsonl: its last line is torn and left out' in out
    for name in names:
        code, out, err = program('runs', 'show', name)
        assert (code, err) == (0, ''), name
        assert program('runs', 'show', name, '--json')[0] == 0


def test_linked_runs_are_listed_once(home: Path, tmp_path: Path, listed: Any) -> None:
    write_run(tmp_path / 'disk' / 'far')
    (home / 'near').symlink_to(tmp_path / 'disk' / 'far')
    (home / 'again').symlink_to(tmp_path / 'disk' / 'far')
    assert [*listed()] == ['again']


def test_an_unreadable_folder_is_named(home: Path, program: Any) -> None:
    write_run(home / 'sound')
    (home / 'secret').mkdir(mode=0)
    if os.access(home / 'secret', os.R_OK):
        pytest.skip('this user reads everything')
    code, out, _ = program('runs')
    assert code == 0
    assert f'{home / "secret"} cannot be read: Permission denied' in out


def test_odd_names_do_not_reach_the_terminal(home: Path, program: Any) -> None:
    write_run(home / '\x1b[31mred\n\udcff')
    for arguments in ((), ('show', '\x1b[31mred\n\udcff'), ('--format=markdown',)):
        code, out, _ = program('runs', *arguments)
        assert (code, '\x1b' in out) == (0, False)


def test_a_workspace_without_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, program: Any, listed: Any
) -> None:
    monkeypatch.setenv('WORKSPACE', str(tmp_path / 'none'))
    code, out, _ = program('runs')
    assert (code, listed()) == (0, {})
    assert out.startswith(f'no runs in {tmp_path / "none"}. Begin one: scripts/train.sh')
    assert listed('--where=accuracy>0.9', '--sort=accuracy', '--columns=accuracy') == {}


def test_names(sweep: Path, program: Any) -> None:
    for name in ('digits/a', 'a', str(sweep / 'digits/a'), 'runs/digits/a/'):
        assert program('runs', 'show', name)[1].endswith(f'run: {sweep / "digits/a"}\n')
    write_run(sweep / 'shapes' / 'a')
    code, _, err = program('runs', 'show', 'a')
    assert (code, err) == (2, 'error: a may be any of digits/a, shapes/a. Write more of the name.\n')
    assert "digits/d is not a run. Did you mean 'digits/" in program('runs', 'show', 'digits/d')[2]
    assert 'show needs a RUN' in program('runs', 'show')[2]
    assert '--sort belongs to list, not to show' in program('runs', 'show', 'digits/a', '--sort=run')[2]


def test_hundreds_of_runs_take_little_time(home: Path, listed: Any) -> None:
    """About 1 ms per run. The bound is far above it, and far below one import of JAX per run."""
    for index in range(300):
        folder = home / f'{index:03}'
        (folder / 'logs').mkdir(parents=True)
        (folder / 'config.gin').write_text(f'RATE = {index}\nmlp.MLP.rate = %RATE\n' * 20)
        (folder / 'logs' / 'val.jsonl').write_text('{"step": 4, "score": 1.0}\n' * 50)
    before = time.process_time()
    assert len(listed()) == 300
    assert time.process_time() - before < 300 * 0.02
