"""Texts, folders, fingerprints and toy forms of all expressions."""

from typing import Any

import pytest

from engine.datasets.expressions import expression
from engine.parts.datasets import First, Fold, Mixture, Named
from tests.engine.parts.datasets import members

NESTED = Named(
    First('ants', 3, 'label'), {'all': 7}, all=Fold(Mixture(('ants', 'bees'), (3, 1)), 1, 5), bees='bees'
)
EXPRESSIONS = [
    (First('ants', 3), "First('ants', 3)", 'first-3-ants'),
    (First('digits/toy', 3, 'label'), "First('digits/toy', 3, field='label')", 'first-3-label-digits-toy'),
    (Fold('ants', 0, 5), "Fold('ants', fold=0, folds=5)", 'fold-0-of-5-ants'),
    (Mixture(('ants', 'bees')), "Mixture('ants', 'bees')", 'mixture-ants-bees'),
    (
        Mixture(('ants', 'bees'), (3, 1.5)),
        "Mixture('ants', 'bees', weights=(3, 1.5))",
        'mixture-ants-3-bees-1.5',
    ),
    (
        NESTED,
        "Named(First('ants', 3, field='label'), all=Fold(Mixture('ants', 'bees', weights=(3, 1)), fold=1, "
        "folds=5), bees='bees', multiples={'all': 7})",
        None,
    ),
]


@pytest.mark.parametrize(('each', 'text', 'slug'), EXPRESSIONS)
def test_text_and_slug(each: Any, text: str, slug: str | None) -> None:
    assert each.text == text
    assert slug in (None, each.slug)


def test_the_text_is_python() -> None:
    known: dict[str, Any] = {each.__name__: each for each in (First, Fold, Named)}
    known['Mixture'] = lambda *datasets, weights=(): Mixture(datasets, weights)
    for each, text, _ in EXPRESSIONS:
        assert eval(text, known) == each


def test_a_slug_is_the_name_of_a_folder_and_tells_expressions_apart() -> None:
    long = [Mixture(tuple(f'images:/home/ada/a long name {i} {j}' for i in range(20))) for j in range(3)]
    slugs = [each.slug for each in long]
    assert len(set(slugs)) == 3
    assert all(len(slug) <= 80 and '/' not in slug and ' ' not in slug for slug in slugs)
    assert len(NESTED.slug) <= 80


def test_names_are_those_of_all_datasets_below() -> None:
    assert NESTED.names() == ('ants', 'bees')


def test_toy_forms() -> None:
    assert Fold('digits', 1, 5).toy() == Fold('digits/toy', 1, 5)
    assert Mixture(('digits', 'tfds:mnist')).toy() == Mixture(('digits/toy', 'tfds:mnist'))
    assert First('digits', 500).toy() == First('digits/toy', 30)
    assert First('digits', 2).toy() == First('digits/toy', 2)
    assert First('digits', 20, 'label').toy() == First('digits/toy', 3, 'label')
    toy = Named(First('digits', 20, 'label'), {'x': 2}, x='shapes').toy()
    assert toy == Named(First('digits/toy', 3, 'label'), {'x': 2}, x='shapes/toy')


def test_one_fingerprint_for_the_same_data_and_values_and_another_for_any_change() -> None:
    changed = {'ants': members.dataset('ants', {**members.SPLITS, 'val': 13})}
    different = [
        First('ants', 3),
        First('ants', 4),
        First('ants', 3, 'label'),
        First('bees', 3),
        Fold('ants', 0, 5),
        Fold('ants', 1, 5),
        Fold('ants', 0, 6),
        Fold('ants', 0, 5, ('val', 'train')),
        Mixture(('ants', 'bees')),
        Mixture(('bees', 'ants')),
        Mixture(('ants', 'bees'), (1, 1)),
        Mixture(('ants', 'bees'), (1, 2)),
        Mixture(('ants', First('bees', 3))),
        First(Fold('ants', 0, 5), 3),
        First(First('ants', 4), 3),
        Named('ants', x='bees'),
        Named('bees', x='ants'),
        Named('ants', y='bees'),
        Named('ants', {'x': 2}, x='bees'),
        Named('ants', x='bees', y='ants'),
        NESTED,
    ]
    prints = [members.load(each).fingerprint for each in different]
    assert len({*prints, *(data.fingerprint for data in members.ALL.values())}) == len(prints) + 3
    assert [members.load(each).fingerprint for each in different] == prints
    of_changed = [members.load(each, **changed).fingerprint for each in different if 'ants' in each.names()]
    assert not {*of_changed} & {*prints}


def test_values_that_mean_the_same_have_one_fingerprint() -> None:
    one, other = Named('ants', x='bees', y='ants'), Named('ants', {'y': 1}, y='ants', x='bees')
    assert members.load(one).fingerprint == members.load(other).fingerprint
    three, float_three = Mixture(('ants', 'bees'), (3, 1)), Mixture(('ants', 'bees'), (3.0, 1.0))
    assert members.load(three).fingerprint == members.load(float_three).fingerprint


def test_the_fingerprint_stays_from_version_to_version() -> None:
    """Else runs of an earlier version could not be continued."""
    found = [members.load(each).fingerprint[:8] for each in (First('ants', 3), NESTED)]
    assert found == ['9155b7d5', '04dc3295']


def test_ids_are_unique() -> None:
    for each, *_ in EXPRESSIONS:
        if 'digits/toy' not in each.names():
            data = members.load(each)
            for split in data.splits:
                ids = data.split(split).ids
                assert len(set(ids)) == len(ids) == data.splits[split]


def test_the_text_of_what_is_bound() -> None:
    assert [expression.text(each) for each in ('ants', None, First('ants', 3))] == [
        'ants',
        'none',
        "First('ants', 3)",
    ]
