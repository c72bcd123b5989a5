"""Submissions: what they say is what the outputs hold, and COCO's evaluators score it alike."""

import contextlib
import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from pycocotools import mask as run_lengths
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from engine import outputs
from engine.evaluation.evaluator import Evaluator
from tests.engine.kinds.detection.test_evaluate import NAMES, scenes

RANDOM = np.random.default_rng(0)
IDS = ['007', '=1+1', 'c,"d"', 'é']
LOGITS = RANDOM.normal(size=(4, 3)).astype(np.float32)
ARRAYS: dict[str, dict[str, np.ndarray]] = {
    'classification': {'logits': LOGITS, 'labels': np.array([0, 1, 2, 0], np.int32)},
    'regression': {'values': LOGITS},
    'multilabel': {'logits': LOGITS},
    'language': {'log_probs': -np.arange(4, dtype=np.float32), 'lengths': np.arange(4, dtype=np.int32)},
    'segmentation': {'masks': RANDOM.integers(0, 3, (4, 5, 6)).astype(np.uint8)},
    'image': {'images': RANDOM.integers(0, 3, (4, 5, 6, 1)).astype(np.uint8)},
    'detection': scenes(0, n=4),
}


def save(folder: Path, kind: str, ids: list[str] = IDS, **arrays: np.ndarray) -> Path:
    arrays = arrays or ARRAYS[kind]
    names = () if kind in ('regression', 'image', 'language') else NAMES
    meanings = dict.fromkeys(arrays, 'of the test')
    outputs.write(folder, outputs.Manifest(kind, class_names=names), arrays, ids, meanings)
    return folder


def export(program, folder: Path, form: str) -> Path:
    code, out, err = program('export', str(folder), f'--format={form}')
    assert (code, err) == (0, '')
    assert sorted(each.name for each in folder.iterdir() if each.is_dir()) == ['export']
    file = Path(out.removeprefix('submission: ').strip())
    assert file.parent == folder / 'export'
    return file


def table(program, folder: Path) -> pd.DataFrame:
    read: Any = pd.read_csv(export(program, folder, 'csv'), dtype={'id': str})
    return read


def test_several_classes(program, tmp_path: Path):
    result = table(program, save(tmp_path / 'it', 'multilabel'))
    chances = 1 / (1 + np.exp(-LOGITS.astype(float)))
    names = [[name for name, chance in zip(NAMES, row, strict=True) if chance >= 0.5] for row in chances]
    assert result['prediction'].fillna('').tolist() == ['; '.join(each) for each in names]
    np.testing.assert_allclose(result[[f'probability_{name}' for name in NAMES]], chances, rtol=1e-6)


def test_classes(program, tmp_path: Path):
    result = table(program, save(tmp_path / 'it', 'classification'))
    assert list(result) == ['id', 'prediction', *(f'probability_{name}' for name in NAMES)]
    assert result['id'].tolist() == ['007', "'=1+1", 'c,"d"', 'é']
    assert result['prediction'].tolist() == [NAMES[index] for index in LOGITS.argmax(1)]
    powers = np.exp(LOGITS.astype(float))
    np.testing.assert_allclose(result.iloc[:, 2:], powers / powers.sum(1, keepdims=True), rtol=1e-7)


def test_predicted_classes_alone(program, tmp_path: Path):
    classes = np.array([0, 2, 1, 1])
    folder = tmp_path / 'it'
    outputs.write(
        folder, outputs.Manifest('classification'), {'predicted': classes}, IDS, {'predicted': 'class'}
    )
    assert table(program, folder)['prediction'].tolist() == classes.tolist()


def test_probabilities_as_they_are(program, tmp_path: Path):
    given = RANDOM.dirichlet(np.ones(3), 4).astype(np.float32)
    result = table(program, save(tmp_path / 'it', 'classification', probabilities=given))
    np.testing.assert_array_equal(result.iloc[:, 2:].to_numpy(np.float32), given)


def test_float64_keeps_all_of_its_digits(program, tmp_path: Path):
    given = RANDOM.dirichlet(np.ones(3), 4)
    result = table(program, save(tmp_path / 'it', 'classification', probabilities=given))
    np.testing.assert_array_equal(result.iloc[:, 2:].to_numpy(), given)


def test_numbers_come_back_as_labels(program, tmp_path: Path):
    folder = save(tmp_path / 'it', 'regression', ids=list('abcd'))
    file = export(program, folder, 'csv')
    assert file.read_text().splitlines()[0] == 'id,target_0,target_1,target_2'
    assert program('evaluate', str(folder), f'--labels={file}')[0] == 0
    metrics = json.loads((folder / 'evaluation/metrics.json').read_text())['metrics']
    assert metrics['mae']['value'] == 0
    one = table(program, save(tmp_path / 'one', 'regression', values=LOGITS[:, :1]))
    assert list(one) == ['id', 'target']


def test_texts(program, tmp_path: Path):
    result = table(program, save(tmp_path / 'it', 'language'))
    np.testing.assert_allclose(result['bits'], np.arange(4) / np.log(2))
    assert result['bytes'].tolist() == [0, 1, 2, 3]


def test_boxes(program, tmp_path: Path):
    result = table(program, save(tmp_path / 'it', 'detection', ids=list('abcd')))
    arrays = ARRAYS['detection']
    assert result['id'].tolist() == ['abcd'[index] for index in arrays['example']]
    assert result['class'].tolist() == [NAMES[index] for index in arrays['classes']]
    corners = result[['x0', 'y0', 'x1', 'y1']].to_numpy(np.float32)
    np.testing.assert_array_equal(corners, arrays['boxes'])
    np.testing.assert_array_equal(result['score'].to_numpy(np.float32), arrays['scores'])


