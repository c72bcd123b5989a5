"""Segmentation metrics against scikit-learn on all pixels and against slow, obvious loops."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.metrics import accuracy_score, confusion_matrix, f1_score, jaccard_score

from engine import outputs
from engine.errors import UserError
from engine.evaluation.evaluator import Evaluator
from engine.evaluation.results.bootstrap import Bootstrap
from engine.kinds.segmentation.evaluate import SegmentationEvaluation
from engine.render import palette

NAMES = ('ground', 'cat', 'dog', 'owl')
BOOTSTRAP = Bootstrap(200, 0.95, 0)


def random_masks(seed: int, n: int = 12, missing: tuple[int, ...] = ()) -> tuple[np.ndarray, np.ndarray]:
    """Returns targets without the classes `missing`, and predictions of which two in three are right."""
    random = np.random.default_rng(seed)
    there = np.setdiff1d(np.arange(len(NAMES)), missing)
    targets, others = random.choice(there, (2, n, 6, 5))
    masks = np.where(random.random(targets.shape) < 0.67, targets, others)
    return targets.astype(np.uint8), masks.astype(np.uint8)


def invented(targets: np.ndarray, masks: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Returns the masks with a class that no target has."""
    changed = masks.copy()
    changed[0, 0] = 3
    return targets, changed


CASES = {
    'all classes': random_masks(0),
    'a class in neither': random_masks(1, missing=(2,)),
    'a class in predictions alone': invented(*random_masks(2, missing=(3,))),
    'one image': random_masks(3, n=1),
    'perfect': (random_masks(4)[0],) * 2,
}


@pytest.fixture
def save(tmp_path: Path):
    """Writes outputs of kind `segmentation`: save(targets, masks) -> folder."""

    def write(targets: Any, masks: Any, **more: Any) -> Path:
        arrays = {'masks': masks} | ({} if targets is None else {'targets': targets})
        outputs.write(
            tmp_path / 'it',
            outputs.Manifest(
                'segmentation', **{'class_names': NAMES, 'dataset': 'animals', 'split': 'test', **more}
            ),
            arrays,
            [str(index) for index in range(len(masks))],
            dict.fromkeys(arrays, 'of the test'),
        )
        return tmp_path / 'it'

    return write


def report(folder: Path) -> Any:
    return SegmentationEvaluation().report(outputs.read(folder), BOOTSTRAP)


def slow_scores(targets: np.ndarray, masks: np.ndarray) -> dict[str, float]:
    """Returns the metrics, pixel by pixel."""
    both, either, areas, right, pixels = ([0] * 4, [0] * 4, [0] * 4, 0, 0)
    for place in np.ndindex(targets.shape):
        target, result = targets[place], masks[place]
        pixels += 1
        right += int(target == result)
        for index in range(4):
            both[index] += int(target == index and result == index)
            either[index] += int(target == index or result == index)
            areas[index] += int(target == index) + int(result == index)
    there = [index for index in range(4) if either[index]]
    return {
        'mean_iou': sum(both[index] / either[index] for index in there) / len(there),
        'mean_dice': sum(2 * both[index] / areas[index] for index in there) / len(there),
        'pixel_accuracy': right / pixels,
    }


@pytest.mark.parametrize('case', CASES)
def test_metrics_against_scikit_learn_and_a_loop(save, case: str):
    targets, masks = CASES[case]
    result = {name: metric.value for name, metric in report(save(targets, masks)).metrics.items()}
    flat = targets.ravel(), masks.ravel()
    assert result == pytest.approx(
        {
            'mean_iou': jaccard_score(*flat, average='macro'),
            'mean_dice': f1_score(*flat, average='macro'),
            'pixel_accuracy': accuracy_score(*flat),
        },
        abs=1e-6,
    )
    assert result == pytest.approx(slow_scores(targets, masks), abs=1e-6)


