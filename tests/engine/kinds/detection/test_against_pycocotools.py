"""Metrics of detection, as the evaluator writes them, are those of pycocotools to 1e-9.

Longer by hand: FUZZ=500 scripts/test.sh tests/engine/kinds/detection/test_against_pycocotools.py
"""

import json
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine import outputs
from engine.errors import UserError
from engine.evaluation import export
from engine.evaluation.evaluator import Evaluator
from engine.evaluation.labels import external_labels
from engine.kinds.detection.evaluate import DetectionEvaluation
from tests.conftest import Program
from tests.engine.kinds.detection.coco_files import (
    Dataset,
    by_pycocotools,
    predictions,
    random_files,
)
from tests.engine.random_cases import random_cases


def write(folder: Path, content: Dataset, arrays: dict[str, np.ndarray]) -> Path:
    """Writes outputs whose ids are the names of the images' files; returns their annotations as a file."""
    manifest = outputs.Manifest(
        'detection',
        class_names=[category['name'] for category in content['categories']],
        category_ids=[category['id'] for category in content['categories']],
    )
    ids = [image['file_name'] for image in content['images']]
    outputs.write(folder, manifest, arrays, ids, dict.fromkeys(arrays, 'of the test'))
    annotations = folder.parent / 'annotations.json'
    annotations.write_text(json.dumps(content))
    return annotations


def evaluated(folder: Path, annotations: Path) -> dict[str, Any]:
    """Returns the metrics as metrics.json has them; -1 for null, as pycocotools."""
    found = external_labels.add(outputs.read(folder), annotations)
    written = json.dumps(Evaluator(resamples=100).report_on(found).as_json(), allow_nan=False)
    metrics = json.loads(written)['metrics']
    return {name: -1 if each['value'] is None else each['value'] for name, each in metrics.items()}


@random_cases(40)
@given(seed=st.integers(0, 2**32), width=st.sampled_from(['float32', 'float64']))
def test_metrics_of_random_files(seed: int, width: str) -> None:
    content, results = random_files(seed, width)
    if not content['annotations']:
        return
    with tempfile.TemporaryDirectory() as name:
        annotations = write(Path(name) / 'it', content, predictions(content, results, width))
        found = evaluated(Path(name) / 'it', annotations)
    assert found == pytest.approx(by_pycocotools(content, results), abs=1e-9)


# A file as COCO publishes them: licences, categories with gaps, and a crowd as run lengths.
REAL: Dataset = {
    'info': {'year': 2017, 'version': '1.0', 'contributor': 'COCO Consortium'},
    'licenses': [{'id': 1, 'name': 'Attribution', 'url': 'http://creativecommons.org/licenses/by/2.0/'}],
    'images': [
        {'id': 397133, 'file_name': '000000397133.jpg', 'license': 1, 'width': 640, 'height': 427},
        {'id': 37777, 'file_name': '000000037777.jpg', 'license': 1, 'width': 352, 'height': 230},
        {'id': 252219, 'file_name': '000000252219.jpg', 'license': 1, 'width': 640, 'height': 428},
    ],
    'categories': [
        {'supercategory': 'person', 'id': 1, 'name': 'person'},
        {'supercategory': 'vehicle', 'id': 13, 'name': 'stop sign'},
        {'supercategory': 'indoor', 'id': 90, 'name': 'toothbrush'},
    ],
    'annotations': [
        {
            'id': 900100397133,
            'image_id': 397133,
            'category_id': 1,
            'iscrowd': 1,
            'area': 2037.0,
            'bbox': [388.66, 69.92, 109.41, 277.62],
            'segmentation': {'size': [427, 640], 'counts': [120, 30, 273130]},
        },
        {
            'id': 82445,
            'image_id': 397133,
            'category_id': 1,
            'iscrowd': 0,
            'area': 702.1057,
            'bbox': [102.49, 118.47, 7.9, 17.31],
            'segmentation': [[102.49, 118.47, 110.39, 118.47, 110.39, 135.78]],
        },
        {'id': 7, 'image_id': 252219, 'category_id': 90, 'bbox': [0.1, 12.3, 32.0, 32.0]},  # no more keys
        {'id': 8, 'image_id': 252219, 'category_id': 90, 'iscrowd': 0, 'bbox': [100.7, 0, 96.0, 96.0]},
    ],
}
RESULTS = [
    {'image_id': 397133, 'category_id': 1, 'bbox': [390.0, 70.0, 50.0, 100.0], 'score': 0.9},
    {'image_id': 397133, 'category_id': 1, 'bbox': [400.0, 80.0, 50.0, 100.0], 'score': 0.9},
    {'image_id': 37777, 'category_id': 1, 'bbox': [10.0, 10.0, 50.0, 100.0], 'score': 0.5},
    {'image_id': 397133, 'category_id': 1, 'bbox': [102.0, 118.0, 8.0, 17.0], 'score': 0.5},
    {'image_id': 252219, 'category_id': 90, 'bbox': [0.1, 12.3, 32.0, 32.0], 'score': 0.7},
    {'image_id': 252219, 'category_id': 90, 'bbox': [100.7, 0.0, 96.0, 48.0], 'score': 0.7},
    {'image_id': 37777, 'category_id': 13, 'bbox': [0.0, 0.0, 5.0, 5.0], 'score': 0.7},
]


@pytest.fixture
def annotations(tmp_path: Path) -> Path:
    return write(tmp_path / 'it', REAL, predictions(REAL, RESULTS))