@pytest.mark.parametrize('kind', ARRAYS)
def test_arrays(kind: str, program, tmp_path: Path):
    with np.load(export(program, save(tmp_path / 'it', kind), 'npz')) as result:
        assert result['ids'].tolist() == IDS
        assert set(result.files) == {'ids', 'class_names', *ARRAYS[kind]}
        for name, array in ARRAYS[kind].items():
            np.testing.assert_array_equal(result[name], array)


@pytest.mark.parametrize(
    'ids', [[f'{index:06}' for index in range(12)], [f'x{index:02}' for index in range(12)]]
)
def test_coco_scores_boxes_alike(ids: list[str], program, tmp_path: Path):
    # Ids in their order: that is how pycocotools orders boxes of equal scores.
    arrays = scenes(0)
    folder = save(tmp_path / 'it', 'detection', ids=ids, **arrays)
    images = [int(each) if each.isdigit() else each for each in ids]
    truth: Any = COCO()
    truth.dataset = {
        'info': {},
        'images': [{'id': each} for each in images],
        'categories': [{'id': index + 1, 'name': name} for index, name in enumerate(NAMES)],
        'annotations': [
            {
                'id': row + 1,
                'image_id': images[arrays['target_example'][row]],
                'category_id': int(label) + 1,
                'bbox': [x0, y0, x1 - x0, y1 - y0],
                'area': (x1 - x0) * (y1 - y0),
                'iscrowd': 0,
            }
            for row, (label, (x0, y0, x1, y1)) in enumerate(
                zip(arrays['target_classes'], arrays['target_boxes'].astype(float).tolist(), strict=True)
            )
        ],
    }
    file = export(program, folder, 'coco')
    with contextlib.redirect_stdout(io.StringIO()):
        truth.createIndex()
        results = truth.loadRes(str(file))
        evaluation: Any = COCOeval(truth, results, 'bbox')
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    metrics = Evaluator(resamples=100).report(folder).metrics
    ours = [metrics[name].value for name in ('ap', 'ap50', 'ap75')]
    np.testing.assert_allclose(evaluation.stats[:3], ours, rtol=1e-9)
    assert 0.2 < ours[0] < 0.9


# What pycocotools does inside.
@pytest.mark.filterwarnings('ignore:__array__ implementation:DeprecationWarning')
def test_coco_takes_masks(program, tmp_path: Path):
    file = export(program, save(tmp_path / 'it', 'segmentation', ids=list('1234')), 'coco')
    made = np.zeros((4, 5, 6), np.uint8)
    for segment in json.loads(file.read_text()):
        made[segment['image_id'] - 1] += run_lengths.decode(segment['segmentation']) * segment['category_id']
    np.testing.assert_array_equal(made, ARRAYS['segmentation']['masks'] + 1)


@pytest.mark.parametrize(
    ('kind', 'form', 'message'),
    [
        ('classification', 'coco', 'has no --format=coco; it has --format=csv and --format=npz'),
        ('segmentation', 'csv', 'it has --format=coco and --format=npz'),
        ('image', 'csv', 'it has --format=npz.'),
    ],
)
def test_what_does_not_suit(kind: str, form: str, message: str, program, tmp_path: Path):
    folder = save(tmp_path / 'it', kind)
    code, out, err = program('export', str(folder), f'--format={form}')
    assert (code, out) == (2, '')
    assert message in err
    assert not (folder / 'export').exists()


def test_a_model_that_diverged(program, tmp_path: Path):
    folder = save(tmp_path / 'it', 'classification', logits=np.where(LOGITS > 0, LOGITS, np.nan))
    code, _, err = program('export', str(folder), '--format=csv')
    assert (code, 'logits.npy holds NaN or infinity' in err) == (2, True)


def test_nothing_is_overwritten_unasked_and_outputs_stay_sound(program, tmp_path: Path):
    for name in ('one', 'two'):
        save(tmp_path / 'all' / name, 'classification')
    target = f'--output={tmp_path / "sent"}'
    code, out, _ = program('export', str(tmp_path / 'all'), '--format=csv', target)
    assert code == 0
    assert out.splitlines() == [
        f'submission: {tmp_path / "sent" / each}/submission.csv' for each in ('one', 'two')
    ]
    before = (tmp_path / 'sent/one/submission.csv').stat().st_mtime_ns
    (tmp_path / 'sent/two/submission.csv').write_text('mine')
    code, _, err = program('export', str(tmp_path / 'all'), '--format=csv', target)
    assert (code, 'exists already. Pass --overwrite' in err) == (2, True)
    assert (tmp_path / 'sent/two/submission.csv').read_text() == 'mine'
    assert (tmp_path / 'sent/one/submission.csv').stat().st_mtime_ns == before
    assert program('export', str(tmp_path / 'all'), '--format=csv', target, '--overwrite')[0] == 0
    assert (tmp_path / 'sent/two/submission.csv').read_text().startswith('id,')
    export(program, tmp_path / 'all/one', 'csv')
    assert program('check_outputs', str(tmp_path / 'all'))[0] == 0
    (tmp_path / 'file').write_text('')
    code, _, err = program('export', str(tmp_path / 'all/two'), '--format=npz', f'--output={tmp_path}/file')
    assert (code, 'cannot be written' in err) == (2, True)
