"""Several batches at once: their parts, their sizes, and wrong names."""

from typing import Any

import pytest

from engine.errors import UserError
from engine.parts.datasets import First, Named
from tests.engine.parts.datasets import members


def test_the_main_part_is_the_dataset_and_the_others_its_parts() -> None:
    data = members.load(Named(First('ants', 6), {'unlabelled': 7}, unlabelled='ants', other='bees'))
    assert data.splits == {'train': 6, 'val': 12, 'test': 8}
    assert {name: part.splits['train'] for name, part in data.parts.items()} == {
        'unlabelled': 40,
        'other': 10,
    }
    assert {name: part.multiple for name, part in data.spec.parts.items()} == {'unlabelled': 7, 'other': 1}
    shapes = data.spec.batch(4)
    assert shapes['value'].shape == (4, 2)
    assert shapes['unlabelled']['value'].shape == (28, 2)
    assert shapes['other']['index'].shape == (4,)
    assert data.split('train').ids == members.load(First('ants', 6)).split('train').ids


def test_parts_need_not_be_alike() -> None:
    x = members.dataset('x', {'train': 3}, classes=('z',))
    assert members.load(Named('ants', extra='x'), x=x).spec.parts['extra'].class_names == {'label': ('z',)}


@pytest.mark.parametrize(
    ('options', 'message'),
    [
        ({}, "Named has no part beside 'main'"),
        (
            {'extra': 'bees', 'multiples': {'extar': 2}},
            "there is no part 'extar'. Did you mean 'extra'?",
        ),
        ({'extra': 'bees', 'multiples': {'extra': 0}}, "0 for 'extra': it must be a whole number from 1 on"),
        ({'extra': 'bees', 'multiples': {'extra': 1.5}}, "1.5 for 'extra'"),
        ({'extra': 'bees', 'multiples': {'extra': True}}, "True for 'extra'"),
    ],
)
def test_wrong_parts_are_named(options: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError) as mistake:
        Named('ants', **options)
    assert message in str(mistake.value)


@pytest.mark.parametrize(
    'outer', [Named(Named('ants', x='bees'), y='bees'), Named('ants', y=Named('ants', x='bees'))]
)
def test_parts_have_no_parts(outer: Named) -> None:
    with pytest.raises(UserError, match='Let Named be the outermost expression'):
        members.load(outer)
