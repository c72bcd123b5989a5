"""Copies a preempted run to a destination as often as a user might: `... scenario <tool> <place> <folder>`.

It prints what the destination holds at the end, and what each copy has done.
"""

import json
import os
import subprocess
import sys
import threading
from dataclasses import asdict
from pathlib import Path

from engine.mirrors import copying, destinations, mirrored_run
from tests.engine.mirrors import preempted_run, read_back
from tests.engine.sample_runs import write_lines


def copy(tool: str, place: str, run: Path) -> dict[str, object]:
    return asdict(copying.copy(mirrored_run.read(run), destinations.open_destination(tool, place)))


def copy_and_die(tool: str, place: str, run: Path) -> None:
    """Copies a run in a process that dies at once in the middle."""
    destination, mirrored = destinations.open_destination(tool, place), mirrored_run.read(run)
    threading.Timer(0.3, os._exit, [9]).start()
    copying.copy(mirrored, destination)


def copy_killed(*arguments: str) -> None:
    environment = {name: value for name, value in os.environ.items() if not name.startswith('WANDB')}
    subprocess.run([sys.executable, '-m', __spec__.name, '--die', *arguments], env=environment, check=False)


def main(tool: str, place: str, folder: Path) -> None:
    read, report = getattr(read_back, tool), {}
    run = folder / 'run'
    report['copies'] = [
        copy(tool, place, run) for _ in preempted_run.killed_and_continued(run) for _ in range(2)
    ]
    report['preempted'] = read(place)
    preempted_run.train_again(run)
    report['copies'].append(copy(tool, place, run))
    report['trained again'] = read(place)
    lines = [{'step': step, 'loss': 1 / step, 'accuracy': step / 7} for step in range(1, 4001)]
    write_lines(run, 'train', lines)
    copy_killed(tool, place, str(run))
    copy(tool, place, run)
    report['copies killed'] = read(place)
    print(json.dumps(report))


if __name__ == '__main__':
    *die, tool, place, folder = sys.argv[1:]
    (copy_and_die if die else main)(tool, place, Path(folder))
