"""Average precision against pycocotools' own sums, and against a slow, obvious loop."""

import contextlib
import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from engine import outputs
from engine.errors import UserError
from engine.evaluation.evaluator import Evaluator
from engine.evaluation.results.bootstrap import Bootstrap
from engine.kinds.detection.definitions import ALL, EVERY_AREA
from engine.kinds.detection.evaluate import DetectionEvaluation
from engine.kinds.detection.matches import ClassMatches
from engine.kinds.detection.matching import Matching

BOOTSTRAP = Bootstrap(100, 0.95, 0)
THRESHOLDS = DetectionEvaluation().thresholds
NAMES = ('cat', 'dog', 'owl')
Arrays = dict[str, np.ndarray]


def scenes(seed: int, n: int = 12, absent: int = -1) -> Arrays:
    """Returns boxes of three classes, found a little off their place, some missed and some invented."""
    random = np.random.default_rng(seed)
    labels = random.integers(0, 3, 4 * n)
    labels = np.where(labels == absent, 0, labels)
    images = np.sort(random.integers(0, n, 4 * n))
    corners, sides = random.uniform(0, 50, (4 * n, 2)), random.uniform(8, 40, (4 * n, 2))
    targets = np.concatenate([corners, corners + sides], 1)
    seen = random.random(4 * n) < 0.8
    result = targets[seen] + random.normal(0, 2, (seen.sum(), 4))
    more = random.integers(0, n, n)
    invented = np.concatenate([np.zeros((n, 2)), random.uniform(5, 60, (n, 2))], 1)
    boxes = np.concatenate([result, invented])
    return {
        'boxes': np.concatenate([boxes[:, :2], np.maximum(boxes[:, :2], boxes[:, 2:])], 1).astype(np.float32),
        'scores': random.random(len(boxes)).round(2).astype(np.float32),  # with ties
        'classes': np.concatenate([labels[seen], random.integers(0, 3, n)]).astype(np.int32),
        'example': np.concatenate([images[seen], more]).astype(np.int32),
        'target_boxes': targets.astype(np.float32),
        'target_classes': labels.astype(np.int32),
        'target_example': images.astype(np.int32),
    }


def nothing_found(arrays: Arrays) -> Arrays:
    return arrays | {name: arrays[name][:0] for name in ('boxes', 'scores', 'classes', 'example')}


CASES = {
    'many': scenes(0),
    'others': scenes(1, n=30),
    'one image': scenes(2, n=1),
    'a class without targets': scenes(3, absent=2),
    'nothing found': nothing_found(scenes(4)),
    'perfect': scenes(5)
    | {
        'boxes': scenes(5)['target_boxes'],
        'classes': scenes(5)['target_classes'],
        'example': scenes(5)['target_example'],
        'scores': np.ones(48, np.float32),
    },
}


@pytest.fixture
def save(tmp_path: Path):
    """Writes outputs of kind `detection`: save(arrays) -> what is read from there."""

    def write(arrays: Arrays, n: int | None = None) -> outputs.Outputs:
        count = n or int(max(arrays['target_example'].max(initial=0), arrays['example'].max(initial=0))) + 1
        outputs.write(
            tmp_path / 'it',
            outputs.Manifest('detection', dataset='zoo', split='test', class_names=NAMES),
            arrays,
            [f'scene {index}' for index in range(count)],
            dict.fromkeys(arrays, 'of the test'),
        )
        return outputs.read(tmp_path / 'it')

    return write


def match(found: outputs.Outputs) -> list[ClassMatches]:
    return Matching(THRESHOLDS, {ALL: EVERY_AREA}, 100).match(found)[ALL]


def class_scores(found: outputs.Outputs, counts: np.ndarray) -> dict[str, np.ndarray]:
    """Returns the metrics of the classes, for images repeated `counts` times."""
    scores = DetectionEvaluation(areas={}).class_scores({ALL: match(found)}, counts[np.newaxis].astype(int))
    return {name: values[0] for name, values in scores.items()}


