"""Progress: plain lines from time to time, a bar on a terminal."""

import os
import pty
import re
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout, suppress
from pathlib import Path

import numpy as np
import pytest

from engine.runs import text_log
from engine.training.observers.progress import DRAW_SECONDS, EVALUATION_SECONDS, LINE_SECONDS, Progress
from tests.engine.conftest import Clock
from tests.engine.training.observers.observed_run import observed_run


def started(step: int = 0) -> Progress:
    progress = Progress()
    progress.on_start(observed_run(Path(), step))
    return progress


def show(progress: Progress, step: int, **metrics: float) -> None:
    progress.on_steps(np.array([step]), {name: np.array([value]) for name, value in metrics.items()})
    progress.on_progress(step)


def test_a_line_from_time_to_time(clock: Clock, said: list[str]) -> None:
    progress = started()
    for step in (1, 2, 3, 4, 5):
        clock.now += LINE_SECONDS * 0.4
        show(progress, step, loss=1 / step)
    assert len(said) == 1
    clock.now += LINE_SECONDS
    progress.on_steps(np.array([19, 20]), {'loss': np.array([0.25, 0.125])})
    progress.on_progress(20)
    assert len(said) == 2
    assert said[-1] == 'step 20/100  epoch 2.0  loss 0.1250  5 examples/s  0:02:00 left'


def test_an_evaluation_is_said_at_once(clock: Clock, said: list[str]) -> None:
    progress = started()
    clock.now += 1
    show(progress, 10, loss=0.5)
    progress.on_evaluation(10, {'loss': 0.25, 'accuracy': 0.9}, {}, {})
    end = 'val: loss 0.2500  accuracy 0.9000'
    assert said == [f'step 10/100  epoch 1.0  loss 0.5000  80 examples/s  0:00:09 left  {end}']


def test_of_fast_evaluations_some_are_said_and_the_last_one(clock: Clock, said: list[str]) -> None:
    """A small network is evaluated a hundred times a second."""
    progress = started()
    for step in range(1, 40):
        clock.now += EVALUATION_SECONDS / 10
        progress.on_evaluation(step, {'loss': 0.5}, {}, {})
    progress.on_end('finished')
    assert 4 <= len(said) <= 6
    assert (said[0][:7], said[-1][:8]) == ('step 1/', 'step 39/')


def test_earlier_steps_do_not_make_a_continued_run_look_fast(clock: Clock, said: list[str]) -> None:
    progress = started(step=50)
    clock.now += 10
    progress.on_evaluation(60, {'loss': 0.5}, {}, {})
    assert ' 8 examples/s  0:00:40 left' in said[0]


def test_the_time_left_is_unknown_before_the_first_step(clock: Clock, said: list[str]) -> None:
    started(step=50).on_evaluation(50, {'loss': 0.5}, {}, {})
    assert '0 examples/s  ? left' in said[0]


def test_a_task_may_have_no_loss(clock: Clock, said: list[str]) -> None:
    progress = started()
    clock.now += LINE_SECONDS
    show(progress, 10, critic=0.5)
    assert said == ['step 10/100  epoch 1.0  8 examples/s  0:01:30 left']


@pytest.fixture(autouse=True)
def usual_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """The terminal in which the tests run has no influence."""
    monkeypatch.setenv('TERM', 'xterm')
    monkeypatch.delenv('COLUMNS', raising=False)


@contextmanager
def terminal() -> Iterator[list[str]]:
    """Puts a terminal in the place of stdout; the list holds in the end what was written, without colours."""
    ours, theirs = pty.openpty()
    text: list[str] = []
    with os.fdopen(theirs, 'w') as file, redirect_stdout(file):
        yield text
    text.append(re.sub(r'\x1b\[[0-9;]*m', '', b''.join(chunks(ours)).decode()))
    os.close(ours)


def chunks(descriptor: int) -> Iterator[bytes]:
    with suppress(OSError):  # a terminal raises it at its end
        while chunk := os.read(descriptor, 65536):
            yield chunk


def test_a_bar_on_a_terminal(clock: Clock, said: list[str]) -> None:
    with terminal() as text:
        progress = started()
        clock.now += 1
        show(progress, 30, loss=0.125)
        show(progress, 31, loss=0.125)  # too soon to be drawn
        progress.on_evaluation(30, {'loss': 0.25}, {}, {})
        progress.on_end('finished')
    assert re.search(r'#{6}\.{14} 30/100 epoch 3\.0  loss 0\.1250  .* examples/s ', text[0])
    assert ' 31/100' not in text[0]
    assert text[0].endswith('\r\x1b[2K')  # the bar is gone
    assert [line.split('val: ')[1] for line in said] == ['loss 0.2500']


def test_a_bar_is_drawn_a_few_times_a_second(clock: Clock, said: list[str]) -> None:
    """However often the loop reports."""
    with terminal() as text:
        progress = started()
        for step in range(1, 98):
            clock.now += DRAW_SECONDS / 10
            show(progress, step, loss=0.5)
        progress.on_end('finished')
    drawn = [int(step) for step in re.findall(r'(\d+)/100', text[0])]
    assert 9 <= len(drawn) <= 13


def test_lines_stand_above_the_bar(loggers: None) -> None:
    with terminal() as text:
        text_log.to_terminal()
        progress = started()
        text_log.logger.info('something [worth] saying')
        progress.on_end('finished')
    bar = f'{"." * 20} 0/100 '
    assert text[0] == f'\r\x1b[2K{bar}\r\x1b[2Ksomething [worth] saying\r\n{bar}\r\x1b[2K'


@pytest.mark.parametrize('kind', ['dumb', 'unknown', ''])
def test_a_terminal_that_cannot_move_its_cursor_gets_plain_lines(
    kind: str, loggers: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv('TERM', kind)
    with terminal() as text:
        text_log.to_terminal()
        progress = started()
        progress.on_evaluation(10, {'loss': 0.5, 'some_metric': 0.25, 'another_metric': 0.125}, {}, {})
        progress.on_end('finished')
    assert text[0].count('\r\n') == 1
    assert '\x1b' not in text[0]


@pytest.mark.parametrize('columns', ['0', '1', '12', 'wide'])
def test_a_bar_fits_any_width(columns: str, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv('COLUMNS', columns)
    monkeypatch.setenv('TERM', 'xterm')
    with terminal() as text:
        progress = started()
        clock.now += 1
        show(progress, 30, loss=0.125)
        progress.on_end('finished')
    width = int(columns) - 1 if columns in ('1', '12') else 79
    assert len(text[0].split('\r\x1b[2K')[2]) <= max(width, 1)
    assert text[0].endswith('\r\x1b[2K')
