"""What a run always writes down: each line once, the best evaluation, and where the time went."""

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax.numpy as jnp
import pytest
from clu.metrics import Average

from engine.runs import json_lines
from engine.training.logs.clock import Clock
from engine.training.logs.metric_log import MetricLog
from engine.training.logs.metric_logger import MetricLogger, NonFinite
from engine.training.logs.metrics import BlockMeans
from engine.training.logs.packed import PackedMetrics, pack
from engine.training.observers.observer import Observer
from tests.engine.conftest import Clock as Time

NAN = math.nan


def epoch(steps: int) -> float:
    return steps / 4


@pytest.fixture
def beats() -> list[int]:
    """The steps at which the heart of the run has beaten."""
    return []


@pytest.fixture
def metric_logger(tmp_path: Path, beats: list[int]) -> Callable[..., MetricLogger]:
    """Opens the logs of one run: metric_logger(step) continues from there."""

    def moved(step: int | None) -> None:
        if step is not None:
            beats.append(step)

    def opened(
        step: int = 0,
        nonfinite: Any = 'skip',
        observer: Observer | None = None,
        best: int | None = None,
        every: int = 1,
    ) -> MetricLogger:
        log = MetricLog(tmp_path, step, epoch, BlockMeans(every, 99), best)
        return MetricLogger(log, Clock(), observer or Observer(), moved, nonfinite)

    return opened


def losses(*values: float) -> PackedMetrics:
    """Returns the metrics of a group of steps."""
    return pack({'loss': Average(total=jnp.array(values), count=jnp.ones(len(values)))})  # type: ignore[call-arg]


def test_every_step_has_its_line(metric_logger: Any, beats: list[int], tmp_path: Path) -> None:
    with metric_logger() as opened:
        opened.log_steps(0, losses(5))
        opened.log_steps(1, losses(4, 3))
        opened.flush()
        assert json_lines.read(tmp_path / 'train.jsonl') == [
            {'step': 1, 'epoch': 0.25, 'loss': 5},
            {'step': 2, 'epoch': 0.5, 'loss': 4},
            {'step': 3, 'epoch': 0.75, 'loss': 3},
        ]
    assert beats == [3]


def test_leaving_writes_what_is_still_on_the_device(metric_logger: Any, tmp_path: Path) -> None:
    with metric_logger() as opened:
        opened.log_steps(0, losses(5))
    assert [line['step'] for line in json_lines.read(tmp_path / 'train.jsonl')] == [1]


def test_leaving_by_an_error_closes_and_waits_for_nothing(metric_logger: Any, tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match='out of memory'), metric_logger() as opened:
        opened.log_evaluation(0, {'loss': 1.0}, {})
        opened.log_steps(0, losses(5))
        raise RuntimeError('out of memory')
    assert json_lines.read(tmp_path / 'train.jsonl') == []
    assert len(json_lines.read(tmp_path / 'val.jsonl')) == 1


def test_going_on_writes_the_lines_after_the_step_anew(metric_logger: Any, tmp_path: Path) -> None:
    for start, loss in ((0, 1.0), (2, 2.0)):
        with metric_logger(start) as opened:
            for step in range(start, 4):
                opened.log_steps(step, losses(loss))
                opened.flush()
                opened.log_evaluation(step + 1, {'loss': loss}, {})
    for name in ('train', 'val'):
        lines = json_lines.read(tmp_path / f'{name}.jsonl')
        assert [(line['step'], line['loss']) for line in lines] == [(1, 1), (2, 1), (3, 2), (4, 2)]


def test_evaluations_are_remembered_after_reopening(metric_logger: Any) -> None:
    with metric_logger() as opened:
        for step in (4, 8):
            assert not opened.log.has_evaluation(step)
            opened.log_evaluation(step, {'loss': 1.0}, {})
            assert opened.log.has_evaluation(step)
    with metric_logger(8) as opened:
        assert [opened.log.has_evaluation(step) for step in (3, 4, 8, 12)] == [False, True, True, False]
    with metric_logger(5) as opened:
        assert [opened.log.has_evaluation(step) for step in (4, 8)] == [True, False]


SEQUENCES = {
    'min': ([3, 2, 2, 4, 1], [True, True, False, False, True]),
    'max': ([3, 2, 3, 4, 1], [True, False, False, True, False]),
}


@pytest.mark.parametrize('direction', SEQUENCES)
def test_the_best_is_better_than_all_before(direction: str, metric_logger: Any) -> None:
    values, expected = SEQUENCES[direction]
    with metric_logger() as opened:
        for step, (value, best) in enumerate(zip(values, expected, strict=True), 1):
            opened.log_evaluation(step, {'score': value, 'other': -step}, {})
            assert opened.log.note_best('score', direction) is best


@pytest.mark.parametrize('direction', ['min', 'max'])
def test_nan_is_never_best_and_never_in_the_way(direction: Any, metric_logger: Any) -> None:
    with metric_logger() as opened:
        result = []
        for step, value in enumerate([NAN, 2.0, NAN, 2.0], 1):
            opened.log_evaluation(step, {'loss': value}, {})
            result.append(opened.log.note_best('loss', direction))
    assert result == [False, True, False, False]


