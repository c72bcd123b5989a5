"""Reports of generated examples: what the numbers are, and which features are refused."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from engine import outputs
from engine.errors import UserError
from engine.evaluation.drawing import example_figure
from engine.evaluation.evaluator import Evaluator
from engine.evaluation.results.bootstrap import Bootstrap
from engine.kinds.generation import evaluate
from engine.kinds.generation.distances import frechet, moments
from engine.kinds.generation.evaluate import DEFINITIONS, GenerationEvaluation, halvings
from tests.engine.kinds.generation.test_distances import slow_discrepancy
from tests.engine.kinds.generation.test_manifold import slow_share

RANDOM = np.random.default_rng(0)
SAMPLES, REAL = (RANDOM.normal(size=(n, 3)).astype(np.float32) for n in (60, 80))
BOOTSTRAP = Bootstrap(200, 0.95, 0)


@pytest.fixture
def save(tmp_path: Path):
    """Writes outputs of kind `generation`: save(features, reference) -> folder."""

    def write(features: Any, reference: Any = None, channels: int = 1, name: str = 'it', **more: Any) -> Path:
        arrays = {'features': np.asarray(features, np.float32)}
        arrays['samples'] = RANDOM.integers(0, 256, (len(features), 4, 6, channels), np.uint8)
        if reference is not None:
            arrays['reference_features'] = np.asarray(reference, np.float32)
        outputs.write(
            tmp_path / name,
            outputs.Manifest('generation', dataset='noise', split='test', **more),
            arrays,
            [str(index) for index in range(len(features))],
            dict.fromkeys(arrays, 'of the test'),
        )
        return tmp_path / name

    return write


def report(folder: Path) -> Any:
    return GenerationEvaluation().report(outputs.read(folder), BOOTSTRAP)


def test_the_numbers(save) -> None:
    result = report(save(SAMPLES + 0.5, REAL)).metrics
    samples, real = SAMPLES.astype(float) + 0.5, REAL.astype(float)
    assert list(result) == list(DEFINITIONS)
    assert result['frechet_distance'].value == pytest.approx(
        frechet(moments(samples), moments(real)), rel=1e-6
    )
    expected = slow_discrepancy(samples, real)
    assert result['kernel_distance'].value == pytest.approx(expected, rel=1e-6)
    halved = halvings(samples, real, 200, 0).mean(0)
    assert result['frechet_distance_of_halves'].value == pytest.approx(halved[0], rel=1e-5)
    assert result['frechet_ratio'].value == pytest.approx(halved[1] / halved[0], rel=1e-5)
    assert result['precision'].value == pytest.approx(slow_share(samples, real), abs=1e-9)
    assert result['recall'].value == pytest.approx(slow_share(real, samples), abs=1e-9)
    for metric in result.values():
        assert metric.interval[0] < metric.value < metric.interval[1]


def test_the_intervals_of_precision_and_recall_are_those_of_shares(save) -> None:
    result = report(save(SAMPLES + 1, REAL)).metrics
    for name, examples in (('precision', 60), ('recall', 80)):
        share = result[name].value
        deviation = np.sqrt(share * (1 - share) / examples)
        low, high = result[name].interval
        assert 0.1 < share < 0.9
        assert [low - share, high - share] == pytest.approx([-1.96 * deviation, 1.96 * deviation], rel=0.25)


def test_a_row_for_each_sample_the_farthest_first(save) -> None:
    table = report(save(SAMPLES + 1, REAL)).tables['per_example']
    assert table['distance'].is_monotonic_decreasing
    by_id = table.loc[[str(index) for index in range(60)]]
    samples, real = SAMPLES.astype(np.float32) + 1, REAL
    for (distance, inside), sample in zip(by_id.to_numpy(), samples.astype(float), strict=True):
        assert distance == pytest.approx(min(np.linalg.norm(sample - each) for each in real), rel=1e-6)
        assert inside == slow_share(sample[np.newaxis], real.astype(float))


def test_real_examples_that_are_all_equal(save) -> None:
    """Then there is no yardstick, and no ratio; the rest holds."""
    result = report(save(SAMPLES, np.ones((5, 3))))
    assert 'frechet_ratio' not in {*result.metrics, *result.headline}
    assert (result.metrics['precision'].value, result.metrics['recall'].value) == (0, 1)
    equal = GenerationEvaluation().report(
        outputs.read(save(np.ones((4, 3)), np.ones((5, 3)), name='equal')), BOOTSTRAP
    )
    values = {name: metric.value for name, metric in equal.metrics.items()}
    assert values == pytest.approx(
        {
            'frechet_distance': 0,
            'kernel_distance': 0,
            'frechet_distance_of_halves': 0,
            'precision': 1,
            'recall': 1,
        }
    )


def test_samples_as_good_as_real_ones() -> None:
    """The ratio is 1 on average, where the distance itself is that of chance."""
    ratios = []
    for seed in range(30):
        random = np.random.default_rng(seed)
        distances = halvings(*random.normal(size=(2, 60, 3)), count=40, seed=seed).mean(0)
        ratios.append(distances[1] / distances[0])
    assert np.mean(ratios) == pytest.approx(1, abs=0.2)


def test_halves_are_halves_of_the_real_examples() -> None:
    """Two values, as many of each: the halves' means tell how many of them each half got."""
    real = np.repeat([[0.0], [1.0]], 4, axis=0)
    for to_other, to_samples in halvings(np.full((4, 1), 9.0), real, count=20, seed=0):
        likely = [ones for ones in range(5) if np.isclose((1 - ones / 2) ** 2, to_other, atol=1e-9)]
        assert likely
        expected = [(9 - ones / 4) ** 2 + ones * (4 - ones) / 12 for ones in likely]
        assert np.isclose(to_samples, expected).any()


