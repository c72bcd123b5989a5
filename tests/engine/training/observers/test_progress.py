"""What is said while a run goes: plain lines from time to time, a bar on a terminal."""

import os
import pty
import re
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout, suppress

from engine.runs import text_log
from engine.training.observers.progress import SECONDS, Bar, Progress, progress
from tests.engine.conftest import Clock


def epoch(steps: int) -> float:
    return steps / 10


def begun(clock: Clock, step: int = 0) -> Progress:
    shown = Progress(step, 100, epoch, 8)
    clock.now += 50  # setting up
    shown.begin()
    return shown


def test_a_line_from_time_to_time(clock: Clock, said: list[str]) -> None:
    shown = begun(clock)
    for step in (1, 2, 3, 4, 5):
        clock.now += SECONDS * 0.4
        shown.trained(step, {'loss': 1 / step})
    assert len(said) == 1
    clock.now += SECONDS
    shown.trained(20, {'loss': 0.125})
    assert len(said) == 2
    assert said[-1] == 'step 20/100  epoch 2.0  loss 0.1250  5 examples/s  0:02:00 left'


def test_an_evaluation_is_said_at_once(clock: Clock, said: list[str]) -> None:
    shown = begun(clock)
    clock.now += 1
    shown.trained(10, {'loss': 0.5})
    shown.evaluated(10, {'loss': 0.25, 'accuracy': 0.9})
    end = 'val: loss 0.2500  accuracy 0.9000'
    assert said == [f'step 10/100  epoch 1.0  loss 0.5000  80 examples/s  0:00:09 left  {end}']


def test_what_went_before_a_continued_run_does_not_make_it_look_fast(clock: Clock, said: list[str]) -> None:
    shown = begun(clock, step=50)
    clock.now += 10
    shown.evaluated(60, {'loss': 0.5})
    assert ' 8 examples/s  0:00:40 left' in said[0]


def test_nothing_is_known_of_the_time_left_before_the_first_step(clock: Clock, said: list[str]) -> None:
    begun(clock, step=50).evaluated(50, {'loss': 0.5})
    assert '0 examples/s  ? left' in said[0]


def test_a_task_may_have_no_loss(clock: Clock, said: list[str]) -> None:
    shown = begun(clock)
    clock.now += SECONDS
    shown.trained(10, {'critic': 0.5})
    assert said == ['step 10/100  epoch 1.0  8 examples/s  0:01:30 left']


def test_plain_lines_where_there_is_no_terminal() -> None:
    assert type(progress(0, 100, epoch, 8)) is Progress


@contextmanager
def terminal() -> Iterator[list[str]]:
    """Puts a terminal in the place of stdout; the list has in the end what was written, colours apart."""
    ours, theirs = pty.openpty()
    text: list[str] = []
    with os.fdopen(theirs, 'w') as file, redirect_stdout(file):
        yield text
    text.append(re.sub(r'\x1b\[[0-9;]*m', '', b''.join(chunks(ours)).decode()))
    os.close(ours)


def chunks(descriptor: int) -> Iterator[bytes]:
    with suppress(OSError):  # by which a terminal says that this was all
        while chunk := os.read(descriptor, 65536):
            yield chunk


def test_a_bar_on_a_terminal(said: list[str]) -> None:
    with terminal() as text:
        shown = progress(0, 100, epoch, 8)
        assert type(shown) is Bar
        shown.begin()
        shown.trained(30, {'loss': 0.125})
        shown.evaluated(30, {'loss': 0.25})
        shown.close()
    assert re.search(r' 30/100 epoch 3\.0  loss 0\.1250  .* examples/s ', text[0])
    assert text[0].endswith('\x1b[?25h')  # the cursor is back
    assert [line.split('val: ')[1] for line in said] == ['loss 0.2500']


def test_lines_stand_above_the_bar(loggers: None) -> None:
    with terminal() as text:
        text_log.to_terminal()
        shown = progress(0, 100, epoch, 8)
        text_log.logger.info('something [worth] saying')
        shown.close()
    assert '\x1b[2Ksomething [worth] saying\r\n' in text[0]
