"""Labels without a name are found when a dataset is built, and odd classes are remarked on."""

from pathlib import Path
from typing import Any

import jax
import numpy as np
import pytest

from engine.datasets.building import ids, labels
from engine.errors import UserError
from engine.interfaces import Spec

NAMES = ('cat', 'dog', 'owl')


def saved(folder: Path, **splits: list[object]) -> tuple[Path, list[str], Spec]:
    """Saves labels as the arrays of a dataset."""
    for split, rows in splits.items():
        (folder / split).mkdir(parents=True)
        np.save(folder / split / 'label.npy', np.array(rows, np.int32))
        (folder / split / 'ids.txt').write_text(''.join(f'{split}-{index}\n' for index in range(len(rows))))
    shape = np.shape(next(iter(splits.values())))[1:]
    spec = Spec({'label': jax.ShapeDtypeStruct(shape, np.int32)}, {'label': NAMES})
    return folder, list(splits), spec


def described(split: str, identity: str) -> str:
    return f'example {identity!r}'


@pytest.mark.parametrize(
    ('rows', 'message'),
    [
        ([0, 1, 3], "example 'val-2' of val: label holds 3, but its classes go from 0 to 2"),
        ([0, -1, 2], "example 'val-1' of val: label holds -1, which means that it has no label, but its"),
        ([-2, -2, -2], "example 'val-0' of val: label holds -2, but"),
        ([[0, -1], [2, 5], [1, 1]], "example 'val-1' of val: label holds 5, but"),
        ([[0, -2], [2, 1], [1, 1]], "example 'val-0' of val: label holds -2, but"),
        ([[[0, 1]], [[2, 254]], [[0, 255]]], "example 'val-1' of val: label holds 254, but"),
    ],
)
def test_a_label_without_a_name_is_found_by_its_example(
    rows: list[object], message: str, tmp_path: Path
) -> None:
    right = np.zeros_like(rows).tolist()
    with pytest.raises(UserError, match=message):
        labels.check(*saved(tmp_path, train=right, val=rows), described)


@pytest.mark.parametrize(
    'rows',
    [
        [0, 1, 2],
        [-1, -1, -1],  # TFDS's sets have test splits without labels
        [[0, -1], [-1, -1], [2, 1]],  # lists of boxes are padded
        [[[0, 1]], [[2, 255]], [[255, 255]]],  # pixels of no class
    ],
)
def test_labels_with_names_pass(rows: list[object], tmp_path: Path) -> None:
    labels.check(*saved(tmp_path, train=rows), described)


def remarks(folder: Path, names: tuple[str, ...], **splits: list[object]) -> list[str]:
    folder, there, spec = saved(folder, **splits)
    spec = Spec(spec.example, {'label': names})
    return list(labels.remarks(spec, labels.counts(folder, there, spec)))


@pytest.mark.parametrize(
    ('names', 'shown'),
    [
        (('Cat', 'cat'), "'Cat' and 'cat'"),
        (('café', 'cafe\u0301'), r"'caf\\xe9' and 'cafe\\u0301'"),
        (('hot dog', 'hot_dog', 'Hot-Dog'), "'hot dog' and 'hot_dog' and 'Hot-Dog'"),
        (('a', 'a\u200b'), r"'a' and 'a\\u200b'"),
        (('1', '01'), "'1' and '01'"),
        (('ﬁr', 'fir'), "'ﬁr' and 'fir'"),
        (('straße', 'STRASSE'), "'straße' and 'STRASSE'"),
    ],
)
def test_names_that_look_alike(names: tuple[str, ...], shown: str, tmp_path: Path) -> None:
    [remark] = remarks(tmp_path, names, train=list(range(len(names))))
    assert remark.startswith(f'the classes {shown} of label look alike'.replace('\\\\', '\\'))


@pytest.mark.parametrize('names', [('1', '-1'), ('cat', 'cats'), ('1-2', '12'), ('C', 'C#'), ('Ä', 'A')])
def test_names_that_differ_are_not_remarked_on(names: tuple[str, ...], tmp_path: Path) -> None:
    assert remarks(tmp_path, names, train=[0, 1]) == []


@pytest.mark.parametrize('name', ['nan', 'NA', 'None', 'null', 'N/A', '?'])
def test_names_that_may_stand_for_nothing(name: str, tmp_path: Path) -> None:
    [remark] = remarks(tmp_path, ('cat', name), train=[0, 1])
    assert remark.startswith(f'{name!r} is a class of label. If it stands for a missing label')


def test_classes_without_training_examples(tmp_path: Path) -> None:
    [remark] = remarks(tmp_path, NAMES, train=[0, 0], val=[0, 1], test=[1, 2])
    assert remark == "these classes have no training example: 'dog', 'owl'; examples in val 1, test 2"


def test_a_class_without_any_example(tmp_path: Path) -> None:
    assert remarks(tmp_path, NAMES, train=[0, 1]) == ["this class has no training example: 'owl'"]


def test_one_class_alone(tmp_path: Path) -> None:
    assert remarks(tmp_path, ('cat',), train=[0, 0], val=[0]) == [
        "all examples have one label, 'cat': there is nothing to tell apart"
    ]


def test_a_split_without_labels(tmp_path: Path) -> None:
    assert remarks(tmp_path, ('cat', 'dog'), train=[0, 1], test=[-1, -1]) == [
        'no example of test has a label'
    ]


@pytest.mark.parametrize(
    ('identity', 'problem'),
    [
        ('a\nb', r"holds the control character '\\n'"),
        ('a\x85b', 'holds the control character'),
        ('a\u2028b', 'holds the control character'),
        ('', 'is empty'),
        ('  ', 'is empty'),
        ('a ', 'begins or ends with a space'),
        (7, 'is int, not text'),
        ('a\udc80', 'holds the control character'),
    ],
)
def test_an_id_is_one_line_of_plain_text(identity: Any, problem: str) -> None:
    with pytest.raises(
        UserError, match=f'val .it.png.: the id .* {problem}.*An id is one line of plain text'
    ):
        ids.check({'train': [('a', Path('x.png'), '')], 'val': [(identity, Path('it.png'), '')]})


def test_an_id_names_one_example() -> None:
    with pytest.raises(UserError, match=r"val \(y\): the id 'a' occurs before, in train \(x\)"):
        x, y = Path('x'), Path('y')
        ids.check({'train': [('a', x, ''), ('b', x, '')], 'val': [('c', y, ''), ('a', y, '')]})


def test_ids_that_look_alike_are_remarked_on() -> None:
    assert list(ids.remarks(['caf\u00e9', 'b', 'cafe\u0301'])) == [
        r"the ids 'caf\xe9' and 'cafe\u0301' look alike: they differ in normal form alone"
    ]
    assert list(ids.remarks(['caf\u00e9', 'cafe', 'b'])) == []
