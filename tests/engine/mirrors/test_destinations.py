"""Each destination holds the numbers of the plain files once, as the real packages read them."""

import json
import os
import socket
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from engine.mirrors.visdom import OLDEST_PYTHON
from engine.workspace import REPOSITORY
from tests.engine.mirrors import preempted_run
from tests.engine.sample_runs import write_lines

PYTHON = Path(os.environ.get('MIRRORS_PYTHON') or REPOSITORY / '.venv-mirrors/bin/python')
pytestmark = pytest.mark.skipif(
    not PYTHON.exists(), reason='needs .venv-mirrors, which scripts/mirror.sh --help installs'
)


def free_port() -> int:
    with socket.socket() as found:
        found.bind(('127.0.0.1', 0))
        return found.getsockname()[1]


@pytest.fixture
def visdom_server(tmp_path: Path) -> Iterator[str]:
    """The address of a Visdom server of the test's own, on the loopback."""
    code = f'import sys; sys.exit(sys.version_info < {OLDEST_PYTHON})'
    if subprocess.run([PYTHON, '-c', code], check=False).returncode:
        pytest.skip('visdom needs a newer Python')
    port = free_port()
    code = 'from visdom.server.run_server import main; main()'
    flags = ['-bind_local', f'-port={port}', f'-env_path={tmp_path / "visdom"}']
    with subprocess.Popen(
        [PYTHON, '-c', code, *flags], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as server:
        try:
            wait_for(address := f'http://127.0.0.1:{port}')
            yield address
        finally:
            server.terminate()


def wait_for(address: str) -> None:
    deadline = time.monotonic() + 60
    while True:
        try:
            urllib.request.urlopen(address, timeout=5).close()
            return
        except OSError:
            assert time.monotonic() < deadline
            time.sleep(0.2)


def report(tool: str, place: str, folder: Path) -> dict[str, Any]:
    """Runs the scenario in the environment of the mirrors."""
    ended = subprocess.run(
        [PYTHON, '-m', 'tests.engine.mirrors.scenario', tool, place, str(folder)],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert ended.returncode == 0, ended.stderr
    return json.loads(ended.stdout.splitlines()[-1])


def assert_equal(found: dict[str, list], wanted: dict[str, list], dtype: type) -> None:
    """The same steps in the same order, each once, and the same numbers to the bit."""
    curves = {name: entries for name, entries in found.items() if not name.startswith('performance/')}
    assert curves.keys() == wanted.keys()
    for name, entries in wanted.items():
        assert [step for step, _ in curves[name]] == [step for step, _ in entries], name
        assert [value for _, value in curves[name]] == [dtype(value) for _, value in entries], name


def wanted_curves(folder: Path) -> tuple[dict[str, list], dict[str, list], dict[str, list]]:
    """What the files hold at the three times when the scenario reads the destination."""
    for _ in preempted_run.killed_and_continued(folder / 'wanted'):
        pass
    preempted = preempted_run.expected(folder / 'wanted')
    preempted_run.train_again(folder / 'wanted')
    again = preempted_run.expected(folder / 'wanted')
    lines = [{'step': step, 'loss': 1 / step, 'accuracy': step / 7} for step in range(1, 4001)]
    write_lines(folder / 'wanted', 'train', lines)
    return preempted, again, preempted_run.expected(folder / 'wanted')


@pytest.mark.parametrize('tool', ['tensorboard', 'mlflow', 'wandb', 'visdom'])
def test_a_preempted_run_is_one_curve_and_copied_once(tool: str, tmp_path: Path, request) -> None:
    place = request.getfixturevalue('visdom_server') if tool == 'visdom' else str(tmp_path / 'mirror')
    found = report(tool, place, tmp_path)
    preempted, again, last = wanted_curves(tmp_path)
    dtype = np.float32 if tool == 'tensorboard' else float
    assert_equal(found['preempted'], preempted, dtype)
    assert [step for step, _ in found['preempted']['performance/examples_per_second']] == [4, 8, 12, 16, 20]
    assert_equal(found['trained again'], again, dtype)
    assert_equal(found['copies killed'], last, dtype)
    if tool != 'visdom':  # which draws whole windows
        *copies, replaced = found['copies']
        assert [copied['numbers'] > 0 for copied in copies] == [True, False] * 5
        assert [copied['replaced'] for copied in (*copies, replaced)] == [False] * 10 + [True]
