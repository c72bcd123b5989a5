"""The record of a run's dataset: what comes back is equal to what was written, types included."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from engine.datasets.load import load
from engine.errors import UserError
from engine.interfaces import Spec
from engine.training import dataset_record

NOTES: dict[str, Any] = {
    'vocabulary': ('a', 'b', '\n', 'é', '\U0001f600'),
    'merges': [('a', 'b'), ['c', None, True]],
    'counts': {1: 2.5, 'x': {'y': ()}, (1, 2): -0.0},
    'mean': np.array([[0.1, 1 / 3]], np.float32),
    'deviation': np.float64(1e-300),
    'largest': np.array([2**64 - 1], np.uint64),
    'raw': b'\x00\xff',
    'infinite': float('inf'),
}


def same(one: Any, other: Any) -> bool:
    if isinstance(one, (np.ndarray, np.generic)):
        return one.dtype == other.dtype and one.shape == other.shape and one.tobytes() == other.tobytes()
    return type(one) is type(other) and one == other


def test_the_dataset_comes_back_without_examples(tmp_path: Path) -> None:
    data = load('digits/toy')
    parts = {'unlabelled': replace(data.spec, class_names={}, multiple=7)}
    data = replace(data, spec=replace(data.spec, notes=NOTES, parts=parts), encoded={'photo': 3})
    dataset_record.write(tmp_path, data)
    read = dataset_record.read(tmp_path)
    for name in ('name', 'version', 'fingerprint', 'splits', 'encoded'):
        assert getattr(read, name) == getattr(data, name)
    for name in ('example', 'class_names', 'parts', 'multiple'):
        assert getattr(read.spec, name) == getattr(data.spec, name)
    assert read.spec.notes.keys() == NOTES.keys()
    assert [name for name, value in NOTES.items() if not same(value, read.spec.notes[name])] == []
    assert not read.folder.exists()


def test_what_cannot_be_recorded_is_named(tmp_path: Path) -> None:
    data = load('digits/toy')
    data = replace(data, spec=Spec(data.spec.example, {}, {'tokens': [{1, 2}]}))
    dataset_record.write(tmp_path, data)
    with pytest.raises(UserError, match=r"dataset\.json does not .*note 'tokens' holds a value of type set"):
        dataset_record.read(tmp_path)


@pytest.mark.parametrize('text', ['', '{}', '[]', '{"spec": 3}', '{"format": 1, "name": "x", "spec": {}}'])
def test_a_damaged_record_is_refused(text: str, tmp_path: Path) -> None:
    (tmp_path / 'dataset.json').write_text(text)
    with pytest.raises(UserError, match='is missing or damaged'):
        dataset_record.read(tmp_path)
