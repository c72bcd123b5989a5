"""Tasks of one's own train, predict and are evaluated, for each kind that no task of the engine has."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from engine import outputs
from engine.evaluation.evaluator import Evaluator
from tests.conftest import Program
from tests.engine.kinds.trained_tasks import bound
from tests.engine.training.preflight import odd_data

RANDOM = np.random.default_rng(0)
Train = Callable[..., tuple[outputs.Outputs, dict[str, Any]]]


@pytest.fixture
def train(
    config_file: Callable[..., Path], program: Program, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Train:
    """Trains a task for 3 steps on 16 images per split, and returns its outputs and their metrics."""

    def run(task: str, fields: dict[str, np.ndarray], names: dict[str, Any], **bindings: Any):
        splits = {split: {'image': odd_data.images(16), **fields} for split in odd_data.SPLITS}
        data = odd_data.dataset(tmp_path / 'data', splits, names)
        monkeypatch.setattr('engine.training.experiment.load', lambda *_: data)
        config = config_file(*bound(task, **bindings), STEPS='STEPS = 3')
        text = config.read_text().replace(
            'import optax', 'import optax\nfrom tests.engine.kinds import trained_tasks'
        )
        text = text.replace('@classification.Classification()', f'@trained_tasks.{task}()')
        config.write_text(text.replace('classification.Classification:', f'trained_tasks.{task}:'))
        code, out, err = program('train', f'--gin_file={config}', f'--run={tmp_path / "run"}')
        assert code == 0, out + err
        folder = tmp_path / 'run/outputs/test'
        metrics = Evaluator(resamples=100, figure_formats=()).evaluate(folder)['metrics']
        return outputs.read(folder), metrics

    return run


def test_labels_of_which_some_are_unknown(train: Train) -> None:
    """-1 and NaN are unknown labels, of which no check complains."""
    findings = RANDOM.integers(-1, 2, (16, 3)).astype(np.float32)
    findings[0] = np.nan
    names = ('effusion', 'edema', 'fracture')
    saved, metrics = train(
        'Findings', {'findings': findings}, {}, outputs=3, truth={'targets': 'findings'}, class_names=names
    )
    assert (saved.kind, saved.class_names) == ('multilabel', names)
    assert saved.arrays['targets'].tolist() == np.nan_to_num(findings, nan=-1).tolist()
    assert 0 <= metrics['mean_ap']['value'] <= 1
    assert {'inputs', 'logits'} < saved.arrays.keys()
    assert (saved.folder / 'predictions.csv').read_text().startswith('id,prediction,label\n')


@pytest.mark.slow
def test_lists_of_classes_become_labels(train: Train) -> None:
    """A list of classes per example, padded with -1, as builders store it."""
    lists = np.where(RANDOM.random((16, 2)) < 0.3, -1, RANDOM.integers(0, 3, (16, 2))).astype(np.int32)
    hot = np.array([np.isin(np.arange(3), row) for row in lists], np.int8)
    names = {'objects': ('cat', 'dog', 'owl')}
    fields = {'findings': hot, 'objects': lists}
    saved, _ = train('Findings', fields, names, outputs=3, truth={'labels': 'objects'})
    assert saved.class_names == ('cat', 'dog', 'owl')
    np.testing.assert_array_equal(saved.arrays['targets'], hot)


def test_embeddings_of_a_query_and_a_gallery(train: Train) -> None:
    labels = np.arange(16, dtype=np.int32) % 3
    fields = {'label': labels, 'asked': np.arange(16) < 6}
    truth = {'labels': 'label', 'is_query': 'asked'}
    saved, metrics = train('Metric', fields, {'label': ('ant', 'bee', 'cat')}, outputs=8, truth=truth)
    assert (saved.kind, saved.class_names) == ('embeddings', ('ant', 'bee', 'cat'))
    assert saved.arrays['is_query'].sum() == 6
    assert 0 <= metrics['recall_at_1']['value'] <= 1


@pytest.mark.parametrize('masked', [True, pytest.param(False, marks=pytest.mark.slow)])
def test_depth_with_gaps(train: Train, masked: bool) -> None:
    """Gaps are NaN, or where a mask says so."""
    depth = RANDOM.uniform(1, 5, (16, 4, 4)).astype(np.float32)
    gaps = RANDOM.random(depth.shape) < 0.3
    fields = {'depth': np.where(gaps, np.float32(9 if masked else np.nan), depth), 'seen': ~gaps}
    truth = {'targets': 'depth'} | ({'valid': 'seen'} if masked else {})
    saved, metrics = train('Depth', fields, {}, outputs=16, truth=truth)
    np.testing.assert_array_equal(saved.arrays['targets'][..., 0], np.where(gaps, np.nan, depth))
    assert saved.arrays['values'].shape == (16, 4, 4, 1)
    assert metrics['abs_rel']['value'] > 0
