"""Scores of images against slow, obvious loops."""

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from engine import outputs
from engine.errors import UserError
from engine.evaluation.evaluator import Evaluator
from engine.evaluation.results.bootstrap import Bootstrap
from engine.kinds.image.evaluate import ImageEvaluation, score_images

BOOTSTRAP = Bootstrap(200, 0.95, 0)


def pictures(seed: int, n: int = 4, size: int = 14, channels: int = 3) -> tuple[np.ndarray, np.ndarray]:
    """Returns predicted and true images, the first with some noise."""
    random = np.random.default_rng(seed)
    targets = random.integers(0, 256, (n, size, size + 3, channels))
    images = np.clip(targets + random.normal(0, 25, targets.shape), 0, 255)
    return images.astype(np.uint8), targets.astype(np.uint8)


CASES = {
    'colours': pictures(0),
    'gray': pictures(1, channels=1),
    'one image': pictures(2, n=1),
    'a single window': pictures(3, size=11),
}


@pytest.fixture
def save(tmp_path: Path):
    """Writes outputs of kind `image`: save(images, targets) -> what is read from there."""

    def write(images: np.ndarray, targets: np.ndarray | None) -> outputs.Outputs:
        arrays = {'images': images} | ({} if targets is None else {'targets': targets})
        outputs.write(
            tmp_path / 'it',
            outputs.Manifest('image', dataset='rain', split='test'),
            arrays,
            [f'picture {index}' for index in range(len(images))],
            dict.fromkeys(arrays, 'of the test'),
        )
        return outputs.read(tmp_path / 'it')

    return write


def slow_psnr(image: np.ndarray, target: np.ndarray) -> float:
    squares = [(float(a) - float(b)) ** 2 for a, b in zip(image.flat, target.flat, strict=True)]
    return 20 * math.log10(255 / math.sqrt(sum(squares) / len(squares)))


def slow_ssim(image: np.ndarray, target: np.ndarray) -> float:
    """Returns the mean over all places where the window fits, and channels; Wang et al. 2004, equation 13."""
    offsets = np.arange(-5, 6)
    line = np.exp(-np.square(offsets) / (2 * 1.5**2))
    window = np.outer(line, line) / line.sum() ** 2
    first, second = (0.01 * 255) ** 2, (0.03 * 255) ** 2
    result = []
    for channel in range(image.shape[-1]):
        one, other = (each[..., channel].astype(float) for each in (image, target))
        for row in range(5, one.shape[0] - 5):
            for column in range(5, one.shape[1] - 5):
                a, b = (each[row - 5 : row + 6, column - 5 : column + 6] for each in (one, other))
                mean_a, mean_b = (window * a).sum(), (window * b).sum()
                var_a, var_b = (window * (a - mean_a) ** 2).sum(), (window * (b - mean_b) ** 2).sum()
                both = (window * (a - mean_a) * (b - mean_b)).sum()
                brightness = (2 * mean_a * mean_b + first) / (mean_a**2 + mean_b**2 + first)
                result.append(brightness * (2 * both + second) / (var_a + var_b + second))
    return float(np.mean(result))


@pytest.mark.parametrize('case', CASES)
def test_scores_against_loops(save, case: str) -> None:
    images, targets = CASES[case]
    scores = score_images(save(images, targets))
    pairs = list(zip(images, targets, strict=True))
    assert scores['psnr'].tolist() == pytest.approx([slow_psnr(*pair) for pair in pairs], rel=1e-6)
    assert scores['ssim'].tolist() == pytest.approx([slow_ssim(*pair) for pair in pairs], rel=1e-6)
    errors = [
        np.mean([abs(int(a) - int(b)) for a, b in zip(*map(np.ravel, pair), strict=True)]) for pair in pairs
    ]
    assert scores['mae'].tolist() == pytest.approx(errors, rel=1e-6)


def test_means_and_intervals(save) -> None:
    result = save(*pictures(4, n=30))
    report, scores = ImageEvaluation().report(result, BOOTSTRAP), score_images(result)
    for name, metric in report.metrics.items():
        drawn = BOOTSTRAP.counts(30) @ scores[name].to_numpy() / 30
        assert metric.value == pytest.approx(scores[name].mean())
        assert metric.interval == pytest.approx(np.quantile(drawn, [0.025, 0.975]))
    assert report.tables['per_example']['psnr'].is_monotonic_increasing


def test_equal_images(save) -> None:
    _, targets = CASES['colours']
    metrics = ImageEvaluation().report(save(targets, targets), BOOTSTRAP).metrics
    assert [metrics[name].value for name in ('psnr', 'ssim', 'mae')] == [100, pytest.approx(1), 0]


def test_small_images_have_no_ssim(save) -> None:
    assert ImageEvaluation().report(save(*pictures(5, size=7)), BOOTSTRAP).metrics.keys() == {'psnr', 'mae'}


@pytest.mark.parametrize(
    ('images', 'targets', 'message'),
    [
        (CASES['gray'][0], None, r'no targets\.npy'),
        (np.zeros((2, 0, 4, 3), np.uint8), np.zeros((2, 0, 4, 3), np.uint8), 'no pixels'),
    ],
)
def test_what_cannot_be_evaluated_is_refused(save, images: Any, targets: Any, message: str) -> None:
    with pytest.raises(UserError, match=message):
        score_images(save(images, targets))


def test_all_is_written(save) -> None:
    folder = save(*pictures(6, n=12)).folder
    Evaluator(resamples=100).evaluate(folder)
    for name in ('metrics.json', 'per_example.csv', 'figures/examples_worst.png'):
        assert (folder / 'evaluation' / name).stat().st_size > 100
