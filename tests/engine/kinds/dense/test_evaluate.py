"""Dense values against scikit-learn and slow loops, on random and edge cases, and what is refused.

Longer by hand: FUZZ=500 scripts/test.sh tests/engine/kinds/dense/test_evaluate.py
"""

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import mean_absolute_error, r2_score, root_mean_squared_error

from engine import outputs
from engine.errors import UserError
from engine.evaluation.evaluator import Evaluator
from engine.evaluation.labels import external_labels
from engine.evaluation.results.bootstrap import Bootstrap
from engine.kinds.dense import agreement, ensemble, pack
from engine.kinds.dense.evaluate import DenseEvaluation
from engine.kinds.dense.shades import Scale
from engine.outputs.outputs import Outputs
from tests.engine.random_cases import random_cases

BOOTSTRAP = Bootstrap(100, 0.95, 0)
DEPTH = {'abs_rel', 'sq_rel', 'delta_1', 'delta_2', 'delta_3', 'rmse_log', 'log10'}


def random_values(seed: int) -> dict[str, np.ndarray]:
    """Returns values and targets: gaps, images without ground truth, constant targets, depth or any sign."""
    random = np.random.default_rng(seed)
    shape = (int(random.choice([1, 2, 6])), *random.integers(1, 5, size=2), int(random.choice([1, 1, 3])))
    targets = random.normal(size=shape) * random.choice([0.0, 1.0, 10.0]) + random.choice([0.0, 1e3])
    values = targets + random.normal(size=shape) * random.choice([0.0, 0.1, 5.0])
    if random.random() < 0.6:
        targets, values = np.abs(targets) + 0.5, np.abs(values) + (0.1 if random.random() < 0.7 else 0)
    if random.random() < 0.2:
        values.flat[0] = -1
    targets[random.random(shape) < random.choice([0, 0.3, 0.8])] = np.nan
    targets.flat[-1] = 2.0
    if len(targets) > 2:
        targets[1] = np.nan
    return {'values': values.astype(np.float32), 'targets': targets.astype(np.float32)}


def as_outputs(arrays: dict[str, np.ndarray], **manifest: Any) -> Outputs:
    ids = tuple(f'e{index}' for index in range(len(arrays['values'])))
    return Outputs(Path('it'), outputs.Manifest('dense', **manifest), ids, arrays)


def report(arrays: dict[str, np.ndarray], **manifest: Any) -> Any:
    return DenseEvaluation().report(as_outputs(arrays, **manifest), BOOTSTRAP)


def slow(values: np.ndarray, targets: np.ndarray) -> dict[str, float]:
    """Returns all metrics of the pixels with ground truth of some images, one pixel at a time."""
    pairs = [
        (float(value), float(target))
        for value, target in zip(values.ravel(), targets.ravel(), strict=True)
        if not math.isnan(target)
    ]
    if not pairs:
        return {}
    predicted, true = np.array(pairs).T
    result = {
        'rmse': root_mean_squared_error(true, predicted),
        'mae': mean_absolute_error(true, predicted),
        'r2': r2_score(true, predicted) if len({*true.tolist()}) > 1 else math.nan,
    }
    result['abs_rel'] = np.mean([abs(v - t) / t for v, t in pairs]) if (true > 0).all() else math.nan
    if (true > 0).all():
        result['sq_rel'] = np.mean([(v - t) ** 2 / t for v, t in pairs])
        for k in (1, 2, 3):
            right = [v > 0 and max(v / t, t / v) < 1.25**k for v, t in pairs]
            result[f'delta_{k}'] = np.mean(right)
        positive = (predicted > 0).all()
        logs = [(math.log(v / t), math.log10(v / t)) for v, t in pairs] if positive else [(math.nan,) * 2]
        result['rmse_log'] = math.sqrt(np.mean([natural**2 for natural, _ in logs]))
        result['log10'] = np.mean([abs(decimal) for _, decimal in logs])
    return {name: float(value) for name, value in result.items()}


def expected(arrays: dict[str, np.ndarray]) -> dict[str, float]:
    pooled = slow(arrays['values'], arrays['targets'])
    if not np.nanmin(arrays['targets']) > 0:
        pooled.pop('abs_rel')
    images = [slow(*pair) for pair in zip(arrays['values'], arrays['targets'], strict=True)]
    scored = {name: [each[name] for each in images if each] for name in pooled if name != 'r2'}
    means = {f'image_{name}': sum(each) / len(each) for name, each in scored.items()}
    if math.isnan(pooled.get('rmse_log', 0)):
        means |= {'image_rmse_log': math.nan, 'image_log10': math.nan}
    return pooled | means


