"""Outputs of every kind with hostile names, in runs of a few lines."""

import json
from pathlib import Path
from typing import Any

import numpy as np

from engine.outputs import kind_folders
from tests.engine import sample_outputs
from tests.engine.sample_runs import write_run

EVIL = '<img src=x onerror=alert(1)><script>alert(2)</script>'
N = 30
CLASSIFIED = ('classification', 'segmentation', 'detection', 'multilabel', 'embeddings')


def write(folder: Path, kind: str, seed: int = 0, **more: Any) -> Path:
    """Writes outputs whose names would do harm if they could."""
    result = sample_outputs.arrays(kind, seed, N)
    if 'inputs' in kind_folders.declaration(kind).arrays:
        result['inputs'] = np.random.default_rng(0).integers(0, 256, (N, 12, 16, 3), np.uint8)
    given: dict[str, Any] = {
        'class_names': ['cat', '$dog_1$', EVIL] if kind in CLASSIFIED else [],
        'dataset': f'animals {EVIL}',
        'project': 'zoo',
        'details': {'extractor': EVIL, 'inputs_shrunk': '8'},
        'ids': [f'{EVIL} {index}' for index in range(N)],
        'meanings': dict.fromkeys(result, EVIL),
    }
    return sample_outputs.write(folder, kind, seed, arrays=result, **given | more)


def write_in_run(run: Path, kind: str, seed: int = 0) -> Path:
    """Writes outputs into a run of a few lines, whose words would do harm too."""
    write_run(run)
    (run / 'config.gin').write_text(f"SEED = 0\nmlp.MLP.width = {8 * (seed + 1)}\nmlp.MLP.name = '{EVIL}'\n")
    (run / 'environment.json').write_text(json.dumps({'commit': 'c0ffee01', 'dirty': False, 'host': EVIL}))
    (run / 'notes.md').write_text(
        f'# Notes\n\n{EVIL} [link](javascript:alert(3)) ![x](http://x.test/a.png)\n'
    )
    (run / 'dataset.md').write_text(f'# Animals\n\n| field | meaning |\n|---|---|\n| a | {EVIL} |\n')
    return write(run / 'outputs/test', kind, seed, run=run.name, step=20)
