"""Ids, labels and numbers of the data are checked before training."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from engine.datasets.reading.dataset import Dataset
from tests.conftest import Program
from tests.engine.training.preflight import odd_data

Start = Callable[..., tuple[int, str]]
LABELS = np.arange(16, dtype=np.int32) % 3


@pytest.fixture
def start(config_file: Callable[..., Path], program: Program, monkeypatch: pytest.MonkeyPatch) -> Start:
    """Returns exit code and words of a dry run on a dataset."""

    def run(data: Dataset, *lines: str) -> tuple[int, str]:
        monkeypatch.setattr('engine.training.experiment.load', lambda *_: data)
        code, out, err = program('train', f'--gin_file={config_file(*lines)}', '--dry_run')
        assert 'Traceback' not in out + err
        return code, out + err

    return run


def with_values(**values: int) -> np.ndarray:
    """The labels with some replaced: with_values(at_3=-1)."""
    labels = LABELS.copy()
    for name, value in values.items():
        labels[int(name.removeprefix('at_'))] = value
    return labels


def test_data_in_order_are_taken(start: Start, tmp_path: Path) -> None:
    assert start(odd_data.classified(tmp_path / 'data'))[0] == 0
    unlabelled = odd_data.classified(tmp_path / 'unlabelled', test=np.full(16, -1, np.int32))
    assert start(unlabelled)[0] == 0


@pytest.mark.parametrize(
    ('labels', 'words'),
    [
        (
            {'train': with_values(at_3=3, at_7=77)},
            "have a label that no class has: 3 for 'train-3', 77 for 'train-7'. The 3 classes go from",
        ),
        (
            {'test': with_values(at_0=-2)},
            "1 of 16 examples of test of odd have a label that no class has: -2 for 'test-0'",
        ),
        (
            {'train': with_values(at_1=-1, at_2=-1, at_4=-1, at_5=-1)},
            "have no label: it is -1 for 'train-1', 'train-2', 'train-4' and 1 more",
        ),
        ({'val': with_values(at_15=-1)}, "have no label: it is -1 for 'val-15'"),
        ({'test': with_values(at_15=-1)}, "have no label: it is -1 for 'test-15'"),
        ({'val': np.full(16, -1, np.int32)}, 'No example of val of odd has a label: all are -1'),
        ({split: LABELS.astype(np.float32) for split in odd_data.SPLITS}, "'label' of classes holds float32"),
    ],
    ids=[
        'no class',
        'negative',
        'some unlabelled',
        'one unlabelled',
        'one of test',
        'all unlabelled',
        'fractions',
    ],
)
def test_labels_that_are_no_classes(labels: dict[str, Any], words: str, start: Start, tmp_path: Path) -> None:
    code, said = start(odd_data.classified(tmp_path / 'data', **labels))
    assert (code, words in said) == (2, True), said


@pytest.mark.parametrize(
    ('ids', 'words'),
    [
        ({'val': ['a'] * 16}, "val of odd: ids.txt: 'a' occurs twice"),
        ({'test': ['', *'abcdefghijklmno']}, "test of odd: ids.txt: '' is not an id"),
        ({'train': ['a\tb', *'abcdefghijklmno']}, r"train of odd: ids.txt: 'a\tb' is not an id"),
    ],
    ids=['twice', 'empty', 'a tab'],
)
def test_ids_that_name_no_example(
    ids: dict[str, list[str]], words: str, start: Start, tmp_path: Path
) -> None:
    code, said = start(odd_data.classified(tmp_path / 'data', ids))
    assert (code, words in said) == (2, True), said


@pytest.mark.parametrize('split', odd_data.SPLITS)
def test_a_split_without_examples(split: str, start: Start, tmp_path: Path) -> None:
    fields = {'image': odd_data.images(8), 'label': LABELS[:8]}
    none = {name: array[:0] for name, array in fields.items()}
    splits = {name: none if name == split else fields for name in odd_data.SPLITS}
    code, said = start(odd_data.dataset(tmp_path / 'data', splits, {'label': 'abc'}))
    assert (code, split in said, 'no examples' in said) == (2, True, True), said


def test_a_dataset_without_val(start: Start, tmp_path: Path) -> None:
    fields = {'image': odd_data.images(16), 'label': LABELS}
    data = odd_data.dataset(tmp_path / 'data', {'train': fields, 'test': fields}, {'label': 'abc'})
    code, said = start(data)
    assert (code, "odd has no split 'val'" in said) == (2, True), said


@pytest.mark.parametrize('name', ['index', 'valid', 'step'])
def test_a_field_with_a_name_of_the_engine(name: str, start: Start, tmp_path: Path) -> None:
    fields = {'image': odd_data.images(16), 'label': LABELS, name: LABELS}
    data = odd_data.dataset(tmp_path / 'data', dict.fromkeys(odd_data.SPLITS, fields), {'label': 'abc'})
    code, said = start(data)
    assert (code, f'odd has a field {name!r}, but' in said) == (2, True), said