@random_cases(40)
@given(seed=st.integers(0, 2**32))
def test_metrics_of_random_values(seed: int) -> None:
    arrays = random_values(seed)
    result = {name: metric.value for name, metric in report(arrays).metrics.items()}
    assert result == pytest.approx(expected(arrays), rel=1e-9, abs=1e-9, nan_ok=True)


def test_intervals_against_a_loop() -> None:
    random = np.random.default_rng(0)
    targets = random.uniform(1, 5, size=(12, 3, 4, 1)).astype(np.float32)
    values = (targets * random.uniform(0.7, 1.5, size=targets.shape)).astype(np.float32)
    targets[random.random(targets.shape) < 0.2], targets[3] = np.nan, np.nan
    drawn = []
    for counts in BOOTSTRAP.counts(12).astype(int):
        drawn.append(expected({'values': values.repeat(counts, 0), 'targets': targets.repeat(counts, 0)}))
    for name, metric in report({'values': values, 'targets': targets}).metrics.items():
        ends = np.quantile([each[name] for each in drawn], [0.025, 0.975])
        assert metric.interval == pytest.approx(ends, rel=1e-9), name


def test_gaps_never_count() -> None:
    arrays = random_values(3)
    gaps = np.isnan(arrays['targets'])
    other = arrays | {'values': np.where(gaps, np.float32(99), arrays['values'])}
    one, two = ({name: m.value for name, m in report(each).metrics.items()} for each in (arrays, other))
    assert one == pytest.approx(two, nan_ok=True)
    assert gaps.any()


@pytest.mark.parametrize(('low', 'note'), [(0.0, 'Some targets are 0'), (-1.0, '')])
def test_without_positive_targets_only_plain_errors_are_left(low: float, note: str) -> None:
    targets = np.linspace(low, 3, 24, dtype=np.float32).reshape(2, 3, 4, 1)
    result = report({'values': targets + 1, 'targets': targets})
    assert not DEPTH & result.metrics.keys()
    assert result.headline == ('rmse', 'mae', 'r2')
    assert any('write NaN' in each for each in result.footnotes) == bool(note)


def test_predictions_of_0_or_less_are_named() -> None:
    targets = np.ones((1, 2, 2, 1), np.float32)
    values = np.array([1, 0, -1, 2], np.float32).reshape(targets.shape)
    result = report({'values': values, 'targets': targets})
    undefined = {name for name, metric in result.metrics.items() if math.isnan(metric.value)}
    assert undefined == {'r2', 'rmse_log', 'log10', 'image_rmse_log', 'image_log10'}
    assert any('RMSE log' in each and 'is 0 or less' in each for each in result.footnotes)
    assert any('the targets do not vary' in each for each in result.footnotes)
    assert any('2 predictions are 0 or less' in each for each in result.footnotes)
    assert result.metrics['delta_1'].value == 0.25


def test_the_table_by_target_holds_all_pixels() -> None:
    arrays = random_values(3)
    table = report(arrays).tables['by_target']
    known = ~np.isnan(arrays['targets'])
    assert table['pixels'].sum() == known.sum()
    errors = (arrays['values'].astype(float) - arrays['targets'])[known]
    assert (table['bias'] * table['pixels']).sum() == pytest.approx(errors.sum())


def test_units_are_in_the_titles() -> None:
    metrics = report(random_values(5), details={'unit': 'm'}).metrics
    assert metrics['rmse'].definition.title == 'RMSE in m'
    assert metrics['image_rmse'].definition.title == 'RMSE in m per image'
    assert report(random_values(5)).metrics['rmse'].definition.title == 'RMSE'


@pytest.mark.parametrize(
    ('values', 'targets', 'message'),
    [
        ([1.0, 2.0], None, r'no targets\.npy'),
        ([1.0, 2.0], [np.nan, np.nan], 'no pixel with ground truth'),
        ([1.0, np.nan], [1.0, 1.0], r"values\.npy is not finite for the example 'e0'"),
        ([1.0, np.inf], [1.0, np.nan], r'values\.npy is not finite'),
        ([1.0, 1.0], [1.0, np.inf], r'targets\.npy is not finite .*Write NaN'),
        ([], [], 'no pixel with ground truth'),
    ],
)
def test_what_cannot_be_evaluated_is_refused(values: Any, targets: Any, message: str) -> None:
    given = {'values': values} | ({} if targets is None else {'targets': targets})
    arrays = {name: np.array(each, np.float32).reshape(1, 1, -1, 1) for name, each in given.items()}
    with pytest.raises(UserError, match=message):
        report(arrays)


