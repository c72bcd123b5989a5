"""Observers: called in order and ended whatever happens; one of a project's own is a new file."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from engine.errors import Interrupted
from engine.training.observers.observer import ObservedRun, Observer, ObserverGroup
from engine.workspace import REPOSITORY
from tests.engine.training.observers.observed_run import observed_run


class Recorder(Observer):
    """Records its calls in a list that several observers share."""

    def __init__(self, name: str, calls: list[str], fails_at: str = ''):
        self.name, self.calls, self.fails_at = name, calls, fails_at

    def record(self, call: str) -> None:
        self.calls.append(f'{self.name} {call}')
        if self.fails_at == call:
            raise RuntimeError(call)

    def on_start(self, run: ObservedRun) -> None:
        self.record('start')

    def on_steps(self, steps: Any, metrics: Any) -> None:
        self.record(f'steps {steps}')

    def on_progress(self, step: int) -> None:
        self.record(f'progress {step}')

    def on_evaluation(self, step: int, metrics: Any, seconds: Any, state: Any) -> None:
        self.record(f'evaluation {step}')

    def on_end(self, status: str) -> None:
        self.record(status)


def test_all_observers_get_every_call() -> None:
    calls: list[str] = []
    group = ObserverGroup([Recorder('a', calls), Recorder('b', calls)])
    with group.watching(observed_run(Path())):
        group.on_steps(np.array([1, 2]), {'loss': np.ones(2)})
        group.on_progress(2)
        group.on_evaluation(2, {'loss': 1.0}, {}, {})
    expected = ['start', 'steps [1 2]', 'progress 2', 'evaluation 2']
    assert calls[:-2] == [f'{name} {call}' for call in expected for name in 'ab']
    assert sorted(calls[-2:]) == ['a finished', 'b finished']


@pytest.mark.parametrize(
    ('error', 'status'),
    [(ValueError, 'failed'), (Interrupted, 'interrupted'), (KeyboardInterrupt, 'interrupted')],
)
def test_an_observer_learns_how_the_run_ended(error: type[BaseException], status: str) -> None:
    calls: list[str] = []
    with pytest.raises(error), ObserverGroup([Recorder('a', calls)]).watching(observed_run(Path())):
        raise error
    assert calls == ['a start', f'a {status}']


def test_observers_that_were_started_are_ended() -> None:
    """Though another one fails to start, or to end."""
    calls: list[str] = []
    names = {'a': '', 'b': 'failed', 'c': 'start', 'd': ''}
    group = ObserverGroup([Recorder(name, calls, fails_at) for name, fails_at in names.items()])
    with pytest.raises(RuntimeError), group.watching(observed_run(Path())):
        pass
    assert calls == ['a start', 'b start', 'c start', 'b failed', 'a failed']


OBSERVER = '''
"""The largest weight of the network after each evaluation, and the loss of each step."""

import jax
from engine.runs import json_lines
from engine.training.observers.observer import Observer


class Weights(Observer):
    def __init__(self, file: str):
        self._name = file

    def on_start(self, run):
        self._file = json_lines.JsonLines(run.folder / 'logs' / self._name, run.step)

    def on_steps(self, steps, metrics):
        for step, loss in zip(steps, metrics['loss']):
            self._file.write({'step': int(step), 'loss': float(loss)})

    def on_evaluation(self, step, metrics, seconds, state):
        largest = max(float(abs(leaf).max()) for leaf in jax.tree.leaves(state['params']))
        self._file.write({'step': step, 'largest': largest})

    def on_save(self, step):
        self._file.flush()

    def on_end(self, status):
        self._file.close()
'''


@pytest.mark.parametrize('fault', ['step@7', 'step@13'])
def test_an_observer_in_a_new_file_repeats_after_a_kill(
    fault: str, config_file: Callable[..., Path], tmp_path: Path
) -> None:
    (tmp_path / 'weights_observer.py').write_text(OBSERVER)
    config = config_file(
        'import weights_observer',
        'trainer.Trainer.observers = [@weights_observer.Weights()]',
        "weights_observer.Weights.file = 'weights.jsonl'",
    )

    def train(run: str, **environment: str) -> int:
        command = [
            sys.executable,
            '-m',
            'engine.commands.train',
            f'--gin_file={config}',
            f'--run={tmp_path / run}',
        ]
        paths = f'{tmp_path}{os.pathsep}{REPOSITORY}'
        return subprocess.run(
            command, cwd=REPOSITORY, env=os.environ | {'PYTHONPATH': paths} | environment, check=False
        ).returncode

    assert train('whole') == 0
    assert train('killed', FAULT=fault) == -signal.SIGKILL
    assert train('killed') == 0
    for name in ('weights.jsonl', 'train.jsonl', 'val.jsonl'):
        whole, killed = ((tmp_path / run / 'logs' / name).read_text() for run in ('whole', 'killed'))
        assert whole == killed
        assert whole.count('\n') >= 4
    assert not list((tmp_path / 'whole/logs').glob('events.*'))  # the config names no TensorBoard