def by_coco(arrays: Arrays) -> dict[str, float]:
    """Returns what pycocotools sums up from the same boxes, written down apart from the evaluator."""
    n = int(max(arrays['target_example'].max(initial=0), arrays['example'].max(initial=0))) + 1
    sides = {
        name: [
            {
                'id': place + 1,
                'image_id': int(image),
                'category_id': int(label),
                'bbox': [float(x0), float(y0), float(x1 - x0), float(y1 - y0)],
                'area': float((x1 - x0) * (y1 - y0)),
                'iscrowd': 0,
                'score': float(score),
            }
            for place, ((x0, y0, x1, y1), label, image, score) in enumerate(
                zip(boxes.astype(float), labels, images, scores, strict=True)
            )
        ]
        for name, boxes, labels, images, scores in (
            (
                'true',
                *(arrays[f'target_{key}'] for key in ('boxes', 'classes', 'example')),
                arrays['target_classes'],
            ),
            ('found', *(arrays[key] for key in ('boxes', 'classes', 'example', 'scores'))),
        )
    }
    with contextlib.redirect_stdout(io.StringIO()):
        indices: list[Any] = []
        for annotations in sides.values():
            index: Any = COCO()
            index.dataset = {
                'images': [{'id': image} for image in range(n)],
                'categories': [{'id': label} for label in range(3)],
                'annotations': annotations,
            }
            index.createIndex()
            indices.append(index)
        evaluation: Any = COCOeval(indices[0], indices[1], 'bbox')
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    ap, ap50, ap75, *_ = evaluation.stats
    return {'ap': ap, 'ap50': ap50, 'ap75': ap75, 'ar_100': evaluation.stats[8]}


@pytest.mark.parametrize('case', CASES)
def test_metrics_are_those_of_coco(save, case: str) -> None:
    result = {
        name: each.value
        for name, each in DetectionEvaluation().report(save(CASES[case]), BOOTSTRAP).metrics.items()
    }
    expected = by_coco(CASES[case])
    assert {name: result[name] for name in expected} == pytest.approx(expected, abs=1e-9)


def overlap(one: np.ndarray, other: np.ndarray) -> float:
    sides = np.minimum(one[2:], other[2:]) - np.maximum(one[:2], other[:2])
    shared = float(np.prod(np.maximum(sides, 0)))
    return shared / (float(np.prod(one[2:] - one[:2])) + float(np.prod(other[2:] - other[:2])) - shared)


def slow_ap(arrays: Arrays, label: int, threshold: float) -> float:
    """Returns the average precision of a class, box by box, the surest first."""
    targets = [
        (int(image), box.astype(float))
        for image, box, each in zip(
            arrays['target_example'], arrays['target_boxes'], arrays['target_classes'], strict=True
        )
        if each == label
    ]
    places = [place for place, each in enumerate(arrays['classes']) if each == label]
    # Among equally sure boxes those of earlier images come first.
    places.sort(key=lambda place: (-float(arrays['scores'][place]), int(arrays['example'][place]), place))
    taken, points, hits = set[int](), [], 0
    for rank, place in enumerate(places, 1):
        box, image = arrays['boxes'][place].astype(float), int(arrays['example'][place])
        overlaps = [
            (overlap(box, other), index)
            for index, (where, other) in enumerate(targets)
            if where == image and index not in taken
        ]
        best, index = max(overlaps, default=(0.0, -1))
        if best >= threshold:
            taken.add(index)
            hits += 1
        points.append((hits / len(targets), hits / rank))
    levels = [step / 100 for step in range(101)]
    return sum(max((p for r, p in points if r >= level - 1e-9), default=0.0) for level in levels) / 101


@pytest.mark.parametrize('case', ['many', 'others'])
def test_average_precision_against_a_loop(save, case: str) -> None:
    result = save(CASES[case])
    scores = class_scores(result, np.ones(len(result.ids)))
    slow = [[slow_ap(CASES[case], label, threshold) for threshold in THRESHOLDS] for label in range(3)]
    assert scores['ap'] == pytest.approx(np.mean(slow, 1), abs=1e-6)


