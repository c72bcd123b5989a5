"""Whole trainings of the digits by the template and by a loop written by hand, in one process.

    scripts/benchmark.sh overhead
    scripts/benchmark.sh overhead --pairs=5 --only=digits_mlp

The template trains as `scripts/train.sh` does: the shipped config, every step in the log, an evaluation at
the end of each epoch, checkpoints and the default observers, in a new run folder, with a progress bar on a
terminal. The loop written by hand is `benchmarks/bare_training.py`. It evaluates at the same steps and logs
its loss, and saves nothing.

Time counts from the first step, with everything compiled, until the last checkpoint is on disk and
everything is closed. The picture of the first batch, which `FirstBatch` draws at the end, is shown apart. The
two sides alternate, and so does the one that begins.
"""

import argparse
import gc
import json
import os
import pty
import subprocess
import tempfile
import termios
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stdout
from dataclasses import asdict, dataclass, replace
from functools import partial, wraps
from pathlib import Path
from statistics import median
from types import FunctionType
from typing import Any, Self

import numpy as np

from benchmarks.bare_training import BareTraining
from benchmarks.report import Bound, median_interval, pair_ratios, print_bounds, print_table, show
from engine.commands import experiments
from engine.config.config import Config
from engine.runs import text_log
from engine.runs.guard import RunGuard
from engine.runs.run_folder import Run
from engine.runs.signals import Signals
from engine.training.checkpointing.checkpoints import Checkpoints
from engine.training.observers.first_batch import FirstBatch
from engine.training.observers.observer import ObservedRun, Observer
from engine.training.trainer import Trainer
from engine.workspace import REPOSITORY

PAIRS = 15
TITLES = (
    'training',
    'bare loop, s',
    'template, s',
    'speed, bare loop = 1',
    'by CPU seconds',
    'share in which saves block',
    'picture, s',
)


@dataclass(frozen=True)
class Case:
    """A training to measure.

    Attributes:
      config: name of the config, without its ending.
      steps: of the training.
      at_least: lower limit of the time of the loop written by hand, divided by that of the template.
      bindings: of the config, in addition.
      most_blocked: upper limit of the share of the training's time that saves block; None: there is none.
      dataset: to train on.
      batch_size: examples per step.
    """

    config: str
    steps: int
    at_least: float
    bindings: tuple[str, ...] = ()
    most_blocked: float | None = None
    dataset: str = 'digits'
    batch_size: int = 128

    @property
    def all_bindings(self) -> list[str]:
        """The bindings of the config."""
        numbers = [f'STEPS = {self.steps}', f'BATCH_SIZE = {self.batch_size}']
        return [*numbers, f"trainer.Trainer.dataset = '{self.dataset}'", *self.bindings]

    def reference(self, make: Callable[..., BareTraining] = BareTraining, **keywords: Any) -> BareTraining:
        """Returns the same training by hand, made by `make`."""
        return make(self.config, self.steps, self.dataset, self.batch_size, **keywords)


CASES = {
    'digits_cnn': Case('digits_cnn', 500, 0.97, most_blocked=0.01),
    'digits_mlp': Case('digits_mlp', 1000, 0.90),
    'digits_mlp, groups of 10': Case('digits_mlp', 1000, 1.2, ('trainer.Trainer.steps_per_dispatch = 10',)),
}


@dataclass(frozen=True)
class Training:
    """A training by the template that was measured.

    Attributes:
      seconds: from the first step to the end, without the picture.
      cpu_seconds: of all threads, in the same time.
      blocked: those of them that the loop spent in `Checkpoints`.
      picture: seconds that the picture of the first batch takes at the end.
    """

    seconds: float
    cpu_seconds: float
    blocked: float
    picture: float


class Stopwatch(Observer):
    """Notes the moments at which observers start and end: before the first step, and after the last save.

    Args:
      now: returns the readings of some clocks.
    """

    def __init__(self, now: Callable[[], np.ndarray]):
        self._now = now
        self.start = self.end = now()

    def on_start(self, run: ObservedRun) -> None:
        """Notes the start."""
        self.start = self._now()

    def on_end(self, status: str) -> None:
        """Notes the end."""
        self.end = self._now()


