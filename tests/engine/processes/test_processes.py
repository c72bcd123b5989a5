"""Several real processes train one run: what they compute, how they stop, how they notice a loss."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from engine import files, outputs
from engine.runs import json_lines
from engine.workspace import REPOSITORY
from tests.conftest import write_config

Ends = list[tuple[int, str]]


def train(config: Path, run: Path, count: int, faults: dict[int, str] | None = None) -> Ends:
    """Trains in `count` processes, some with a fault; returns exit code and output by process."""
    with socket.socket() as server:
        server.bind(('localhost', 0))
        port = server.getsockname()[1]
    command = [sys.executable, '-m', 'engine.commands.train', f'--gin_file={config}', f'--run={run}']
    places = [
        [f'--processes={count}', f'--process={i}', f'--coordinator=localhost:{port}'] for i in range(count)
    ]
    processes = [
        subprocess.Popen(
            command + (place if count > 1 else []),
            cwd=REPOSITORY,
            env=os.environ | {'FAULT': (faults or {}).get(index, '')},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        for index, place in enumerate(places)
    ]
    texts = [process.communicate(timeout=240)[0] for process in processes]
    return [(process.returncode, text) for process, text in zip(processes, texts, strict=True)]


def codes(ends: Ends) -> list[int]:
    return [code for code, _ in ends]


def losses(run: Path) -> list[float]:
    lines = json_lines.read(run / 'logs' / 'train.jsonl')
    assert [line['step'] for line in lines] == list(range(1, len(lines) + 1))
    return [line['loss'] for line in lines]


@pytest.fixture(scope='module')
def config(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_config(tmp_path_factory.mktemp('config'))


@pytest.fixture(scope='module')
def alone(config: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An undisturbed run in one process."""
    run = tmp_path_factory.mktemp('alone') / 'run'
    assert codes(train(config, run, 1)) == [0]
    return run


def assert_like(run: Path, alone: Path) -> None:
    """Asserts the same batches: every loss agrees, and so do the predictions."""
    np.testing.assert_allclose(losses(run), losses(alone), rtol=1e-4)
    for split in ('val', 'test'):
        actual, expected = (outputs.read(folder / 'outputs' / split) for folder in (run, alone))
        assert actual.ids == expected.ids
        np.testing.assert_allclose(actual.arrays['logits'], expected.arrays['logits'], rtol=1e-2, atol=1e-3)


def test_two_processes_train_what_one_does(config: Path, alone: Path, tmp_path: Path) -> None:
    ends = train(config, tmp_path / 'run', 2)
    assert codes(ends) == [0, 0], ends
    assert ends[0][1].splitlines()[-1] == f'run: {tmp_path / "run"}'
    assert 'step' not in ends[1][1]
    assert_like(tmp_path / 'run', alone)
    assert files.read_json(tmp_path / 'run' / 'environment.json')['processes'] == 2


@pytest.mark.parametrize(('asked', 'continued'), [(1, 1), pytest.param(0, 4, marks=pytest.mark.slow)])
def test_a_signal_to_one_stops_and_saves_all(
    asked: int, continued: int, config: Path, alone: Path, tmp_path: Path
) -> None:
    ends = train(config, tmp_path / 'run', 2, {asked: 'step@7:SIGTERM'})
    assert codes(ends) == [75, 75], ends
    status = files.read_json(tmp_path / 'run' / 'status.json')
    assert status['state'] == 'interrupted'
    assert 7 <= status['step'] < 14
    assert (tmp_path / 'run' / 'checkpoints' / 'latest' / str(status['step'])).is_dir()
    ends = train(config, tmp_path / 'run', continued)
    assert codes(ends) == [0] * continued, ends
    assert_like(tmp_path / 'run', alone)


def test_when_one_is_killed_the_first_ends_and_says_why(config: Path, tmp_path: Path) -> None:
    began = time.monotonic()
    ends = train(config, tmp_path / 'run', 2, {1: 'step@7'})
    assert time.monotonic() - began < 60
    assert codes(ends) == [1, -signal.SIGKILL], ends
    message = r'error: process 1 of 2 has sent no heartbeat .*\. To resume, run the same command again\.'
    assert re.search(message, ends[0][1])
    assert 'Traceback' not in ends[0][1]
    assert files.read_json(tmp_path / 'run' / 'status.json')['state'] == 'failed'