@pytest.mark.parametrize('case', CASES)
def test_tables_against_scikit_learn(save, case: str):
    targets, masks = CASES[case]
    tables = report(save(targets, masks)).tables
    flat, labels = (targets.ravel(), masks.ravel()), range(len(NAMES))
    np.testing.assert_array_equal(tables['confusion_matrix'], confusion_matrix(*flat, labels=labels))
    there = np.isin(labels, flat)
    by_class: dict[str, Any] = {'iou': jaccard_score, 'dice': f1_score}
    for column, score in by_class.items():
        expected = score(*flat, average=None, labels=labels, zero_division=0)
        values = tables['per_class'][column].to_numpy()
        np.testing.assert_allclose(values[there], expected[there], atol=1e-6)
        assert np.isnan(values[~there]).all()
    assert tables['per_class']['support'].tolist() == np.bincount(flat[0], minlength=4).tolist()
    assert tables['per_class']['predicted'].tolist() == np.bincount(flat[1], minlength=4).tolist()


def test_intervals_hold_the_values(save):
    result = report(save(*CASES['all classes']))
    for metric in result.metrics.values():
        low, high = metric.interval
        assert low < metric.value < high
    table = result.tables['per_class']
    assert (table['iou_low'] < table['iou']).all()
    assert (table['iou'] < table['iou_high']).all()


def test_of_perfect_predictions_nothing_is_uncertain(save):
    for metric in report(save(*CASES['perfect'])).metrics.values():
        assert (metric.value, *metric.interval) == (1, 1, 1)


def test_the_worst_examples_are_shown_first(save):
    targets, masks = CASES['all classes']
    result = report(save(targets, masks))
    expected = [slow_scores(*pair)['mean_iou'] for pair in zip(targets, masks, strict=True)]
    order = np.argsort(expected, kind='stable')
    worst = SegmentationEvaluation().gallery(result)['Worst']
    assert [card.name for card in worst] == [result.outputs.ids[row] for row in order[:12]]
    np.testing.assert_array_equal(worst[0].pictures[0].image, palette.painted(targets[order[0]]))
    np.testing.assert_array_equal(worst[0].pictures[1].image, palette.painted(masks[order[0]]))


@pytest.mark.parametrize('case', CASES)
def test_figures_are_drawn_with_titles(save, tmp_path: Path, case: str):
    for draw in report(save(*CASES[case])).figures.values():
        figure = draw()
        assert figure.get_suptitle().startswith(f'animals, test, n = {len(CASES[case][0])}, 95 % intervals\n')
        figure.savefig(tmp_path / 'it.png')


def test_the_evaluator_knows_the_kind(save):
    folder = save(*CASES['all classes'])
    result = Evaluator(resamples=100).evaluate(folder)
    assert result['metrics']['mean_iou']['value'] == pytest.approx(
        slow_scores(*CASES['all classes'])['mean_iou']
    )
    for name in ('examples_worst', 'per_class_iou', 'confusion_matrix'):
        assert (folder / f'evaluation/figures/{name}.png').read_bytes().startswith(b'\x89PNG')


def test_without_targets_there_is_nothing_to_say(save):
    with pytest.raises(UserError, match=r'no targets\.npy, so there is nothing to compare with.*--labels'):
        report(save(None, CASES['all classes'][1]))


def test_masks_without_pixels_are_refused(save):
    with pytest.raises(UserError, match='images of 0x5 pixels'):
        report(save(*(each[:, :0] for each in CASES['all classes'])))


def test_scores_of_each_image(save):
    targets, masks = CASES['all classes']
    table = report(save(targets, masks)).tables['per_example']
    assert table['mean_iou'].is_monotonic_increasing
    for index, (target, mask) in enumerate(zip(targets, masks, strict=True)):
        alone = slow_scores(target[np.newaxis], mask[np.newaxis])
        assert table.loc[str(index)].to_dict() == pytest.approx(alone)


