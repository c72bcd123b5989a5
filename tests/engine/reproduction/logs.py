"""Runs that hold logs and metrics alone."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any


def write_run(folder: Path, losses: Sequence[float | None], scores: Sequence[float | None] = ()) -> Path:
    """Writes a run with a loss for each step, and the score of an evaluation after each second one."""
    lines = {
        'train': [{'step': step, 'loss': loss} for step, loss in enumerate(losses, 1)],
        'val': [{'step': 2 * index, 'score': score} for index, score in enumerate(scores, 1)],
    }
    (folder / 'logs').mkdir(parents=True)
    for name, values in lines.items():
        text = ''.join(json.dumps(line) + '\n' for line in values)
        (folder / 'logs' / f'{name}.jsonl').write_text(text)
    return folder


def write_metrics(
    run: Path, outputs: str = 'test', more: dict[str, Any] | None = None, **values: Any
) -> Path:
    """Writes an evaluation of outputs: each metric by its value, with an interval of 0.1 to both sides."""
    metrics = {
        name: {
            'value': value,
            'interval': [None, None] if value is None else [round(value - 0.1, 9), round(value + 0.1, 9)],
        }
        for name, value in values.items()
    }
    folder = run / 'outputs' / outputs / 'evaluation'
    folder.mkdir(parents=True, exist_ok=True)
    (folder / 'metrics.json').write_text(json.dumps({'config': '', 'metrics': metrics, **(more or {})}))
    return run