def test_a_file_in_the_form_of_coco(annotations: Path) -> None:
    found = evaluated(annotations.parent / 'it', annotations)
    assert found == pytest.approx(by_pycocotools(REAL, RESULTS), abs=1e-9)
    assert found['ar_large'] >= 0  # the target of 9,216 pixels is both medium and large
    assert 0 < found['ap'] < 1


def test_exported_results_have_the_ids_of_the_file(annotations: Path, program: Program) -> None:
    """Also with ids that are names of files, once the annotations tell the numbers."""
    found = external_labels.add(outputs.read(annotations.parent / 'it'), annotations)
    exported = export.form(found, 'coco')
    results = json.loads(exported.content(found))
    assert by_pycocotools(REAL, results) == by_pycocotools(REAL, RESULTS)
    assert sorted(results, key=str) == sorted(RESULTS, key=str)  # to the last bit
    code, out, _ = program('export', str(found.folder), '--format=coco')
    assert code == 0
    saved = json.loads(Path(out.removeprefix('submission: ').strip()).read_text())
    assert [result['category_id'] for result in saved] == [1, 1, 1, 1, 90, 90, 13]


def test_areas_thresholds_and_numbers_of_boxes_are_settings(annotations: Path, program: Program) -> None:
    config = annotations.parent / 'boxes.gin'
    config.write_text("""
from __gin__ import dynamic_registration
from engine.evaluation import evaluator
from engine.kinds.detection import evaluate
evaluator.Evaluator.kinds = [@evaluate.DetectionEvaluation()]
evaluate.DetectionEvaluation.thresholds = (0.4, 0.5)
evaluate.DetectionEvaluation.areas = {'tiny': (0, 800)}
evaluate.DetectionEvaluation.max_boxes = (3, 300)
""")
    folder = annotations.parent / 'it'
    code, _, err = program('evaluate', str(folder), f'--labels={annotations}', f'--gin_file={config}')
    assert (code, err) == (0, '')
    metrics = json.loads((folder / 'evaluation/metrics.json').read_text())['metrics']
    assert list(metrics) == ['ap', 'ap50', 'ar_300', 'ap_tiny', 'ar_tiny', 'ar_3']
    assert metrics['ar_tiny']['value'] == 1
    assert metrics['ap50']['value'] > 0.5


@pytest.mark.parametrize(
    ('setting', 'message'),
    [
        ({'thresholds': (0.5, 0.4)}, r'thresholds = \(0.5, 0.4\): give numbers above 0'),
        ({'thresholds': ()}, 'thresholds'),
        ({'areas': {'all': (0, 1)}}, "give ranges with names other than 'all'"),
        ({'areas': {'odd': (5, 1)}}, 'give pairs of a smaller and a larger area'),
        ({'max_boxes': (0, 1)}, 'give numbers of at least 1'),
    ],
)
def test_settings_that_make_no_sense(setting: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=message):
        DetectionEvaluation(**setting)


def changed(place: int, **change: Any) -> Dataset:
    annotations = [dict(each) for each in REAL['annotations']]
    annotations[place] |= change
    return REAL | {'annotations': annotations}


@pytest.mark.parametrize(
    ('content', 'message'),
    [
        (changed(2, image_id=5), 'image_id 5 of annotation 2, counted from 0, is not listed'),
        (changed(1, category_id=5), 'category_id 5 of annotation 1, counted from 0, is not listed'),
        (changed(1, bbox=[0, 0, 1]), "does not hold COCO's annotations of boxes"),
        (changed(1, area=float('nan')), 'areas of annotation 1, counted from 0, is not finite'),
        (
            changed(3, bbox=[0, 0, 1e308, float('inf')]),
            'boxes of annotation 3, counted from 0, is not finite',
        ),
        (REAL | {'images': REAL['images'] + REAL['images'][:1]}, 'two images have the same id'),
        (REAL | {'categories': [{'id': 1, 'name': 'persn'}]}, "the category 'persn' is not a class"),
    ],
)
def test_files_that_are_refused(annotations: Path, content: Dataset, message: str) -> None:
    annotations.write_text(json.dumps(content))
    with pytest.raises(UserError, match=message):
        external_labels.add(outputs.read(annotations.parent / 'it'), annotations)


@pytest.mark.parametrize(
    ('change', 'message'),
    [
        (
            {'sides': np.full((7, 2), 3.0)},
            r'sides\.npy holds \[3.0, 3.0\] for .*, which is not width and height',
        ),
        ({'image_ids': np.array([1, 1, 2])}, 'image_ids.npy holds a number twice'),
    ],
)
def test_arrays_that_contradict_each_other(annotations: Path, change: Any, message: str) -> None:
    found = external_labels.add(outputs.read(annotations.parent / 'it'), annotations)
    with pytest.raises(UserError, match=message):
        Evaluator(resamples=100).report_on(replace(found, arrays={**found.arrays, **change}))


@pytest.mark.parametrize(
    ('stated', 'message'),
    [
        ({'category_ids': [1, 2]}, 'there are 2 category_ids for 3 class_names'),
        ({'category_ids': [1, 2, 2]}, 'category_ids holds a number twice'),
        ({'category_ids': [1, 2, 'x']}, 'category_ids holds something that is not a whole number'),
    ],
)
def test_category_ids_that_are_refused(tmp_path: Path, stated: dict[str, Any], message: str) -> None:
    manifest = outputs.Manifest('detection', class_names=['a', 'b', 'c'], **stated)
    arrays = predictions(REAL, RESULTS)
    with pytest.raises(UserError, match=message):
        outputs.write(tmp_path / 'it', manifest, arrays, list('abc'), dict.fromkeys(arrays, 'it'))
