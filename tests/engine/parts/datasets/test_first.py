"""The first examples against sorting by hand, and what a wrong count says."""

import hashlib
from itertools import pairwise

import numpy as np
import pytest

from engine.datasets.expressions.selection import EncodedRows
from engine.errors import UserError
from engine.parts.datasets import First, Fold, Named
from tests.engine.parts.datasets import members


def by_hand(ids: list[str], count: int) -> list[str]:
    return sorted(ids, key=lambda each: hashlib.sha256(each.encode()).hexdigest())[:count]


def test_the_first_have_the_lowest_digests_and_their_own_values() -> None:
    whole, data = members.ALL['ants'].split('train'), members.load(First('ants', 7))
    first = data.split('train')
    assert first.ids == by_hand(whole.ids, 7)
    assert members.values(first).items() <= members.values(whole).items()
    assert data.splits == {'train': 7, 'val': 12, 'test': 8}
    assert members.values(data.split('val')) == members.values(members.ALL['ants'].split('val'))


def test_fewer_lie_among_more() -> None:
    sizes = [members.load(First('ants', count)).split('train').ids for count in range(1, 41)]
    assert all(few == more[: len(few)] for few, more in pairwise(sizes))
    assert sorted(sizes[-1]) == sorted(members.ALL['ants'].split('train').ids)


def test_with_a_field_each_class_has_as_many() -> None:
    whole = members.ALL['ants'].split('train')
    first = members.load(First('ants', 4, 'label')).split('train')
    expected = []
    for label in range(3):
        ids = [each for each, one in zip(whole.ids, whole.arrays['label'], strict=True) if one == label]
        expected += by_hand(ids, 4)
    assert first.ids == by_hand(expected, 12)
    fewer = members.load(First('ants', 2, 'label')).split('train')
    assert [each for each in first.ids if each in fewer.ids] == fewer.ids


def test_the_stored_order_does_not_matter() -> None:
    for wanted in (First('{}', 9), First('{}', 3, 'label'), Fold('{}', 1, 4)):
        one, other = (
            members.load(type(wanted)(name, *list(vars(wanted).values())[1:])) for name in ('ants', 'back')
        )
        assert one.split('train').ids == other.split('train').ids
        assert members.values(one.split('train')) == members.values(other.split('train'))


def test_unlabelled_examples_belong_to_no_class() -> None:
    data = members.dataset('mixed')
    examples = members.examples('mixed', 'train', 40)
    examples.arrays['label'][::2] = -1
    data.__dict__['make'] = lambda split: examples
    first = members.load(First('mixed', 5, 'label'), mixed=data).split('train')
    assert np.bincount(first.arrays['label']).tolist() == [5, 5, 5]


def test_the_examples_are_made_once() -> None:
    data = members.load(First('ants', 7))
    one, other = data.split('train'), data.split('train')
    assert one.arrays['value'] is other.arrays['value']


def test_images_of_varying_size_are_not_copied() -> None:
    few = members.varying('few')
    first = members.load(First('few', 3), few=few).split('train')
    source = few.split('train').encoded['image']
    assert isinstance(images := first.encoded['image'], EncodedRows)
    assert images.fields[0] is source
    assert list(first.encoded['image']) == [source[int(each.split('-')[1])] for each in first.ids]
    assert (len(first.encoded['image']), first.encoded['image'].channels) == (3, 3)


@pytest.mark.parametrize(
    ('count', 'field', 'message'),
    [
        (0, '', 'First.count = 0: it must be at least 1'),
        (-3, 'label', 'First.count = -3: it must be at least 1'),
        (41, '', 'First.count = 41: train of ants has 40 examples. Take at most 40.'),
        (14, 'label', "train of ants has 13 examples of class 1 in 'label'. Take at most 13."),
        (1, 'lable', "First.field = 'lable': it is not a field of ants. Did you mean 'label'?"),
        (1, 'value', "First.field = 'value': it has no class for each example of ants."),
    ],
)
def test_a_wrong_count_or_field_is_named(count: int, field: str, message: str) -> None:
    with pytest.raises(UserError) as mistake:
        members.load(First('ants', count, field))
    assert message in str(mistake.value)


def test_the_first_of_several_batches_at_once_is_refused() -> None:
    with pytest.raises(UserError, match='Let Named be the outermost expression'):
        members.load(First(Named('ants', extra='bees'), 3))