class BlockedTime:
    """Counts the seconds that the thread of the loop spends in the methods of `Checkpoints`, while inside."""

    def __init__(self) -> None:
        self.seconds, self._is_inside, self._thread = 0.0, False, threading.get_ident()
        self._methods = {name: value for name, value in vars(Checkpoints).items() if _is_public(name, value)}

    def __enter__(self) -> Self:
        for name, method in self._methods.items():
            setattr(Checkpoints, name, self._counted(method))
        return self

    def __exit__(self, *_: object) -> None:
        for name, method in self._methods.items():
            setattr(Checkpoints, name, method)

    def _counted(self, method: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(method)
        def counted(*args: Any, **kwargs: Any) -> Any:
            if self._is_inside or threading.get_ident() != self._thread:
                return method(*args, **kwargs)
            self._is_inside, start = True, time.perf_counter()
            try:
                return method(*args, **kwargs)
            finally:
                self._is_inside = False
                self.seconds += time.perf_counter() - start

        return counted


def _is_public(name: str, value: object) -> bool:
    return isinstance(value, FunctionType) and not name.startswith('_')


def template(case: Case, folder: Path) -> Training:
    """Trains by the template in a new run folder, as `scripts/train.sh` does after its start."""
    experiments.set_up()
    config = Config([REPOSITORY / f'configs/{case.config}.gin'], case.all_bindings)
    trainer = experiments.build(config, Trainer)
    with Signals() as signals, BlockedTime() as blocked:
        run = Run.begin(experiments.run_data(trainer), folder / 'run')
        text_log.to_file(run.folder / 'logs' / 'train.log')

        def now() -> np.ndarray:
            return np.array([time.perf_counter(), time.process_time(), blocked.seconds])

        drawing = [observer for observer in trainer.observers if isinstance(observer, FirstBatch)]
        others = [observer for observer in trainer.observers if not isinstance(observer, FirstBatch)]
        # Observers end in the reverse order. So the picture is drawn between the ends of these two.
        after_picture, loop = Stopwatch(now), Stopwatch(now)
        trainer.observers = (*others, after_picture, *drawing, loop)
        guard = RunGuard(run, signals)
        with guard.active():
            run.save_config(config.save)
            trainer.run(guard)
            end = now()
    text_log.to_terminal()
    picture = after_picture.end - loop.end
    seconds, cpu_seconds, blocked_seconds = (end - loop.start - picture).tolist()
    return Training(seconds, cpu_seconds, blocked_seconds, float(picture[0]))


def bare(training: BareTraining, folder: Path) -> tuple[float, float]:
    """Returns the seconds and the CPU seconds of a training by the loop written by hand."""
    start, cpu_start = time.perf_counter(), time.process_time()
    training.run(folder)
    return time.perf_counter() - start, time.process_time() - cpu_start


@contextmanager
def terminal() -> Iterator[None]:
    """Gives programs inside a terminal to print to; another process reads it."""
    master, slave = pty.openpty()
    termios.tcsetwinsize(slave, (50, 120))
    os.environ['TERM'] = 'xterm-256color'
    with subprocess.Popen(
        ['cat'], stdin=master, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as reader:
        os.close(master)
        with open(slave, 'w') as stdout, redirect_stdout(stdout):  # noqa: PTH123 (a file descriptor)
            yield
        reader.wait()


@dataclass(frozen=True)
class Pair:
    """A training by the loop written by hand, in (seconds, CPU seconds), and one by the template."""

    bare: tuple[float, float]
    template: Training


def measure(case: Case, reference: BareTraining, pairs: int) -> list[Pair]:
    """Returns pairs of trainings, which ran one after the other, after a pair that warms up.

    Garbage is collected before each training.
    """

    def run(train: Callable[[Path], Any]) -> Any:
        with tempfile.TemporaryDirectory() as folder, terminal():
            gc.collect()
            return train(Path(folder))

    measured = []
    for pair in range(pairs + 1):
        sides = {'bare': partial(bare, reference), 'template': partial(template, case)}
        order = reversed(sides) if pair % 2 else iter(sides)
        measured.append(Pair(**{name: run(sides[name]) for name in order}))
    return measured[1:]


def report_case(name: str, case: Case, pairs: int) -> tuple[dict[str, Any], dict[str, Bound]]:
    """Measures a case, prints a table and returns the numbers and their bounds."""
    measured = measure(case, case.reference(), pairs)
    trainings = [pair.template for pair in measured]
    loops, loops_cpu = (list(column) for column in zip(*(pair.bare for pair in measured), strict=True))
    seconds = [training.seconds for training in trainings]
    summary = print_table(name, 'seconds', {'bare loop': loops, 'template': seconds})
    speed = pair_ratios(loops, seconds)
    cpu = pair_ratios(loops_cpu, [training.cpu_seconds for training in trainings])
    blocked = median_interval([training.blocked / training.seconds for training in trainings])
    picture = median(training.picture for training in trainings)
    print(f'  speed of the template, bare loop = 1   {speed}')
    print(f'  the same by CPU seconds                {cpu}')
    print(f'  share of the time in which saves block {blocked}')
    print(f'  picture of the first batch, seconds    {picture:.3f}\n')
    bounds = {f'{name}: speed, bare loop = 1': Bound.of(speed, at_least=case.at_least)}
    if case.most_blocked:
        bounds[f'{name}: share of the time in which saves block'] = Bound.of(
            blocked, at_most=case.most_blocked
        )
    return summary | {
        'speed': asdict(speed),
        'cpu': asdict(cpu),
        'blocked': asdict(blocked),
        'picture_seconds': picture,
        'row': [name, median(loops), median(seconds), *map(str, (speed, cpu, blocked)), picture],
    }, bounds


def main() -> None:
    """Measures the cases, prints tables and their bounds, then the same numbers as JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument('--pairs', type=int, default=PAIRS, help='trainings of each side (15)')
    parser.add_argument('--only', default='', help='only the cases whose names contain this')
    arguments = parser.parse_args()
    cases, bounds = {}, {}
    with tempfile.TemporaryDirectory() as folder, terminal():
        template(replace(CASES['digits_mlp'], steps=1), Path(folder))  # builds the data
    for name, case in CASES.items():
        if arguments.only in name:
            cases[name], new = report_case(name, case, arguments.pairs)
            bounds |= new
    tables = {'': show(TITLES, [case.pop('row') for case in cases.values()])}
    summary = {'benchmark': 'overhead', 'cases': cases, 'tables': tables}
    print(json.dumps(summary | {'bounds': print_bounds(bounds)}))


if __name__ == '__main__':
    main()
