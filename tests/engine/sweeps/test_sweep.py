"""Sweeps are tried with real processes, which are killed with SIGKILL."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from benchmarks import sweeps
from engine import files
from engine.commands import sweep as sweep_program
from engine.commands import sweep_beginning, sweep_command
from engine.sweeps import axes, claims
from engine.sweeps.sweep_folder import Sweep
from engine.workspace import REPOSITORY
from tests.conftest import Program, write_config
from tests.engine.sweeps.sample_sweeps import begun, finish


def start(workspace: Path, *flags: str) -> 'subprocess.Popen[str]':
    return subprocess.Popen(
        [sys.executable, '-m', 'engine.commands.sweep', '--name=s', *flags],
        env={**os.environ, 'WORKSPACE': str(workspace), 'JAX_PLATFORMS': 'cpu'},
        cwd=REPOSITORY,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


@pytest.mark.parametrize(
    ('vary', 'message'),
    [
        ('mlp.MLP.widht=8,16', 'widht'),  # the first value
        ('mlp.MLP.width=8,16,None', 'mlp.MLP.width = None'),  # another one
    ],
)
def test_a_value_that_no_run_can_take_is_refused_before_anything_is_written(
    config_file, program: Program, workspace: Path, vary: str, message: str
) -> None:
    flags = ('--name=unknown', f'--gin_file={config_file()}', '--vary', 'SEED=0..3', '--vary', vary)
    code, _, err = program('sweep', *flags, *('--search=random', '--trials=5'))
    assert code == 2, err
    assert message in err
    assert 'cannot be built' in err
    assert 'Traceback' not in err
    assert not (workspace / 'sweeps' / 'unknown').exists()


def test_each_value_of_a_list_and_the_ends_of_a_range_are_tried() -> None:
    varied = axes.parse_all(['A=1,2,3', 'B=0..9', 'C=0.5..2'])
    assert sweep_beginning.tried(['A = 1', 'B = 4', 'C = 1.0'], varied) == [
        ['A = 1', 'B = 4', 'C = 1.0'],
        ['A = 2', 'B = 4', 'C = 1.0'],
        ['A = 3', 'B = 4', 'C = 1.0'],
        ['A = 1', 'B = 0', 'C = 1.0'],
        ['A = 1', 'B = 9', 'C = 1.0'],
        ['A = 1', 'B = 4', 'C = 0.5'],
        ['A = 1', 'B = 4', 'C = 2.0'],
    ]


@pytest.mark.parametrize(
    ('flags', 'message'),
    [
        (('--name=../x',), '--name=../x'),
        ((), '--name=NAME'),
        (('--name=new',), 'has not begun'),
        (('--name=new', '--workers=0'), '--workers=0'),
        (('--name=new', '--gin_file=nowhere.gin', '--vary', 'A=1'), 'nowhere.gin: no such file'),
        (('--name=new', '--vary', 'A=1'), '--gin_file'),
        (('--name=new', '--gin_file=x'), '--vary'),
        (('--name=new', '--gin_file=x', '--vary', 'A=1', '--search=random'), '--trials'),
        (('--name=new', '--gin_file=x', '--vary', 'A=1', '--search=tpe'), '--trials'),
        (('--name=new', '--gin_file=x', '--vary', 'A=1', '--search=tpe', '--trials=0'), '--trials=0'),
        (('--name=new', '--gin_file=x', '--vary', 'A=1', '--trials=4'), 'a grid takes none'),
        (('--name=new', '--gin_file=x', '--vary', 'A=1', '--parallel=4'), '--parallel belongs to'),
        (
            ('--name=new', '--gin_file=x', '--vary', 'A=1', '--search=tpe', '--trials=9', '--halving=3'),
            '--halving needs all runs at the start',
        ),
        (('--name=new', '--gin_file=base.gin', '--vary', 'A=1', '--rungs=5'), '--rungs belongs to --halving'),
        (('--name=new', '--gin_file=base.gin', '--vary', 'A=1', '--halving=1'), '--halving=1'),
        (('--name=new', '--gin_file=base.gin', '--vary', 'A=1', '--halving=3', '--rungs=5,2'), 'rising'),
        (('--name=new', '--replay=nothing'), '--replay=nothing is no sweep'),
        (('--name=new', '--replay=nothing', '--vary', 'A=1'), '--name alone'),
    ],
    ids=str,
)
def test_mistakes_are_explained(
    program: Program, monkeypatch: pytest.MonkeyPatch, flags: tuple[str, ...], message: str
) -> None:
    monkeypatch.chdir(REPOSITORY / 'configs')
    code, _, err = program('sweep', *flags)
    assert code == 2
    assert message in err


def test_the_defaults_are_those_of_the_command_line() -> None:
    assert sweep_command.given(sweep_program.parser().parse_args([])) == set()


@pytest.mark.parametrize(
    'flag', ['--trials=80', '--search=tpe', '--metric=accuracy', '--vary=A=1', 'STEPS=3']
)
def test_a_flag_that_would_be_ignored_is_refused(
    program: Program, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, flag: str
) -> None:
    monkeypatch.setenv('WORKSPACE', str(tmp_path))
    begun(tmp_path / 'sweeps', 'A=1,2')
    code, _, err = program('sweep', '--name=s', flag)
    assert code == 2
    assert '--name=s alone joins the sweep' in err


def test_without_optuna_tpe_is_refused_before_anything_is_written(
    program: Program, tmp_path: Path, config_file, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv('WORKSPACE', str(tmp_path))
    monkeypatch.setitem(sys.modules, 'optuna', None)
    flags = (f'--gin_file={config_file()}', '--vary', 'RATE=0.1..0.2', '--search=tpe', '--trials=3')
    code, _, err = program('sweep', '--name=s', *flags)
    assert code == 2
    assert 'lacks the package optuna' in err
    assert 'requirements-sweeps.txt' in err
    assert not (tmp_path / 'sweeps').exists()


def test_a_finished_sweep_needs_no_optuna_to_report(
    program: Program, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv('WORKSPACE', str(tmp_path))
    monkeypatch.setitem(sys.modules, 'optuna', None)
    sweep = begun(tmp_path / 'sweeps', 'A=1,2')
    for run in sweep.proposals():
        finish(sweep, run, {4: 1.0, 8: 0.5})
    code, out, err = program('sweep', '--name=s')
    assert code == 0
    assert out.splitlines() == [
        '2 finished',
        f'best: {sweep.run(sweep.proposals()[0].name)} with A = 1: loss 0.5',
        f'sweep: {sweep.folder}',
    ]
    assert 'no plots: ' in err


@pytest.mark.slow
@pytest.mark.parametrize('search', sweeps.SEARCHES)
def test_killed_workers_change_no_bit(tmp_path: Path, search: str) -> None:
    case = sweeps.SweepCampaign(tmp_path, runs=6, seed=0).case(search)
    assert case.differing == case.free_waits == []
    assert case.runs == 6
    assert case.finished == (2 if search == 'halving' else 6)
    sweep = Sweep(tmp_path / f'workspace/sweeps/{search}-killed')
    claimed = [line for line in sweeps.log(sweep) if line['event'] == 'claimed']
    assert len(claimed) > len([line for line in sweeps.log(sweep) if line['event'] == 'ended'])
    assert {(line['pid'], line['worker']) for line in claimed} > {(claimed[0]['pid'], '0')}
    for name in ('plots.html', 'journal.log', 'comparison.md', 'comparison.html'):
        assert (sweep.folder / name).is_file() or search == 'halving'  # one run makes no plots


@pytest.mark.slow
@pytest.mark.parametrize(('number', 'code'), [(signal.SIGINT, -signal.SIGINT), (signal.SIGTERM, 75)])
def test_a_signal_stops_all_workers_and_the_same_command_continues(
    tmp_path: Path, number: int, code: int
) -> None:
    config = write_config(tmp_path, STEPS='STEPS = 100000')
    flags = (f'--gin_file={config}', '--vary', 'SEED=0..2', '--workers=2', '--json')
    process = start(tmp_path, *flags)
    runs = tmp_path / 'sweeps/s/runs'
    deadline = time.monotonic() + 240
    while len([path for path in runs.glob('*/logs/train.jsonl') if path.stat().st_size]) < 2:
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.1)
    os.kill(process.pid, number)
    text, _ = process.communicate(timeout=60)
    assert process.returncode == code, text
    assert 'stopped. The same command continues.' in text
    assert 'Traceback' not in text
    statuses = [json.loads(path.read_text()) for path in runs.glob('*/status.json')]
    assert [status['state'] for status in statuses] == ['interrupted'] * 2
    assert not any(Path(f'/proc/{status["pid"]}').exists() for status in statuses)
    assert not list((tmp_path / 'sweeps/s/ended').iterdir())
    sweep = Sweep(tmp_path / 'sweeps/s')
    assert [claims.owner(sweep.folder / 'claims', run.name) for run in sweep.proposals()] == [''] * 3
    before = {status['id']: status['step'] for status in statuses}
    process = start(tmp_path, *flags)
    while not any(status['step'] > before.get(status['id'], 1e9) for status in map(read, runs.iterdir())):
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.1)
    process.terminate()
    process.communicate(timeout=60)


def read(run: Path) -> dict:
    return files.read_json(run / 'status.json') or {'step': 0, 'id': ''}


@pytest.mark.slow
def test_a_sweep_ends_in_its_runs_the_best_one_and_a_comparison_on_validation_data(tmp_path: Path) -> None:
    config = write_config(tmp_path, 'trainer.Trainer.evaluate_every = 5')
    flags = (f'--gin_file={config}', '--vary', 'RATE=0.0,0.03', '--metric=accuracy', '--name=s')
    process = subprocess.run(
        [sys.executable, '-m', 'engine.commands.sweep', *flags, '--json'],
        env={**os.environ, 'WORKSPACE': str(tmp_path), 'JAX_PLATFORMS': 'cpu'},
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=False,
    )
    assert process.returncode == 0, process.stderr
    document = json.loads(process.stdout)
    first, second = document['runs']
    assert [run['parameters'] for run in document['runs']] == [{'RATE': 0.0}, {'RATE': 0.03}]
    assert document['states'] == {'finished': 2}
    assert document['best'] == (first if first['value'] >= second['value'] else second)['run']
    assert (document['metric'], document['better']) == ('accuracy', 'higher')
    assert {Path(name).name for name in document['files']} > {'comparison.md', 'journal.log'}
    assert all(Path(name).exists() for name in document['files'])
    assert 'comparison on val:' in process.stderr
    # What changes is named, and no run is trained.
    config.write_text(config.read_text().replace('STEPS = 14', 'STEPS = 15'))
    changed = start(tmp_path, f'--gin_file={config}', '--vary', 'RATE=0.0,0.03', '--metric=accuracy')
    text, _ = changed.communicate()
    assert changed.returncode == 2
    assert 'is another sweep' in text
    assert 'gin_files' in text


def test_waits_while_a_run_is_free_are_found_in_the_log() -> None:
    """Worker 2 waits from second 10 to 20 for the run `a`, which worker 1 holds."""

    def line(time: float, event: str, worker: int, **values: object) -> dict:
        return {
            'time': time,
            'event': event,
            'host': 'h',
            'pid': worker,
            'worker': '0',
            'until': None,
            **values,
        }

    claimed = line(1, 'claimed', 1, run='a')
    waits, ended = line(10, 'waits', 2, holders={'a': 'h:1'}), line(20, 'ended', 1, run='a', exit_code=0)
    again = line(20.4, 'claimed', 2, run='b')
    assert sweeps.free_waits([claimed, waits, ended, again]) == []
    unheld = line(10, 'waits', 2, holders={'a': ''})
    assert sweeps.free_waits([claimed, unheld, again]) == ['a was free while worker 2 waited']
    killed = line(12, 'ended', 1, run='a', exit_code=-9)
    assert sweeps.free_waits([claimed, waits, killed, again]) == ['a was free while worker 2 waited']
    soon = line(12.6, 'claimed', 2, run='a')
    assert sweeps.free_waits([claimed, waits, killed, soon]) == []
    assert (
        sweeps.free_waits([claimed, line(20, 'waits', 2, holders={'a': ''}), ended, line(30, 'x', 2)]) == []
    )
