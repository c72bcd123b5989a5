"""Runs of a few lines, written by hand."""

import json
from pathlib import Path

CONFIG = """
STEPS = 20
trainer.Trainer.best = ('score', 'max')
trainer.Trainer.steps = %STEPS
"""


def write_run(folder: Path, steps: int = 20, **status: object) -> Path:
    """Writes the plain files of a run of 4 steps per epoch: what the tests then damage."""
    (folder / 'logs').mkdir(parents=True)
    (folder / 'config.gin').write_text(CONFIG)
    (folder / 'status.json').write_text(json.dumps({'state': 'finished', 'step': steps} | status))
    write_lines(folder, 'train', [{'step': s, 'epoch': s / 4, 'loss': 1 / s} for s in range(1, steps + 1)])
    ends = range(4, steps + 1, 4)
    write_lines(folder, 'val', [{'step': s, 'epoch': s / 4, 'loss': 2 / s, 'score': s % 16} for s in ends])
    seconds = {'data': 1.0, 'evaluation': 2.0, 'total': 10.0}
    write_lines(
        folder, 'performance', [{'step': s, 'seconds': seconds, 'examples_per_second': 100 + s} for s in ends]
    )
    return folder


def write_lines(folder: Path, name: str, lines: list[dict]) -> None:
    (folder / 'logs' / f'{name}.jsonl').write_text(''.join(json.dumps(line) + '\n' for line in lines))


def append(run: Path, name: str, text: str) -> None:
    with (run / 'logs' / f'{name}.jsonl').open('a') as file:
        file.write(text)
