"""Several devices and processes: equal losses, and the time of a step compared with loops written by hand.

    scripts/benchmark.sh scaling
    scripts/benchmark.sh scaling --pairs=3

The devices are simulated and share the cores, so nothing here gets faster with more of them. The benchmark
measures whether all layouts compute the same training, and what the template adds to a step, compared with a
loop written by hand with the same layout (`benchmarks/scaling/bare.py`).
"""

import argparse
import json
import os
import socket
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

from benchmarks.report import Bound, pair_ratios, print_bounds, show
from benchmarks.scaling.layouts import LAYOUTS, STEPS, losses
from engine.runs import json_lines
from engine.workspace import REPOSITORY

PAIRS, PAIRS_OF_PROCESSES, PROCESSES = 15, 5, 2
TITLES = (
    'layout',
    'by hand, ms a step',
    'template, ms a step',
    'speed, by hand = 1',
    'pairs',
    'difference of losses',
)
TOLERANCE = 1e-4  # of the loss of any step, relative; sums over devices round differently


def environment(devices: int) -> dict[str, str]:
    """Returns the environment of a process with some simulated devices."""
    return os.environ | {'JAX_NUM_CPU_DEVICES': str(devices), 'JAX_PLATFORMS': 'cpu'}


def of_layout(name: str, pairs: int) -> dict[str, Any]:
    """Returns what the process of a layout has measured."""
    command = [sys.executable, '-m', 'benchmarks.scaling.layouts', name, f'--pairs={pairs}']
    done = subprocess.run(
        command, cwd=REPOSITORY, env=environment(LAYOUTS[name].devices), stdout=subprocess.PIPE, check=True
    )
    return json.loads(done.stdout.splitlines()[-1])


def free_port() -> int:
    """Returns a port that nothing uses now."""
    with socket.socket() as listener:
        listener.bind(('localhost', 0))
        return listener.getsockname()[1]


def bare_processes(steps: int) -> float:
    """Returns the seconds per step of the loop written by hand in two processes."""
    command = [sys.executable, '-m', 'benchmarks.scaling.process']
    port = free_port()
    processes = [
        subprocess.Popen(
            [*command, *map(str, (index, PROCESSES, port, steps))],
            cwd=REPOSITORY,
            env=environment(1),
            stdout=subprocess.PIPE,
            text=True,
        )
        for index in range(PROCESSES)
    ]
    outputs = [process.communicate()[0] for process in processes]
    if any(process.returncode for process in processes):
        raise RuntimeError('a process of the loop written by hand has failed.')
    return float(outputs[0].splitlines()[-1]) / steps


def template_processes(case_bindings: Sequence[str], steps: int) -> tuple[float, list[float]]:
    """Returns the seconds per step of the template in two processes, and its losses."""
    with tempfile.TemporaryDirectory() as folder:
        run = Path(folder) / 'run'
        command = [sys.executable, '-m', 'engine.commands.train', f'--processes={PROCESSES}', f'--run={run}']
        config = f'--gin_file={REPOSITORY}/configs/digits_mlp.gin'
        bindings = [
            f'--gin_bindings={binding}' for binding in (*case_bindings, 'trainer.Trainer.predict = ()')
        ]
        subprocess.run(
            [*command, config, *bindings], env=environment(1), stdout=subprocess.DEVNULL, check=True
        )
        laps = json_lines.read(run / 'logs' / 'performance.jsonl')
        return sum(lap['seconds']['total'] for lap in laps) / steps, losses(run)


def of_processes(pairs: int) -> dict[str, Any]:
    """Returns the losses of the template in two processes, and the seconds per step of both sides."""
    case = LAYOUTS['jit'].case()
    bare, template, of_template = [], [], []
    for _ in range(pairs):
        bare.append(bare_processes(case.steps))
        seconds, of_template = template_processes(case.all_bindings, case.steps)
        template.append(seconds)
    return {'losses': of_template, 'bare': bare, 'template': template}


def difference(losses: Sequence[float], reference: Sequence[float]) -> float:
    """Returns the largest relative difference of the losses of two trainings."""
    return float(np.max(np.abs(np.array(losses) / np.array(reference) - 1)))


def main() -> None:
    """Measures all layouts, prints tables and bounds, then the same numbers as JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument('--pairs', type=int, default=PAIRS, help='trainings of each side and layout (15)')
    pairs = parser.parse_args().pairs
    measured = {name: of_layout(name, pairs) for name in LAYOUTS}
    measured['2 processes'] = of_processes(min(pairs, PAIRS_OF_PROCESSES))
    reference, rows, bounds = measured['one device']['losses'], [], {}
    for name, values in measured.items():
        speed = pair_ratios(values['bare'], values['template'])
        largest = difference(values['losses'], reference)
        milliseconds = [1000 * median(values[side]) for side in ('bare', 'template')]
        rows.append([name, *milliseconds, str(speed), speed.count, f'{largest:.1e}'])
        bounds[f'{name}: speed, loop by hand split in the same way = 1'] = Bound.of(speed)
        if values['losses'] is not reference:
            bounds[f'{name}: largest difference of {STEPS} losses from one device'] = Bound(
                largest, at_most=TOLERANCE
            )
    tables = {'': show(TITLES, rows)}
    print(json.dumps({'benchmark': 'scaling', 'tables': tables, 'bounds': print_bounds(bounds)}))


if __name__ == '__main__':
    main()
