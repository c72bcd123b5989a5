"""The log of a long training: its size, and the time to read it at a start and by `scripts/logs.sh`.

    scripts/benchmark.sh logs                           a million steps, log_every = 10, 1,000 evaluations
    scripts/benchmark.sh logs --evaluations=100000

The classes that write the lines in a training write them here. Times are CPU times, so that other programs on
the machine matter less. The reference is one pass of `json.loads` over the lines of all logs.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.report import Bound, print_bounds
from engine.runs.json_lines import JsonLines
from engine.training.logs.metric_log import MetricLog, digests
from engine.training.logs.metrics import BlockMeans, StepMetrics
from engine.workspace import REPOSITORY

METRICS = ('accuracy', 'gradient_norm', 'learning_rate', 'loss', 'perplexity', 'skipped')
BATCH_SIZE = 128
KINDS = (
    'data',
    'dispatch',
    'device',
    'evaluation',
    'checkpoint',
    'log',
    'observers',
    'other',
    'busy',
    'total',
)
PERFORMANCE = {
    'seconds': dict.fromkeys(KINDS, 0.123456),
    'examples_per_second': 123456.7,
    'step_ms': 1.0355,
    'device_busy': 0.9123,
    'compile_seconds': 3.142,
    'peak_process_bytes': 648392704,
    'flops_per_step': 65359001.0,
    'flops_per_second': 63115000000,
}
CONFIG = """
trainer.Trainer.steps = {steps}
trainer.Trainer.log_every = {log_every}
trainer.Trainer.best = ('loss', 'min')
"""


def epoch(steps: int) -> float:
    """Returns how many epochs a number of steps makes, of 60,000 examples."""
    return steps * BATCH_SIZE / 60_000


def write(run: Path, steps: int, log_every: int, evaluations: int) -> dict[str, str]:
    """Writes the logs of a run; returns what its last checkpoint records."""
    (run / 'logs').mkdir()
    (run / 'config.gin').write_text(CONFIG.format(steps=steps, log_every=log_every))
    log = MetricLog(run / 'logs', 0, epoch, BlockMeans(log_every, steps))
    times, generator, interval = (
        JsonLines(run / 'logs' / 'performance.jsonl', 0),
        np.random.default_rng(0),
        steps // evaluations,
    )
    for first in range(1, steps + 1, interval):
        count = min(interval, steps + 1 - first)
        log.write_steps(StepMetrics(first, {name: generator.random(count, np.float32) for name in METRICS}))
        step = first + count - 1
        log.write_evaluation(step, dict(zip(METRICS, generator.random(len(METRICS)).tolist(), strict=True)))
        times.write({'step': step} | PERFORMANCE)
        times.flush()
    record = log.record()
    log.close()
    times.close()
    return record


def cpu_seconds(function: Callable[[], Any]) -> float:
    """Returns the CPU time that a function takes."""
    start = time.process_time()
    function()
    return time.process_time() - start


def read_at_start(run: Path, step: int, record: dict[str, str], log_every: int) -> None:
    """Reads the logs as a run does that continues: compares them with its checkpoint, and opens them."""
    assert digests(run / 'logs', {step: record})[step].items() <= record.items()
    log = MetricLog(run / 'logs', step, epoch, BlockMeans(log_every, step))
    assert log.has_evaluation(step)
    log.close()
    JsonLines(run / 'logs' / 'performance.jsonl', step).close()


def parse(run: Path) -> None:
    """Parses each line of all logs once."""
    for log in (run / 'logs').glob('*.jsonl'):
        for line in log.read_bytes().splitlines():
            json.loads(line)


def show(run: Path) -> None:
    """Draws the logs in a process of its own."""
    command = [sys.executable, '-m', 'engine.commands.logs', str(run), '--overwrite']
    subprocess.run(command, cwd=REPOSITORY, stdout=subprocess.DEVNULL, check=True)


def seconds_of_children(function: Callable[[], Any]) -> float:
    """Returns the CPU time of the processes that a function starts and waits for."""
    before = os.times()
    function()
    after = os.times()
    return after.children_user + after.children_system - before.children_user - before.children_system


def main() -> int:
    """Measures and reports; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else '')
    parser.add_argument('--steps', type=int, default=1_000_000, help='steps of the training')
    parser.add_argument('--log_every', type=int, default=10, help='steps of a line')
    parser.add_argument('--evaluations', type=int, default=1000, help='number of evaluations')
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        run = Path(folder)
        record = write(run, arguments.steps, arguments.log_every, arguments.evaluations)
        size = sum(path.stat().st_size for path in (run / 'logs').glob('*.jsonl'))
        start = cpu_seconds(lambda: read_at_start(run, arguments.steps, record, arguments.log_every))
        bounds = {
            'size of the logs, MB': Bound(size / 1e6, at_most=60),
            'CPU time to read them at a start, s': Bound(start, at_most=2),
            'ratio to one pass of json.loads': Bound(start / cpu_seconds(lambda: parse(run)), at_most=3),
            'CPU time of scripts/logs.sh, s': Bound(seconds_of_children(lambda: show(run)), at_most=10),
        }
    print(json.dumps({'benchmark': 'logs', **vars(arguments), 'bounds': print_bounds(bounds)}))
    return 0 if all(bound.holds() for bound in bounds.values()) else 1


if __name__ == '__main__':
    sys.exit(main())