def test_the_best_is_the_best_of_the_whole_run(metric_logger: Any) -> None:
    with metric_logger() as opened:
        opened.log_evaluation(4, {'loss': 1.0}, {})
        opened.log_evaluation(8, {'loss': 0.1}, {})  # a run that continues from step 5 writes it again
    with metric_logger(5, best=4) as opened:
        opened.log_evaluation(8, {'loss': 2.0}, {})
        assert not opened.log.note_best('loss', 'min')
        opened.log_evaluation(12, {'loss': 0.5}, {})
        assert opened.log.note_best('loss', 'min')
        assert opened.log.record()['best'] == '12'


def test_without_a_best_so_far_the_next_evaluation_is_best(metric_logger: Any) -> None:
    with metric_logger() as opened:
        assert opened.log.record()['best'] == ''
        opened.log_evaluation(4, {'loss': 1.0}, {})
    with metric_logger(5) as opened:  # the checkpoint of step 4 is lost
        opened.log_evaluation(8, {'loss': 2.0}, {})
        assert opened.log.note_best('loss', 'min')


@pytest.mark.parametrize('value', [0.0, -1.0, 1e-30])
def test_the_evaluation_before_the_first_step_can_be_best(value: float, metric_logger: Any) -> None:
    with metric_logger() as opened:
        opened.log_evaluation(0, {'loss': value}, {})
        assert opened.log.note_best('loss', 'min')
        opened.log_evaluation(4, {'loss': 2.0}, {})
        assert not opened.log.note_best('loss', 'min')
        assert opened.log.record()['best'] == '0'


def test_a_metric_that_older_lines_lack_is_compared_from_its_first_line_on(metric_logger: Any) -> None:
    with metric_logger() as opened:
        opened.log_evaluation(4, {'loss': 1.0}, {})
        assert opened.log.note_best('loss', 'min')
        opened.log_evaluation(8, {'loss': 2.0, 'accuracy': 0.1}, {})
        assert opened.log.note_best('accuracy', 'max')


class Watcher(Observer):
    """Keeps what it is told."""

    def __init__(self) -> None:
        self.steps: list[tuple[list[int], list[float]]] = []
        self.seconds: list[Any] = []
        self.progress: list[int] = []

    def on_steps(self, steps: Any, metrics: Any) -> None:
        self.steps.append((steps.tolist(), metrics['loss'].tolist()))

    def on_progress(self, step: int) -> None:
        self.progress.append(step)

    def on_evaluation(self, step: int, metrics: Any, seconds: Any, state: Any) -> None:
        self.seconds.append((step, metrics, seconds, state))


def test_the_observer_sees_what_was_written(metric_logger: Any, clock: Time) -> None:
    watcher = Watcher()
    with metric_logger(observer=watcher) as opened:
        opened.log_steps(0, losses(5))
        opened.log_steps(1, losses(4, 3))
        opened.flush()
        clock.now += 3
        opened.log_evaluation(3, {'loss': 2.0}, {'params': 1})
    assert watcher.steps == [([1, 2, 3], [5, 4, 3])]
    ((step, metrics, seconds, state),) = watcher.seconds
    assert (step, metrics, state) == (3, {'loss': 2.0}, {'params': 1})
    assert (seconds['other'], seconds['total']) == (3, 3)


def test_the_observer_sees_progress_between_the_lines(metric_logger: Any, beats: list[int]) -> None:
    watcher = Watcher()
    with metric_logger(observer=watcher, every=4) as opened:
        for step in range(10):
            opened.log_steps(step, losses(step))
            opened.flush()
    assert watcher.steps == [([4], [1.5]), ([8], [5.5])]
    assert watcher.progress == beats == list(range(1, 11))


@pytest.mark.parametrize('value', [NAN, math.inf])
def test_a_step_that_is_not_finite_stops_the_run(value: float, metric_logger: Any, tmp_path: Path) -> None:
    watcher = Watcher()
    with pytest.raises(NonFinite, match='step 3: loss is'), metric_logger(0, 'stop', watcher) as opened:
        opened.log_steps(0, losses(5, 4, value, 2))
        opened.flush()
    assert [line['step'] for line in json_lines.read(tmp_path / 'train.jsonl')] == [1, 2]
    assert watcher.steps == [([1, 2], [5, 4])]


def test_every_step_of_a_block_is_checked(metric_logger: Any, tmp_path: Path) -> None:
    with pytest.raises(NonFinite, match='step 6: loss is nan'), metric_logger(0, 'stop', every=4) as opened:
        opened.log_steps(0, losses(5, 4, 3, 2, 1, NAN, 2, 1))
        opened.flush()
    assert json_lines.read(tmp_path / 'train.jsonl') == [{'step': 4, 'epoch': 1, 'loss': 3.5}]


def test_a_step_that_is_not_finite_may_be_skipped(metric_logger: Any, tmp_path: Path) -> None:
    with metric_logger(0, 'skip') as opened:
        opened.log_steps(0, losses(5, NAN, 3))
    assert [line['loss'] for line in json_lines.read(tmp_path / 'train.jsonl')] == [5, None, 3]
