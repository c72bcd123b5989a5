"""A run that is killed and continued, as its files look each time somebody copies them."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

from tests.engine.sample_runs import append, write_lines, write_run

STEPS = 20
KILLED_AT = (6, 11, 13, 18)  # the last checkpoint before each is at a multiple of 5


def killed_and_continued(folder: Path) -> Iterator[None]:
    """Yields after each of four kills and after the end. The lines after a checkpoint are written twice."""
    write_run(folder, STEPS)
    lines = {
        name: (folder / f'logs/{name}.jsonl').read_text().splitlines()
        for name in ('train', 'val', 'performance')
    }
    for session, last in enumerate((*KILLED_AT, STEPS)):
        for name, whole in lines.items():
            write_lines(
                folder, name, [_line(text, name, session, last) for text in whole if _step(text) <= last]
            )
        saved = folder / f'checkpoints/latest/{last // 5 * 5}'
        saved.mkdir(parents=True, exist_ok=True)
        (folder / 'status.json').write_text(json.dumps({'state': 'running' if last < STEPS else 'finished'}))
        if last < STEPS:
            append(folder, 'train', f'{{"step": {last + 1}, "lo')
        yield


def train_again(folder: Path) -> None:
    """Trains the run once more, with other numbers and fewer metrics."""
    shutil.rmtree(folder / 'logs')
    (folder / 'logs').mkdir()
    write_lines(folder, 'train', [{'step': step, 'loss': 3 / step} for step in range(1, STEPS + 1)])


def expected(folder: Path) -> dict[str, list[tuple[int, float]]]:
    """Returns the curves of training and validation in the plain files."""
    curves: dict[str, list[tuple[int, float]]] = {}
    for name in ('train', 'val'):
        path = folder / f'logs/{name}.jsonl'
        for line in map(json.loads, path.read_text().splitlines() if path.exists() else []):
            for metric, value in line.items():
                if metric != 'step' and value is not None:
                    curves.setdefault(f'{name}/{metric}', []).append((line['step'], value))
    return curves


def _step(text: str) -> int:
    return json.loads(text)['step']


def _line(text: str, name: str, session: int, last: int) -> dict[str, object]:
    """Returns a line as a session writes it: measured times differ in what it writes again."""
    line = json.loads(text)
    if name == 'performance' and line['step'] > last // 5 * 5:
        line['examples_per_second'] += session
    return line
