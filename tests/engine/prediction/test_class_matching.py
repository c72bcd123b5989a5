"""Labels of another dataset by the names of classes, against a slow loop."""

import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis.strategies import integers

from engine.prediction.class_matching import ClassMatch
from tests.engine.random_cases import random_cases

ANIMALS = ('cat', 'dog', 'owl')


@random_cases(20)
@given(seed=integers(0, 2**32))
def test_labels_are_matched_by_name(seed: int) -> None:
    random = np.random.default_rng(seed)
    known = [f'class {index}' for index in random.permutation(9)]
    names = [known[index] for index in random.permutation(9)[: random.integers(1, 10)]]
    labels = random.integers(0, len(names), (20, 3)).astype(random.choice(['uint8', 'int32']))
    matched = ClassMatch.of(names, known)(labels)
    assert matched.dtype == labels.dtype
    for row, expected in zip(matched.ravel().tolist(), labels.ravel().tolist(), strict=True):
        assert known[row] == names[expected]


def test_what_is_no_class_stays() -> None:
    match = ClassMatch.of(('dog', 'cat'), ANIMALS)
    mask = np.array([[[0, 1, 255]]], np.uint8)
    assert match.problem(mask) == ''
    assert match(mask).tolist() == [[[1, 0, 255]]]
    padded = np.array([[1, -1], [0, 1]], np.int32)
    assert match.problem(padded) == ''
    assert match(padded).tolist() == [[0, -1], [1, 0]]


def test_equal_classes_are_not_copied() -> None:
    labels = np.arange(3, dtype=np.int32)
    assert ClassMatch.of(ANIMALS, ANIMALS)(labels) is labels


@pytest.mark.parametrize(
    ('names', 'labels', 'problem'),
    [
        (('cat', 'fox'), [0, 0], ''),  # a class without examples does no harm
        (('cat', 'dgo'), [0, 1], "has the class 'dgo', which is none of the 3.* Did you mean 'dog'"),
        (('a', 'b', 'c'), [0, 1, 2], "has the classes 'a', 'b', 'c', which are none of the 3"),
        ((), [0, 1], 'has classes without names'),
        (ANIMALS, [0, -1, -1], 'is -1 for 2 of 3 examples'),
    ],
)
def test_problems(names: tuple[str, ...], labels: list[int], problem: str) -> None:
    said = ClassMatch.of(names, ANIMALS).problem(np.array(labels, np.int32))
    assert re.match(problem or '$', said), said
