import hashlib
import json
import pathlib
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from engine import outputs
from engine.workspace import REPOSITORY

# Any framework can write outputs so.
BY_HAND = """
folder = pathlib.Path({folder!r}); folder.mkdir(parents=True)
random = np.random.default_rng(0)
labels = random.integers(10, size=360, dtype=np.int32)
logits = (random.normal(size=(360, 10)) + 3 * np.eye(10)[labels]).astype(np.float32)
np.save(folder / 'logits.npy', logits); np.save(folder / 'labels.npy', labels)
(folder / 'ids.txt').write_text('\\n'.join(map(str, range(360))))
described = lambda name, a: dict(file=name + '.npy', dtype=str(a.dtype), shape=a.shape, meaning=name)
sealed = lambda b: dict(bytes=len(b), sha256=hashlib.sha256(b).hexdigest())
manifest = dict(format='outputs', version=1, kind='classification', examples=360,
  arrays=dict(logits=described('logits', logits), labels=described('labels', labels)),
  files={{path.name: sealed(path.read_bytes()) for path in folder.iterdir()}})
(folder / 'manifest.json').write_text(json.dumps(manifest))
"""


def write_by_hand(folder: Path) -> Path:
    exec(BY_HAND.format(folder=str(folder)), {'np': np, 'json': json, 'hashlib': hashlib, 'pathlib': pathlib})
    return folder


# What runs a program and then tells which of these it has imported.
WATCHED = """
import runpy, sys
try:
    runpy.run_module('engine.commands.evaluate', run_name='__main__')
finally:
    frameworks = ('jax', 'jaxlib', 'flax', 'orbax', 'optax', 'gin', 'tensorflow', 'tensorflow_datasets')
    print('imported:', *(name for name in frameworks if name in sys.modules), file=sys.stderr)
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_by_hand(tmp_path / 'run' / 'outputs' / 'test')


def test_from_ten_lines_of_numpy_without_jax(folder: Path):
    command = [sys.executable, '-W', 'error', '-c', WATCHED, str(folder)]
    ended = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, timeout=300)
    assert (ended.returncode, ended.stderr.strip()) == (0, 'imported:')
    lines = ended.stdout.splitlines()
    assert lines[-1] == f'evaluation: {folder / "evaluation"}'
    accuracy = json.loads((folder / 'evaluation' / 'metrics.json').read_text())['metrics']['accuracy']
    result = outputs.read(folder).arrays
    assert accuracy['value'] == pytest.approx((result['logits'].argmax(axis=1) == result['labels']).mean())
    low, high = accuracy['interval']
    shown = f'{100 * accuracy["value"]:.2f} %   {100 * low:.2f} to {100 * high:.2f} %'
    assert any(line.startswith('accuracy ') and shown in line for line in lines)


def test_several_side_by_side(program, folder: Path, tmp_path: Path):
    write_by_hand(folder.parent / 'val')
    code, out, _ = program('evaluate', str(tmp_path / 'run'), f'--output={tmp_path / "results"}')
    assert code == 0
    rows = [line.split()[:2] for line in out.splitlines()]
    assert rows[0] == ['outputs', 'examples']
    assert rows[2:4] == [['test', '360'], ['val', '360']]
    assert out.splitlines()[-2:] == [f'evaluation: {tmp_path / "results" / name}' for name in ('test', 'val')]
    for name in ('test', 'val'):
        assert (tmp_path / 'results' / name / 'figures' / 'confusion_matrix.png').is_file()
    assert not (folder / 'evaluation').exists()


def test_settings_by_gin(program, folder: Path, tmp_path: Path):
    config = tmp_path / 'evaluation.gin'
    config.write_text(
        'from __gin__ import dynamic_registration\n'
        'from engine.evaluation import evaluator\n'
        'from engine.kinds.classification import evaluate\n'
        'evaluator.Evaluator.resamples = 150\n'
        'evaluator.Evaluator.kinds = [@evaluate.ClassificationEvaluation()]\n'
        'evaluate.ClassificationEvaluation.top_k = (2, 3)\n'
    )
    binding = 'engine.evaluation.evaluator.Evaluator.confidence = 0.9'
    code, out, _ = program('evaluate', str(folder), f'--gin_file={config}', f'--gin_bindings={binding}')
    assert code == 0
    assert '90 % interval' in out
    result = json.loads((folder / 'evaluation' / 'metrics.json').read_text())
    assert result['bootstrap'] == {'resamples': 150, 'confidence': 0.9, 'seed': 0}
    assert [name for name in result['metrics'] if name.startswith('top')] == [
        'top_2_accuracy',
        'top_3_accuracy',
    ]


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        ([], 'the following arguments are required: OUTPUTS'),
        (['{folder}', '--overwrit'], "Did you mean '--overwrite'"),
        (['{folder}x'], "does not exist. Did you mean 'test'?"),
        (['{folder}', '--gin_bindings=engine.evaluation.evaluator.Evaluator.resmaples = 200'], 'resamples'),
        (['{folder}', '--gin_bindings=engine.evaluation.evaluator.Evaluator.resamples = 1'], 'at least 100'),
        (['{folder}', '--labels='], 'unfinished: it has no manifest.json'),
        (['{folder}', '--labels={folder}.csv'], 'no such file'),
        (['{folder}', '--output={folder}'], 'contains other files: it has no metrics.json'),
    ],
)
def test_mistakes(program, folder: Path, arguments: list[str], message: str):
    code, out, err = program('evaluate', *(each.format(folder=folder) for each in arguments))
    assert (code, out) == (2, '')
    assert err.startswith('error: ')
    assert message in err
    assert 'Traceback' not in err
    assert not (folder / 'evaluation').exists()


def test_nothing_is_overwritten_unasked(program, folder: Path):
    assert program('evaluate', str(folder))[0] == 0
    code, _, err = program('evaluate', str(folder))
    assert (code, 'exists already. Pass --overwrite' in err) == (2, True)
    assert program('evaluate', str(folder), '--overwrite')[0] == 0


def test_one_damaged_among_several_writes_nothing(program, folder: Path, tmp_path: Path):
    write_by_hand(folder.parent / 'val')
    np.save(folder.parent / 'val' / 'labels.npy', np.zeros(360, np.int32))
    code, _, err = program('evaluate', str(tmp_path / 'run'))
    assert (code, 'labels.npy is damaged' in err) == (2, True)
    assert not (folder / 'evaluation').exists()
