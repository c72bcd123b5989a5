"""Outputs of every kind, small and plausible, in runs of a few lines."""

import json
from pathlib import Path
from typing import Any

import numpy as np

from research import outputs
from tests.evaluation.cases import random_case
from tests.written_runs import write_run

EVIL = '<img src=x onerror=alert(1)><script>alert(2)</script>'
N = 30


def arrays(kind: str, seed: int = 0) -> dict[str, np.ndarray]:
    """Returns arrays of a kind for N examples, predictions somewhat like the truth."""
    random = np.random.default_rng(0)
    noise = np.random.default_rng(seed + 1)
    inputs = random.integers(0, 256, (N, 12, 16, 3), np.uint8)
    if kind == 'classification':
        logits, labels = random_case(0, N)
        return {
            'logits': logits + noise.normal(size=logits.shape).astype(np.float32),
            'labels': labels,
            'inputs': inputs,
        }
    if kind == 'segmentation':
        targets = np.repeat(np.repeat(random.integers(0, 4, (N, 3, 4), np.uint8), 8, 1), 8, 2)
        wrong = noise.random(targets.shape) < 0.2
        return {'masks': np.where(wrong, 1, targets).astype(np.uint8), 'targets': targets, 'inputs': inputs}
    if kind == 'detection':
        corners = random.uniform(0, 60, (2 * N, 2))
        targets = np.concatenate([corners, corners + random.uniform(10, 40, (2 * N, 2))], 1)
        labels, owners = (
            random.integers(0, 4, 2 * N).astype(np.int32),
            np.repeat(np.arange(N), 2).astype(np.int32),
        )
        return {
            'boxes': (targets + noise.uniform(-5, 5, targets.shape)).astype(np.float32),
            'scores': noise.random(2 * N).astype(np.float32),
            'classes': labels,
            'example': owners,
            'target_boxes': targets.astype(np.float32),
            'target_classes': labels,
            'target_example': owners,
            'inputs': inputs,
        }
    if kind == 'image':
        targets = random.integers(20, 230, (N, 16, 16, 3), np.uint8)
        images = targets + noise.integers(-20, 20, targets.shape)
        return {'images': images.astype(np.uint8), 'targets': targets, 'inputs': inputs}
    if kind == 'generation':
        features = random.normal(size=(3, N, 4)).astype(np.float32)
        samples = noise.integers(0, 256, (N, 8, 8, 1), np.uint8)
        return {'samples': samples, 'features': features[0], 'reference_features': features[1]}
    if kind == 'language':
        lengths = random.integers(20, 60, N).astype(np.int32)
        return {'log_probs': (-lengths * noise.uniform(1, 3, N)).astype(np.float32), 'lengths': lengths}
    targets = random.normal(size=(N, 2)).astype(np.float32)
    return {
        'values': targets + noise.normal(0, 0.1, (N, 2)).astype(np.float32),
        'targets': targets,
        'inputs': inputs,
    }


def write(folder: Path, kind: str, seed: int = 0, **more: Any) -> Path:
    """Writes outputs whose names would do harm if they could."""
    found = arrays(kind, seed)
    classified = kind in ('classification', 'segmentation', 'detection')
    given: dict[str, Any] = {
        'class_names': ['cat', 'dog', EVIL, '$x_1$'] if classified else [],
        'dataset': f'animals {EVIL}',
        'split': 'test',
        'project': 'zoo',
        'details': {'extractor': EVIL, 'inputs_shrunk': '8'},
    }
    ids = [f'{EVIL} {index}' for index in range(N)]
    meanings = dict.fromkeys(found, EVIL)
    outputs.write(folder, kind=kind, arrays=found, ids=ids, meanings=meanings, **given | more)
    return folder


def write_in_run(run: Path, kind: str, seed: int = 0) -> Path:
    """Writes outputs into a run of a few lines, whose words would do harm too."""
    write_run(run)
    (run / 'config.gin').write_text(f"SEED = 0\nmlp.MLP.width = {8 * (seed + 1)}\nmlp.MLP.name = '{EVIL}'\n")
    (run / 'stack.json').write_text(json.dumps({'commit': 'c0ffee01', 'dirty': False, 'host': EVIL}))
    (run / 'notes.md').write_text(
        f'# Notes\n\n{EVIL} [link](javascript:alert(3)) ![x](http://x.test/a.png)\n'
    )
    (run / 'dataset.md').write_text(f'# Animals\n\n| field | meaning |\n|---|---|\n| a | {EVIL} |\n')
    return write(run / 'outputs/test', kind, seed, run=run.name, step=20)
