"""How far a repetition and another seed are from the original."""

import math
from pathlib import Path

import pytest

from engine.reproduction import spread
from engine.reproduction.spread import Distance, root_mean_square
from tests.engine.reproduction.logs import write_metrics, write_run


def distances(*runs: Path) -> list[Distance]:
    original, repeated, other_seed = runs
    return spread.distances(original, repeated, other_seed, None)


def test_the_root_mean_square_of_the_differences(tmp_path: Path) -> None:
    one = write_run(tmp_path / 'a', [1.0, 2.0, 3.0, 4.0], [0.5, 0.25])
    other = write_run(tmp_path / 'b', [1.0, 2.3, 3.0, 3.6], [0.5, 0.25])
    found = root_mean_square(one, other)
    assert found == {('train.jsonl', 'loss'): pytest.approx(math.sqrt((0.3**2 + 0.4**2) / 4))}
    assert root_mean_square(one, other, up_to=2) == {
        ('train.jsonl', 'loss'): pytest.approx(0.3 / math.sqrt(2))
    }
    assert root_mean_square(one, one) == {}


def test_the_unit_is_that_of_the_quantity(tmp_path: Path) -> None:
    """A loss in thousandths has a distance in thousandths."""
    losses, other = [1.0, 2.0], [1.5, 2.0]
    small = [write_run(tmp_path / str(index), values) for index, values in enumerate((losses, other))]
    large = [
        write_run(tmp_path / f'large{index}', [1000 * value for value in values])
        for index, values in enumerate((losses, other))
    ]
    key = ('train.jsonl', 'loss')
    assert root_mean_square(large[0], large[1])[key] == pytest.approx(
        1000 * root_mean_square(small[0], small[1])[key]
    )


def test_the_larger_distance_of_the_other_seed_counts(tmp_path: Path) -> None:
    original = write_run(tmp_path / 'a', [1.0, 1.0], [0.5])
    repeated = write_run(tmp_path / 'b', [1.1, 1.1], [0.7])
    seed = write_run(tmp_path / 'c', [1.3, 1.3], [0.6])
    loss, score = distances(original, repeated, seed)
    assert (loss.quantity, loss.repeated, loss.seeds) == ('loss', pytest.approx(0.1), pytest.approx(0.3))
    assert (score.file, score.repeated, score.seeds) == (
        'val.jsonl',
        pytest.approx(0.2),
        pytest.approx(0.1),
    )
    assert (loss.is_within, score.is_within) == (True, False)


def test_what_does_not_depend_on_the_seed_has_no_spread(tmp_path: Path) -> None:
    runs = [write_run(tmp_path / name, [value]) for name, value in zip('abc', (1.0, 1.1, 1.0), strict=True)]
    [loss] = distances(*runs)
    assert (loss.repeated, loss.seeds, loss.is_within) == (pytest.approx(0.1), pytest.approx(0.1), True)
    runs = [
        write_run(tmp_path / f'{name}2', [value]) for name, value in zip('abc', (1.0, 1.1, 1.05), strict=True)
    ]
    [loss] = distances(*runs)
    assert (loss.seeds, loss.is_within) == (pytest.approx(0.05), False)


@pytest.mark.parametrize('values', [(None, 1.0, 1.0), (1.0, None, 1.0)])
def test_a_nan_is_infinitely_far_from_a_number(values: tuple[float | None, ...], tmp_path: Path) -> None:
    runs = [write_run(tmp_path / name, [value]) for name, value in zip('abc', values, strict=True)]
    [loss] = distances(*runs)
    assert (loss.repeated, loss.seeds, loss.is_within) == (math.inf, math.inf, True)


def test_a_nan_in_a_repetition_alone_is_outside(tmp_path: Path) -> None:
    original, seed = (write_run(tmp_path / name, [1.0, 2.0]) for name in 'ac')
    repeated = write_run(tmp_path / 'b', [1.0, None])
    [loss] = distances(original, repeated, seed)
    assert loss.repeated == math.inf


def test_the_metrics_of_outputs(tmp_path: Path) -> None:
    values = {'a': (0.5, 2.0, None), 'b': (0.75, 2.0, None), 'c': (0.375, 3.0, 1.0)}
    runs = []
    for name, (accuracy, loss, area) in values.items():
        run = write_run(tmp_path / name, [1.0])
        runs.append(write_metrics(run, accuracy=accuracy, log_loss=loss, area=area))
    assert distances(*runs) == [Distance('outputs/test/evaluation', 'accuracy', 0.25, 0.375)]


def test_further_metrics_of_outputs_do_not_count(tmp_path: Path) -> None:
    """Dozens of metrics would soon find one in which two seeds are close by chance."""
    runs = []
    for name, value in zip('abc', (0.5, 0.25, 0.5), strict=True):
        run = write_metrics(write_run(tmp_path / name, [1.0]), weighted_f1=value)
        path = run / 'outputs' / 'test' / 'evaluation' / 'metrics.json'
        path.write_text(path.read_text().replace('"interval"', '"group": "averages", "interval"'))
        runs.append(run)
    assert distances(*runs) == []


def test_outputs_that_one_run_has_not_evaluated_do_not_count(tmp_path: Path) -> None:
    runs = [
        write_metrics(write_run(tmp_path / name, [1.0]), accuracy=index) for index, name in enumerate('ab')
    ]
    assert distances(*runs, write_run(tmp_path / 'c', [1.0])) == []