def test_an_image_that_counts_twice_is_there_twice(save) -> None:
    arrays, n = CASES['many'], 12
    counts = np.random.default_rng(0).integers(0, 3, n).astype(float)
    copies = [image for image in range(n) for _ in range(int(counts[image]))]
    repeated: Arrays = {}
    for prefix in ('', 'target_'):
        names = [name for name in arrays if name.startswith('target_') == bool(prefix)]
        rows = [np.flatnonzero(arrays[f'{prefix}example'] == image) for image in copies]
        repeated |= {name: np.concatenate([arrays[name][each] for each in rows]) for name in names}
        places = np.repeat(np.arange(len(copies)), [len(each) for each in rows])
        repeated[f'{prefix}example'] = places.astype(np.int32)
    result = class_scores(save(arrays), counts)
    assert float(np.mean(result['ap'])) == pytest.approx(
        by_coco(repeated)['ap'], abs=2e-3
    )  # ties in another order


def test_images_without_boxes_count_for_nothing(save) -> None:
    one = DetectionEvaluation().report(save(CASES['many'], n=40), BOOTSTRAP)
    assert one.metrics['ap'].value == pytest.approx(by_coco(CASES['many'])['ap'], abs=1e-6)
    low, high = one.metrics['ap'].interval
    assert low < one.metrics['ap'].value < high


@pytest.mark.parametrize(
    ('change', 'message'),
    [
        ({'target_boxes': None}, r'no target_boxes\.npy'),
        ({'scores': np.array([np.nan], np.float32)}, r'scores\.npy holds NaN or infinity'),
        (
            {'boxes': np.array([[5, 5, 3, 9]], np.float32)},
            r"boxes\.npy holds .* for 'scene 0', which is not a box",
        ),
        ({'target_boxes': np.array([[np.inf, 5, 3, 9]], np.float32)}, r'target_boxes\.npy holds'),
        (
            {
                f'target_{name}': np.zeros((0, 4)[: 2 if name == 'boxes' else 1], dtype)
                for name, dtype in (('boxes', np.float32), ('classes', np.int32), ('example', np.int32))
            },
            'target_boxes.npy is empty',
        ),
    ],
)
def test_what_cannot_be_evaluated_is_refused(save, change: dict[str, Any], message: str) -> None:
    whole: Arrays = {
        'boxes': np.array([[0, 0, 4, 4]], np.float32),
        'scores': np.ones(1, np.float32),
        'classes': np.zeros(1, np.int32),
        'example': np.zeros(1, np.int32),
        'target_boxes': np.array([[0, 0, 4, 4]], np.float32),
        'target_classes': np.zeros(1, np.int32),
        'target_example': np.zeros(1, np.int32),
    }
    arrays = {name: array for name, array in (whole | change).items() if array is not None}
    with pytest.raises(UserError, match=message):
        DetectionEvaluation().report(save(arrays), BOOTSTRAP)


def test_all_is_written(save) -> None:
    folder = save(CASES['others']).folder
    Evaluator(resamples=100).evaluate(folder)
    for name in ('metrics.json', 'per_class.csv', 'figures/per_class_ap.png'):
        assert (folder / 'evaluation' / name).stat().st_size > 100


def test_scores_of_each_image(save):
    arrays = CASES['many']
    result = save(arrays)
    table = DetectionEvaluation().report(result, BOOTSTRAP).tables['per_example']
    assert table['found_share'].is_monotonic_increasing
    assert table['found'].to_numpy().sum() == sum(each.hits[0].sum() for each in match(result))
    for index in range(len(table)):
        row = table.loc[f'scene {index}'].to_dict()
        assert row['targets'] == (arrays['target_example'] == index).sum()
        assert row['boxes'] == (arrays['example'] == index).sum()


def test_intervals_are_moved_by_the_bias_that_resamples_show(save) -> None:
    result = DetectionEvaluation().report(save(CASES['others']), BOOTSTRAP)
    for name in ('ap', 'ap50', 'ap75', 'ar_100'):
        metric, resamples = result.metrics[name], np.asarray(result.resamples[name])
        bias = resamples.mean() - metric.value
        assert metric.interval == pytest.approx(np.quantile(resamples, [0.025, 0.975]) - 2 * bias)
        assert metric.interval[0] < metric.value < metric.interval[1]