@pytest.mark.parametrize('channels', [1, 2, 3])
@pytest.mark.parametrize('inputs', [True, False])
def test_all_is_written(tmp_path: Path, channels: int, inputs: bool) -> None:
    random = np.random.default_rng(0)
    targets = random.uniform(1, 5, size=(3, 6, 8, channels)).astype(np.float32)
    targets[0, 0], targets[1] = np.nan, np.nan
    arrays = {'values': np.nan_to_num(targets) + 1, 'targets': targets}
    arrays |= {'inputs': np.zeros((3, 6, 8, 3), np.uint8)} if inputs else {}
    meanings = dict.fromkeys(arrays, 'of the test')
    outputs.write(tmp_path / 'it', outputs.Manifest('dense'), arrays, list('abc'), meanings)
    Evaluator(resamples=100, figure_formats=('svg',)).evaluate(tmp_path / 'it')
    for name in ('metrics.json', 'by_target.csv', 'figures/images.svg', 'figures/predictions.svg'):
        assert (tmp_path / 'it/evaluation' / name).stat().st_size > 100


def test_a_scale_holds_for_all_pictures() -> None:
    arrays = random_values(3)
    saved = as_outputs(arrays, details={'unit': 'm'})
    scale = Scale.of(saved, 'm')
    assert scale.low < scale.high
    assert len(DenseEvaluation().pictures(saved, 0)) == 3
    names = [name for name, _ in DenseEvaluation().colours(saved)]
    assert sum(name.startswith('error') for name in names) == 3
    assert all(name.endswith(' m') for name in names)


# The declaration.


def test_images_without_channels_and_masks_of_gaps_are_packed() -> None:
    depth = np.arange(12, dtype=np.uint16).reshape(1, 3, 4)
    valid = depth % 2 == 0
    packed = pack({'values': depth.astype(np.float32), 'targets': depth, 'valid': valid})
    assert packed.keys() == {'values', 'targets'}
    assert packed['values'].shape == packed['targets'].shape == (1, 3, 4, 1)
    np.testing.assert_array_equal(np.isnan(packed['targets'][..., 0]), ~valid)
    assert packed['targets'].dtype == np.float32
    flow = np.zeros((1, 3, 4, 2), np.float32)
    assert np.isnan(pack({'values': flow, 'targets': flow, 'valid': valid})['targets']).sum() == 12
    with pytest.raises(UserError, match='valid has shape'):
        pack({'values': flow, 'targets': flow, 'valid': valid[:, :2]})


def test_an_ensemble_is_the_mean() -> None:
    members = [{'values': np.full((1, 2, 2, 1), number, np.float32)} for number in (1, 2)]
    assert ensemble(members)['values'].tolist() == np.full((1, 2, 2, 1), 1.5).tolist()


def test_agreement_is_of_the_known_pixels() -> None:
    targets = np.array([[[1.0, 2], [3, np.nan]]], np.float32)
    values = np.array([[[1.0, 2], [3, 99]]], np.float32)
    assert agreement({'values': values}, {'targets': targets}) == 1
    assert agreement({'values': np.full((1, 2, 2), 2.0)}, {'targets': targets}) == pytest.approx(0)
    masked = {'targets': np.nan_to_num(targets), 'valid': ~np.isnan(targets)}
    assert agreement({'values': values}, masked) == 1


def test_labels_are_read_from_arrays_that_a_list_names(tmp_path: Path) -> None:
    arrays = random_values(5)
    ids = [f'e{index}' for index in range(len(arrays['values']))]
    lines = ['id,target']
    for name, target in zip(ids, arrays['targets'], strict=True):
        np.save(tmp_path / f'{name}.npy', target[..., 0] if target.shape[-1] == 1 else target)
        lines.append(f'{name},{name}.npy')
    (tmp_path / 'list.csv').write_text('\n'.join(lines))
    given = {'values': arrays['values']}
    outputs.write(tmp_path / 'it', outputs.Manifest('dense'), given, ids, {'values': 'of the test'})
    made = external_labels.add(outputs.read(tmp_path / 'it'), tmp_path / 'list.csv')
    np.testing.assert_array_equal(made.arrays['targets'], arrays['targets'])
    np.save(tmp_path / 'e0.npy', np.zeros((9, 9)))
    with pytest.raises(UserError, match=r'e0\.npy holds float64 \[9, 9, 1\]'):
        external_labels.add(outputs.read(tmp_path / 'it'), tmp_path / 'list.csv')
    (tmp_path / 'e0.npy').write_bytes(b'no array')
    with pytest.raises(UserError, match=r'e0\.npy cannot be read'):
        external_labels.add(outputs.read(tmp_path / 'it'), tmp_path / 'list.csv')
