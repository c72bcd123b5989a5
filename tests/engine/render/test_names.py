"""Names as people read them: titles of datasets, names that are cut and stay distinct."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.render import names
from tests.engine.random_cases import random_cases

HEBREW = 'חתול'


@pytest.mark.parametrize(
    ('name', 'title'),
    [
        ('images:/home/ada/my photos/', 'my photos'),
        ('images:../photos', 'photos'),
        ('images:photos', 'photos'),
        ('/data/skin lesions', 'skin lesions'),
        ('~/cats', 'cats'),
        ('tfds:cifar10', 'cifar10'),
        ('tfds:imagenet_v2/matched', 'imagenet_v2/matched'),
        ('digits/toy', 'digits/toy'),
        ('images:/', 'images:/'),
        ('', ''),
        ('two\nlines', 'two\nlines'),
    ],
)
def test_the_title_of_a_dataset_is_no_path(name: str, title: str) -> None:
    assert names.dataset(name) == title


def test_the_title_of_outputs_says_kind_dataset_and_split() -> None:
    assert names.outputs('classification', 'images:/x/photos', 'test') == 'Classification of photos, test'
    assert names.outputs('my_kind', '', '') == 'My kind'
    assert names.outputs('image', HEBREW, 'test') == f'Image of \u2068{HEBREW}\u2069, test'


def test_names_that_begin_or_end_alike_stay_distinct() -> None:
    dogs = [
        'Staffordshire bullterrier, Staffordshire bull terrier',
        'Staffordshire bull terrier, Staffordshire bullterrier',
        'American Staffordshire terrier, Staffordshire terrier',
    ]
    assert names.distinct(dogs, 20) == [
        'Staffordsh…l terrier',
        'Staffordsh…llterrier',
        'American S…e terrier',
    ]
    middle = [f'{"a" * 40}{number}{"b" * 40}' for number in range(3)]
    assert names.distinct(middle, 20) == [f'aaaaa…aaa{number}bbb…bbbbbb' for number in range(3)]
    assert names.distinct(['same'] * 2, 3) == ['s…e'] * 2  # one name is one name


@pytest.mark.parametrize(
    'name',
    [
        'cafe\N{COMBINING ACUTE ACCENT}' * 9,
        '\N{MAN}\N{ZERO WIDTH JOINER}\N{WOMAN}\N{ZERO WIDTH JOINER}\N{GIRL}' * 5,
        'हिन्दी भाषा' * 4,
        '长颈鹿和河马在一起的照片',
    ],
)
def test_cut_names_keep_whole_characters(name: str) -> None:
    cut = names.shortened(name, 9)
    start, _, end = cut.partition(names.ELLIPSIS)
    assert name.startswith(start)
    assert name.endswith(end)
    assert names.width(cut) <= 9
    assert not end or unicodedata.category(end[0]) not in ('Mn', 'Mc')
    assert not start.endswith('\N{ZERO WIDTH JOINER}')
    assert not end.startswith('\N{ZERO WIDTH JOINER}')


NAMES = st.lists(st.text(st.sampled_from('ab 猫ה\u0301\u200d👩$_'), max_size=30), max_size=8)


@random_cases(40)
@given(NAMES, st.integers(12, 30))
def test_names_fit_and_differ_where_they_differed(given_names: list[str], length: int) -> None:
    cut = names.distinct(given_names, length)
    assert len(set(cut)) == len(set(given_names))
    assert all(names.width(name) <= length for name in cut)
    assert [short for short, name in zip(cut, given_names, strict=True) if names.width(name) <= length] == [
        name for name in given_names if names.width(name) <= length
    ]
