"""A kind of a project's own, as docs/kinds.md shows it: new files alone, and nothing else is edited."""

import json
import re
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from engine import outputs
from engine.errors import UserError
from engine.evaluation.evaluator import Evaluator
from engine.outputs import kind_folders
from engine.workspace import REPOSITORY
from tests.conftest import Program

TASK = '''
"""Counts from images: the label of a digit is taken as the number of objects."""

from dataclasses import dataclass

import jax.numpy as jnp

from engine.interfaces import Description
from engine.parts.supervised import Supervised


@dataclass(frozen=True, kw_only=True)
class Counting(Supervised):
    def build(self, spec, rngs):
        return self.model(input_shape=spec.example['image'].shape, outputs=1, rngs=rngs)

    def inputs(self, batch):
        return batch['image'].astype(jnp.float32) / 255

    def per_example(self, output, batch):
        return {'loss': jnp.square(output[:, 0] - batch['label'].astype(jnp.float32))}

    def predictions(self, output, batch):
        return {'counts': output[:, 0], 'doubled': 2 * output[:, 0]}

    def describe(self):
        return Description(
            kind='counts',
            predictions={'counts': 'predicted number of objects', 'doubled': 'twice that number'},
            truth={'targets': 'label'},
        )
'''
METRIC = '''
def largest(doubled):
    """Largest count, doubled. Lower is better."""
    return doubled.max()
'''
EVALUATION = """
from __gin__ import dynamic_registration
from engine.evaluation import evaluator
from own_kinds import metric

evaluator.Evaluator.resamples = 100
evaluator.Evaluator.metrics = [@metric.largest]
"""


@pytest.fixture
def counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The kind `counts` in a package of its own."""
    document = (REPOSITORY / 'docs/kinds.md').read_text(encoding='utf-8')
    declaration, evaluation = re.findall(r'```python\n(.*?)```', document, re.DOTALL)[:2]
    folder = tmp_path / 'own_kinds/counts'
    folder.mkdir(parents=True)
    (folder / '__init__.py').write_text(declaration)
    (folder / 'evaluate.py').write_text(evaluation)
    (folder.parent / 'counting.py').write_text(TASK)
    (folder.parent / 'metric.py').write_text(METRIC)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(
        kind_folders, 'PACKAGES', kind_folders.PACKAGES | {'own_kinds': tmp_path / 'own_kinds'}
    )


def save(folder: Path, error: float) -> Path:
    arrays = {'counts': np.arange(6, dtype=np.float32) + error, 'targets': np.arange(6, dtype=np.int32)}
    meanings = dict.fromkeys(arrays, 'of the test')
    outputs.write(folder, outputs.Manifest('counts'), arrays, list('abcdef'), meanings)
    return folder


@pytest.mark.usefixtures('counts')
def test_it_is_evaluated_and_gets_its_page(tmp_path: Path) -> None:
    folder = save(tmp_path / 'it', 0.5)
    assert Evaluator(resamples=100).evaluate(folder)['metrics']['mean_error']['value'] == 0.5
    assert 'mean absolute error' in (folder / 'evaluation/report.html').read_text()


@pytest.mark.usefixtures('counts')
def test_its_methods_are_compared(tmp_path: Path, program) -> None:
    worse, better = save(tmp_path / 'worse', 1), save(tmp_path / 'better', 0.5)
    code, out, _ = program('compare', str(worse), str(better), '--resamples=100', '--format=csv')
    assert (code, out.splitlines()[1].split(',')[0]) == (0, 'better')


@pytest.fixture
def runs(counts: None, config_file: Callable[..., Path], tmp_path: Path, program: Program) -> list[Path]:
    """Two runs of three steps, of different widths, whose outputs are of kind `counts`."""
    del counts
    config = config_file(STEPS='STEPS = 3')
    text = config.read_text().replace('engine.parts import classification', 'own_kinds import counting')
    config.write_text(text.replace('classification.Classification', 'counting.Counting'))
    folders = [tmp_path / 'narrow', tmp_path / 'wide']
    for folder, width in zip(folders, (4, 16), strict=True):
        binding = f'--gin_bindings=mlp.MLP.width = {width}'
        code, _, err = program('train', f'--gin_file={config}', binding, f'--run={folder}')
        assert code == 0, err
    return folders


def test_a_task_that_describes_it_trains_and_predicts(runs: list[Path], program: Program) -> None:
    code, _, err = program('predict', str(runs[0]), '--split=train')
    assert code == 0, err
    saved = outputs.read(runs[0] / 'outputs/train')
    assert saved.kind == 'counts'
    assert saved.arrays.keys() == {'counts', 'doubled', 'targets', 'inputs'}
    np.testing.assert_array_equal(saved.arrays['doubled'], 2 * saved.arrays['counts'])


def test_its_runs_are_evaluated_and_compared(runs: list[Path], tmp_path: Path, program: Program) -> None:
    config = tmp_path / 'evaluation.gin'
    config.write_text(EVALUATION)
    folder = runs[0] / 'outputs/test'
    code, _, err = program('evaluate', str(folder), f'--gin_file={config}')
    assert code == 0, err
    metrics = json.loads((folder / 'evaluation/metrics.json').read_text())['metrics']
    assert metrics.keys() == {'mean_error', 'largest'}
    assert metrics['largest']['value'] == outputs.read(folder).arrays['doubled'].max()
    code, out, err = program('compare', *map(str, runs), f'--gin_file={config}', '--format=csv')
    assert code == 0, err
    assert {line.split(',')[0] for line in out.splitlines()[1:]} == {'narrow', 'wide'}


def test_an_unknown_kind_imports_nothing(tmp_path: Path) -> None:
    before = set(sys.modules)
    for kind in ('os.path', '..', 'no_such_kind', '__pycache__'):
        with pytest.raises(UserError, match='unknown kind of outputs'):
            kind_folders.declaration(kind)
    assert set(sys.modules) == before