def test_when_the_first_is_killed_the_others_are_ended(config: Path, tmp_path: Path) -> None:
    began = time.monotonic()
    ends = train(config, tmp_path / 'run', 2, {0: 'step@7'})
    assert time.monotonic() - began < 60
    assert codes(ends)[0] == -signal.SIGKILL
    assert codes(ends)[1] in (1, -signal.SIGABRT)
    assert re.search('first process cannot be reached|another task died', ends[1][1])


def test_a_mistake_is_reported_once(config: Path, tmp_path: Path) -> None:
    wrong = tmp_path / 'wrong.gin'
    wrong.write_text(config.read_text() + 'mlp.MLP.widht = 3\n')
    ends = train(wrong, tmp_path / 'run', 2)
    assert codes(ends) == [2, 2]
    assert ['widht' in text for _, text in ends] == [True, False]
    assert not (tmp_path / 'run').exists()


@contextmanager
def launched(config: Path, run: Path) -> Iterator[subprocess.Popen[str]]:
    """A long training in two processes by the launcher, after its first evaluation."""
    longer = run.parent / 'longer.gin'
    longer.write_text(config.read_text().replace('STEPS = 14', 'STEPS = 100000'))
    flags = [f'--gin_file={longer}', f'--run={run}', '--processes=2']
    with subprocess.Popen(
        [sys.executable, '-m', 'engine.commands.train', *flags],
        cwd=REPOSITORY,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as started:
        assert started.stdout
        assert any('val:' in line for line in started.stdout)  # both are at work
        yield started


@pytest.mark.parametrize('times', [1, pytest.param(2, marks=pytest.mark.slow)])
def test_a_launcher_passes_ctrl_c_on(times: int, config: Path, tmp_path: Path) -> None:
    """The second one ends processes in the middle of a step, which is not a failure of the others."""
    with launched(config, tmp_path / 'run') as started:
        for _ in range(times):
            started.send_signal(signal.SIGINT)
            time.sleep(0.4)
        out, err = started.communicate(timeout=60)
    assert started.returncode == -signal.SIGINT, out  # a loop of a shell ends too
    assert ('To resume' in out, err) == (True, '')
    assert files.read_json(tmp_path / 'run' / 'status.json')['state'] == 'interrupted'


@pytest.mark.slow
def test_several_processes_answer_in_one_json_document(config: Path, tmp_path: Path) -> None:
    flags = [f'--gin_file={config}', f'--run={tmp_path / "run"}', '--processes=2', '--json']
    done = subprocess.run(
        [sys.executable, '-m', 'engine.commands.train', *flags],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=True,
    )
    document = json.loads(done.stdout)
    assert (document['state'], document['step'], document['devices']) == ('finished', 14, 2)


@pytest.mark.slow
def test_processes_that_sleep_together_lose_nobody(config: Path, tmp_path: Path) -> None:
    with launched(config, tmp_path / 'run') as started:
        children = subprocess.check_output(['pgrep', '-P', str(started.pid)], text=True).split()
        for number in (signal.SIGSTOP, signal.SIGCONT):
            for child in children:
                os.kill(int(child), number)
                time.sleep(0.3)  # they do not wake at once
            time.sleep(20)  # longer than a heartbeat may stay out
        assert started.poll() is None
        started.send_signal(signal.SIGTERM)
        _, err = started.communicate(timeout=60)
    assert (started.returncode, err) == (75, '')


MISTAKES: dict[str, tuple[list[str], str]] = {
    'none': (['--processes=0'], 'at least 1'),
    'no coordinator': (['--processes=2', '--process=1'], '--coordinator=HOST:PORT'),
    'not below': (['--processes=2', '--process=2', '--coordinator=localhost:1'], '0 to 1'),
}


@pytest.mark.parametrize('mistake', MISTAKES)
def test_flags_that_do_not_fit(mistake: str, program: Callable[..., Any]) -> None:
    flags, message = MISTAKES[mistake]
    code, _, err = program('train', '--gin_file=nothing.gin', *flags)
    assert code == 2
    assert message in err