@pytest.mark.parametrize('stated', [None, 255, 7])
def test_ignored_pixels_do_not_count(tmp_path: Path, stated: int | None) -> None:
    random = np.random.default_rng(0)
    targets, masks = random.integers(0, 3, (6, 5, 5)), random.integers(0, 3, (6, 5, 5))
    ignored = random.random(targets.shape) < 0.3
    ignored[0] = True  # an image of which no pixel counts
    targets = np.where(ignored, stated or 255, targets)
    arrays = {'masks': masks, 'targets': targets}
    manifest = outputs.Manifest('segmentation', class_names=['a', 'b', 'c'], ignore_label=stated)
    ids = [str(index) for index in range(6)]
    outputs.write(tmp_path / 'it', manifest, arrays, ids, dict.fromkeys(arrays, 'it'))
    metrics = Evaluator(resamples=100).report(tmp_path / 'it').metrics
    true, predicted = targets[~ignored], masks[~ignored]
    expected = jaccard_score(true, predicted, average='macro')
    assert metrics['mean_iou'].value == pytest.approx(expected, abs=1e-9)
    assert metrics['pixel_accuracy'].value == pytest.approx((true == predicted).mean(), abs=1e-9)


def test_another_label_that_is_no_class_is_an_error(tmp_path: Path) -> None:
    arrays = {'masks': np.zeros((1, 2, 2), int), 'targets': np.full((1, 2, 2), 254)}
    manifest = outputs.Manifest('segmentation', class_names=['a', 'b'])
    with pytest.raises(UserError, match=r'targets\.npy holds 254, but only 0 to 1 are valid'):
        outputs.write(tmp_path / 'it', manifest, arrays, ['a'], dict.fromkeys(arrays, 'it'))


@pytest.mark.parametrize('named', [None, 0, 7])
def test_ignored_pixels_are_hatched_and_named(named: int | None, tmp_path: Path) -> None:
    targets, masks = random_masks(0)
    label = 255 if named is None else named
    targets[0, :3] = label
    arrays = {'masks': masks, 'targets': targets, 'inputs': np.zeros((*targets.shape, 1), np.uint8)}
    manifest = outputs.Manifest('segmentation', class_names=NAMES, ignore_label=named)
    ids = [str(row) for row in range(len(masks))]
    for folder, saved in (('on pictures', arrays), ('alone', {**arrays, 'inputs': None})):
        written = {name: array for name, array in saved.items() if array is not None}
        outputs.write(tmp_path / folder, manifest, written, ids, dict.fromkeys(written, 'it'))
        read, evaluation = outputs.read(tmp_path / folder), SegmentationEvaluation()
        target, mask = evaluation.pictures(read, 0)
        layers = [(picture.overlay, picture.image) for picture in (target, mask)]
        drawn = [np.asarray(image if overlay is None else overlay) for overlay, image in layers]
        grey = [(image[..., :3] == image[..., :1]).all(-1) & image[..., :3].any(-1) for image in drawn]
        np.testing.assert_array_equal(grey[0], targets[0] == label)
        assert len(np.unique(drawn[0][targets[0] == label], axis=0)) == 2  # white and grey
        assert not grey[1].any()
        assert evaluation.colours(read)[0][0] == 'ignored (hatched)'
        assert 'Hatched pixels of the target' in evaluation.explanation(read)
        assert [name for name, _ in evaluation.colours(read)[1:]] == list(NAMES)[folder == 'on pictures' :]


def test_nothing_is_hatched_without_ignored_pixels(tmp_path: Path) -> None:
    targets, masks = random_masks(0)
    arrays = {'masks': masks, 'targets': targets}
    manifest = outputs.Manifest('segmentation', class_names=NAMES)
    outputs.write(tmp_path / 'it', manifest, arrays, list('abcdefghijkl'), dict.fromkeys(arrays, 'it'))
    read, evaluation = outputs.read(tmp_path / 'it'), SegmentationEvaluation()
    assert [name for name, _ in evaluation.colours(read)] == list(NAMES)
    assert 'Hatched' not in evaluation.explanation(read)
