"""Masks of more than 256 classes, in 16 bits."""

import io
import json
from pathlib import Path
from typing import Any

import jax.numpy as jnp
import numpy as np
import pytest
from PIL import Image
from sklearn.metrics import accuracy_score, f1_score, jaccard_score

from engine import outputs
from engine.errors import UserError
from engine.evaluation.evaluator import Evaluator
from engine.evaluation.labels import external_labels
from engine.kinds.segmentation.evaluate import SegmentationEvaluation
from engine.outputs.pictures import png
from engine.parts.segmentation import Segmentation
from engine.prediction.pictures import pictures
from engine.render import palette

CLASSES = 3000
RANDOM = np.random.default_rng(0)
TARGETS = RANDOM.choice(np.arange(0, CLASSES, 37), (5, 8, 8)).astype(np.uint16)
MASKS = np.where(RANDOM.random(TARGETS.shape) < 0.7, TARGETS, TARGETS[::-1]).astype(np.uint16)


def save(folder: Path, masks: Any = MASKS, targets: Any = TARGETS, **more: Any) -> Path:
    arrays = {'masks': masks} | ({} if targets is None else {'targets': targets})
    known: dict[str, Any] = {'class_names': [f'class {index}' for index in range(CLASSES)]} | more
    ids = [str(index) for index in range(len(masks))]
    meanings = dict.fromkeys(arrays, 'of the test')
    outputs.write(folder, outputs.Manifest('segmentation', **known), arrays, ids, meanings)
    return folder


def measured(folder: Path) -> dict[str, float]:
    metrics = Evaluator(resamples=100).report(folder).metrics
    return {name: metric.value for name, metric in metrics.items()}


def expected(targets: np.ndarray, masks: np.ndarray) -> dict[str, float]:
    pair = targets.ravel(), masks.ravel()
    return {
        'mean_iou': float(jaccard_score(*pair, average='macro')),
        'mean_dice': float(f1_score(*pair, average='macro')),
        'pixel_accuracy': float(accuracy_score(*pair)),
    }


@pytest.mark.parametrize('dtype', [np.uint16, np.int32, np.int64])
def test_metrics_against_scikit_learn(tmp_path: Path, dtype: Any) -> None:
    folder = save(tmp_path / 'it', MASKS.astype(dtype), TARGETS.astype(dtype))
    assert measured(folder) == pytest.approx(expected(TARGETS, MASKS), abs=1e-9)
    assert outputs.read(folder).arrays['masks'].dtype == np.uint16


@pytest.mark.parametrize(('label', 'stated'), [(65535, None), (65535, 65535), (4000, 4000), (37, 37)])
def test_pixels_that_do_not_count(tmp_path: Path, label: int, stated: int | None) -> None:
    targets = TARGETS.copy()
    targets[:, :2] = label
    counted = targets != label
    result = measured(save(tmp_path / 'it', targets=targets, ignore_label=stated))
    assert result == pytest.approx(expected(targets[counted], MASKS[counted]), abs=1e-9)


def test_255_is_a_class_of_many_and_may_be_one_of_an_unknown_number(tmp_path: Path) -> None:
    targets, masks = (np.where(array == 37, 255, array).astype(np.uint16) for array in (TARGETS, MASKS))
    assert measured(save(tmp_path / 'named', masks, targets))['pixel_accuracy'] == np.mean(targets == masks)
    nameless = measured(save(tmp_path / 'nameless', masks, targets, class_names=()))
    assert nameless['pixel_accuracy'] == np.mean(targets == masks)


def test_labels_that_fit_nowhere_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r'masks\.npy holds 3000, but only 0 to 2999'):
        save(tmp_path / 'it', masks=np.full_like(MASKS, CLASSES))
    with pytest.raises(UserError, match='-1 is not such a number'):
        save(tmp_path / 'it', masks=np.full(MASKS.shape, -1))
    with pytest.raises(UserError, match='from 0 to 65535'):
        save(tmp_path / 'it', ignore_label=65536)


def test_the_report_stays_readable(tmp_path: Path) -> None:
    folder = save(tmp_path / 'it')
    Evaluator(resamples=100).evaluate(folder)
    assert {path.name for path in (folder / 'evaluation').glob('*.csv')} == {
        *('per_class.csv', 'per_example.csv', 'confused_pairs.csv')  # the matrix would have 9,000,000 cells
    }
    assert (folder / 'evaluation/report.html').stat().st_size < 2**21


def test_png_files_hold_the_classes(tmp_path: Path) -> None:
    files = dict(pictures({'masks': MASKS}, list('abcde')))
    with Image.open(io.BytesIO(files['images/a.png'])) as image:
        np.testing.assert_array_equal(np.asarray(image), MASKS[0])
    for row, target in enumerate(TARGETS):
        (tmp_path / f'{row}.png').write_bytes(png.encode(target))
    small = np.zeros((8, 8), np.uint8)
    (tmp_path / '4.png').write_bytes(png.encode(small))  # few of many classes
    rows = ''.join(f'{row},{row}.png\n' for row in range(5))
    (tmp_path / 'list.csv').write_text(f'id,mask\n{rows}')
    bare = outputs.read(save(tmp_path / 'bare', targets=None))
    targets = external_labels.add(bare, tmp_path / 'list.csv').arrays['targets']
    np.testing.assert_array_equal(targets, np.concatenate([TARGETS[:4], small[np.newaxis]]))


def test_colours_of_many_classes() -> None:
    many = palette.colours(CLASSES)
    np.testing.assert_array_equal(many[:256], palette.colours(256))
    assert len(np.unique(many[:1000], axis=0)) > 900
    np.testing.assert_array_equal(palette.painted(MASKS), many[MASKS])


@pytest.mark.parametrize(('classes', 'dtype'), [(256, np.uint8), (257, np.uint16)])
def test_the_task_chooses_the_dtype(classes: int, dtype: Any) -> None:
    logits = jnp.zeros((1, 2, 2, classes)).at[..., -1].set(1)
    task = Segmentation(model=None, optimizer=None, learning_rate=None)  # type: ignore[arg-type]
    masks = task.predictions(logits, {})['masks']
    assert masks.dtype == dtype
    assert int(masks.max()) == classes - 1


def test_coco_results_of_many_classes(tmp_path: Path) -> None:
    content = SegmentationEvaluation().exports()['coco'].content(outputs.read(save(tmp_path / 'it')))
    results = json.loads(content)
    assert {result['category_id'] for result in results} == {int(index) + 1 for index in np.unique(MASKS)}