def test_an_interval_covers_the_distance_of_other_samples(save) -> None:
    """Bootstrap alone would lie above: repeated examples make sets more different."""
    result = report(save(SAMPLES + 0.5, REAL)).metrics
    for name in ('frechet_distance', 'kernel_distance'):
        low, high = result[name].interval
        middle = (low + high) / 2
        assert abs(middle - result[name].value) < 0.25 * (high - low)


def test_halves_that_are_equal_by_chance(save) -> None:
    """Their ratio is no number: the interval is made of the others."""
    ratio = report(save(SAMPLES, np.array([[0.0] * 3, [0.0] * 3, [1.0] * 3, [1.0] * 3]))).metrics[
        'frechet_ratio'
    ]
    assert np.isfinite([ratio.value, *ratio.interval]).all()


def test_samples_without_pixels_are_refused(save) -> None:
    with pytest.raises(UserError, match=r'samples\.npy holds images without pixels'):
        report(save(SAMPLES, REAL, channels=0))


@pytest.mark.parametrize('channels', [1, 2, 3, 4])
def test_the_first_samples_are_drawn(save, channels: int) -> None:
    folder = save(np.concatenate([SAMPLES, SAMPLES]), REAL, channels=channels)
    result = report(folder)
    ((heading, cards),) = evaluate.GenerationEvaluation().gallery(result).items()
    assert heading == 'Samples: the first 96'
    figure = example_figure.draw(cards, heading, 'noise test')
    assert figure.get_suptitle() == 'Samples: the first 96\nnoise test'
    drawn = figure.axes[0].images
    assert len(drawn) == len(cards) == 96
    for image, sample in zip(drawn, result.outputs.arrays['samples'], strict=False):
        shown = sample[..., 0] if channels < 3 else sample[..., :3]
        factor = len(np.asarray(image.get_array())) // len(shown)
        np.testing.assert_array_equal(np.asarray(image.get_array())[::factor, ::factor], shown)


def test_the_evaluator_knows_the_kind_and_names_the_extractor(save) -> None:
    folder = save(SAMPLES, REAL, details={'extractor': 'a network'})
    result = Evaluator(resamples=100).evaluate(folder)
    assert result['details'] == {'extractor': 'a network'}
    assert (folder / 'evaluation/figures/examples_samples.png').read_bytes().startswith(b'\x89PNG')


@pytest.mark.parametrize(
    ('features', 'reference', 'message'),
    [
        (SAMPLES, None, r'no reference_features\.npy, so there is nothing to compare the samples with'),
        (SAMPLES, REAL[:3], r'reference_features\.npy holds 3 examples, and at least 4 are needed'),
        (SAMPLES[:1], REAL, r'features\.npy holds 1 examples, and at least 4 are needed'),
        (np.where(SAMPLES[7] == SAMPLES, np.nan, SAMPLES), REAL, r'for 1 of 60 .* number 7, counted from 0'),
        (SAMPLES, np.where(REAL[70] == REAL, np.inf, REAL), r'reference_features\.npy .* number 70'),
    ],
)
def test_features_that_cannot_be_judged(save, features: Any, reference: Any, message: str) -> None:
    with pytest.raises(UserError, match=message):
        report(save(features, reference))


def test_of_long_features_there_are_fewer_resamples(save, monkeypatch: pytest.MonkeyPatch) -> None:
    """As few as are enough to tell how wide an interval is."""
    whole = report(save(SAMPLES + 0.5, REAL)).metrics
    calls = []
    monkeypatch.setattr(evaluate, '_MAX_MULTIPLICATIONS', 0)
    monkeypatch.setattr(evaluate, 'frechet', lambda *pair: calls.append(pair) or frechet(*pair))
    fewer = report(save(SAMPLES + 0.5, REAL, name='fewer')).metrics
    assert len(calls) == 1 + 30 + 2 * 30
    for name in ('frechet_distance', 'frechet_ratio', 'kernel_distance'):
        assert fewer[name].value == pytest.approx(whole[name].value, rel=0.2)
        assert np.ptp(fewer[name].interval) == pytest.approx(np.ptp(whole[name].interval), rel=0.5)
    assert fewer['kernel_distance'].value == whole['kernel_distance'].value
    for name in ('precision', 'recall'):
        assert fewer[name] == whole[name]


@pytest.mark.parametrize(('examples', 'expected'), [(100, 1000), (31_000, 1000), (60_000, 277), (10**6, 30)])
def test_kernel_distances_of_many_samples_have_fewer_resamples(examples: int, expected: int) -> None:
    assert evaluate._afforded_kernels(1000, examples) == expected


def test_few_samples_against_many_examples(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    arrays = {
        'samples': random.integers(0, 256, (5, 4, 4, 1), np.uint8),
        'features': random.normal(size=(5, 3)).astype(np.float32),
        'reference_features': random.normal(size=(400, 3)).astype(np.float32),
    }
    ids = [str(number) for number in range(5)]
    outputs.write(tmp_path / 'it', outputs.Manifest('generation'), arrays, ids, dict.fromkeys(arrays, 'x'))
    metrics = Evaluator(resamples=100).evaluate(tmp_path / 'it')['metrics']
    assert all(metric['value'] is not None for metric in metrics.values())
