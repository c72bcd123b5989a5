"""The first number in which two logs differ."""

import json
from pathlib import Path
from typing import Any

from engine.run_reader.first_difference import LogDifference, common_steps, first_difference


def run(folder: Path, train: list[dict[str, Any]], val: list[dict[str, Any]]) -> Path:
    (folder / 'logs').mkdir(parents=True)
    for name, lines in (('train', train), ('val', val)):
        text = ''.join(json.dumps(line) + '\n' for line in lines)
        (folder / 'logs' / f'{name}.jsonl').write_text(text)
    return folder


TRAIN = [{'step': step, 'epoch': step / 4, 'loss': 1 / step} for step in (1, 2, 3, 4)]
VAL = [{'step': step, 'epoch': step / 4, 'loss': 2 / step, 'accuracy': 0.5} for step in (2, 4)]


def changed(lines: list[dict[str, Any]], step: int, **values: Any) -> list[dict[str, Any]]:
    return [line | values if line['step'] == step else line for line in lines]


def test_equal_logs_have_no_difference(tmp_path: Path) -> None:
    nan = changed(TRAIN, 3, loss=None)
    assert first_difference(run(tmp_path / 'a', nan, VAL), run(tmp_path / 'b', nan, VAL)) is None


def test_the_earliest_step_is_named(tmp_path: Path) -> None:
    one = run(tmp_path / 'a', TRAIN, VAL)
    other = run(tmp_path / 'b', changed(TRAIN, 3, loss=0.4), changed(VAL, 2, accuracy=0.25))
    assert first_difference(one, other) == LogDifference('val.jsonl', 2, 'accuracy', (0.5, 0.25))


def test_training_comes_before_the_evaluation_of_a_step(tmp_path: Path) -> None:
    one = run(tmp_path / 'a', TRAIN, VAL)
    other = run(tmp_path / 'b', changed(TRAIN, 2, loss=0.5000000000000001), changed(VAL, 2, loss=9.0))
    assert first_difference(one, other) == ('train.jsonl', 2, 'loss', (0.5, 0.5000000000000001))


def test_a_metric_is_named_before_the_epoch(tmp_path: Path) -> None:
    other = run(tmp_path / 'b', changed(TRAIN, 1, epoch=0.1, loss=2.0), VAL)
    difference = first_difference(run(tmp_path / 'a', TRAIN, VAL), other)
    assert difference is not None
    assert difference.text == 'step 1: loss was 1.0, is 2.0 (train.jsonl)'


def test_the_sign_of_zero_a_nan_and_a_missing_metric_differ(tmp_path: Path) -> None:
    one = run(tmp_path / 'a', changed(TRAIN, 1, loss=0.0), VAL)
    for name, lines in {
        'zero': changed(TRAIN, 1, loss=-0.0),
        'nan': changed(TRAIN, 1, loss=None),
        'none': [{'step': 1, 'epoch': 0.25}],
        'more': changed(TRAIN, 1, loss=0.0, norm=None),
    }.items():
        difference = first_difference(one, run(tmp_path / name, lines, VAL))
        assert difference is not None
        assert (difference.step, difference.quantity) == (1, 'norm' if name == 'more' else 'loss')


def test_steps_that_one_log_lacks_and_later_ones_are_left_out(tmp_path: Path) -> None:
    one = run(tmp_path / 'a', TRAIN, VAL)
    other = run(tmp_path / 'b', changed(TRAIN, 4, loss=9.0)[1:], VAL[:1])
    assert first_difference(one, other, up_to=3) is None
    assert common_steps(one, other, up_to=3) == ([2, 3], [2])
    difference = first_difference(one, other)
    assert difference is not None and difference.step == 4


def test_the_last_of_several_lines_counts_and_a_torn_one_does_not(tmp_path: Path) -> None:
    one = run(tmp_path / 'a', TRAIN, VAL)
    other = run(tmp_path / 'b', [*changed(TRAIN, 2, loss=7.0), TRAIN[1]], VAL)
    with (other / 'logs' / 'train.jsonl').open('a') as file:
        file.write('{"step": 3, "loss": 5')
    assert first_difference(one, other) is None
