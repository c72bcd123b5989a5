"""Mixtures: their ids and values, the proportions of draws, and members that do not fit."""

from typing import Any

import jax
import numpy as np
import pytest

from engine.datasets.orders.order import MAIN, Part, Shuffled
from engine.datasets.reading.dataset import Dataset
from engine.errors import UserError
from engine.parts.datasets import First, Fold, Mixture, Named
from tests.engine.parts.datasets import members

DRAWS, BATCH = 100_000, 50


def shares(data: Dataset) -> dict[str, float]:
    """Returns the share of draws of each member in 100,000."""
    train = data.split('train')
    order = Shuffled().bind({MAIN: Part(data, BATCH)}, 0)
    drawn = np.concatenate([order.indices(step)[MAIN] for step in range(DRAWS // BATCH)])
    names, counts = np.unique([train.ids[index].split('/')[0] for index in drawn], return_counts=True)
    return {str(name): count / DRAWS for name, count in zip(names, counts, strict=True)}


def test_members_follow_one_another_under_their_names() -> None:
    data = members.load(Mixture(('ants', 'bees')))
    assert data.splits == {'train': 50, 'val': 18}
    train, expected = data.split('train'), {}
    for name in ('ants', 'bees'):
        found = members.values(members.ALL[name].split('train'))
        expected |= {f'{name}/{each}': value for each, value in found.items()}
    assert members.values(train) == expected
    assert train.ids == list(expected)
    assert train.groups is None


def test_three_to_one() -> None:
    found = shares(members.load(Mixture(('ants', 'bees'), (3, 1))))
    assert found == pytest.approx({'ants': 0.75, 'bees': 0.25}, abs=0.01 * 0.25)


def test_a_weight_of_zero_draws_nothing() -> None:
    assert shares(members.load(Mixture(('ants', 'bees'), (0, 2)))) == {'bees': 1.0}


def test_without_weights_examples_are_alike() -> None:
    found = shares(members.load(Mixture(('ants', 'bees'))))
    assert found == pytest.approx({'ants': 0.8, 'bees': 0.2}, abs=0.002)


def test_a_weighted_member_keeps_its_proportions() -> None:
    others = {'wasps': members.dataset('wasps', {'train': 20})}
    inner = Mixture(('ants', 'bees'), (1, 3))
    data = members.load(Mixture((inner, 'wasps'), (1, 1)), **others)
    train, order = data.split('train'), Shuffled().bind({MAIN: Part(data, BATCH)}, 0)
    drawn = np.concatenate([order.indices(step)[MAIN] for step in range(DRAWS // BATCH)])
    kinds = [train.ids[index].removeprefix('ants+bees/').split('/')[0] for index in drawn]
    found = {name: kinds.count(name) / DRAWS for name in ('ants', 'bees', 'wasps')}
    assert found == pytest.approx({'ants': 0.125, 'bees': 0.375, 'wasps': 0.5}, abs=0.00125)


def test_an_unweighted_mixture_of_a_weighted_one_counts_its_examples() -> None:
    others = {'wasps': members.dataset('wasps', {'train': 50})}
    train = members.load(Mixture((Mixture(('ants', 'bees'), (1, 1)), 'wasps')), **others).split('train')
    assert train.groups is not None
    assert train.group_weights == (25.0, 25.0, 50.0)
    assert np.bincount(train.groups).tolist() == [40, 10, 50]


@pytest.mark.parametrize('outer', [lambda each: First(each, 30), lambda each: Fold(each, 0, 3)])
def test_weights_hold_for_selected_examples(outer: Any) -> None:
    found = shares(members.load(outer(Mixture(('ants', 'bees'), (1, 1)))))
    assert found == pytest.approx({'ants': 0.5, 'bees': 0.5}, abs=0.005)


def test_a_selection_without_a_weighted_member_is_refused() -> None:
    with pytest.raises(UserError, match='holds no example of member'):
        members.load(First(Mixture(('ants', 'bees'), (1, 1)), 1))


def test_ids_differ_though_members_overlap() -> None:
    data = members.load(Mixture(('ants', First('ants', 5), Fold('ants', 0, 3))))
    for split in data.splits:
        ids = data.split(split).ids
        assert len(set(ids)) == len(ids)
    assert {each.split('/')[0] for each in data.split('train').ids} == {'ants', 'ants~2', 'ants~3'}


def test_ids_do_not_depend_on_where_a_folder_lies() -> None:
    places = [f'images:{folder}/flowers' for folder in ('/home/ada', '/data')]
    loaded = [
        members.load(Mixture((place, 'ants')), **{place: members.dataset('flowers')}) for place in places
    ]
    assert loaded[0].split('val').ids == loaded[1].split('val').ids
    assert loaded[0].split('val').ids[0] == 'flowers/val-0'
    assert loaded[0].fingerprint == loaded[1].fingerprint


def test_images_of_varying_size_follow_one_another() -> None:
    few, many = members.varying('few', 3), members.varying('many', 6)
    train = members.load(Mixture(('few', 'many')), few=few, many=many).split('train')
    expected = [*few.split('train').encoded['image'], *many.split('train').encoded['image']]
    assert list(train.encoded['image']) == expected
    assert "'train-1'" in train.origin(4)


def test_notes_that_differ_are_left_out() -> None:
    one = members.dataset('one', mean=0.1, sizes=np.arange(3))
    other = members.dataset('other', mean=0.2, sizes=np.arange(3))
    notes = members.load(Mixture(('one', 'other')), one=one, other=other).spec.notes
    assert list(notes) == ['sizes']


OTHER_SHAPE = {'value': jax.ShapeDtypeStruct((3,), np.int32), 'label': jax.ShapeDtypeStruct((), np.int32)}
OTHER_TYPE = {'value': jax.ShapeDtypeStruct((2,), np.float32), 'label': jax.ShapeDtypeStruct((), np.int32)}
SMALL = {'value': jax.ShapeDtypeStruct((2,), np.int32)}


@pytest.mark.parametrize(
    ('other', 'message'),
    [
        (members.dataset('x', fields=OTHER_SHAPE), "its field 'value' is int32 [3], not int32 [2]"),
        (members.dataset('x', fields=OTHER_TYPE), "its field 'value' is float32 [2], not int32 [2]"),
        (members.dataset('x', fields=SMALL), "x has no field 'label'; it has value"),
        (members.dataset('x', fields={**OTHER_SHAPE, 'mask': SMALL['value']}), "it has a field 'mask'"),
        (members.dataset('x', classes=('a', 'b')), "its field 'label' has 2 named classes, not 3"),
        (members.dataset('x', classes=('a', 'c', 'b')), "class 1 of its field 'label' is 'c', not 'b'"),
        (members.varying('x'), "it has a field 'image'; ants has value, label"),
    ],
)
def test_the_first_difference_of_members_is_named(other: Dataset, message: str) -> None:
    with pytest.raises(UserError) as mistake:
        members.load(Mixture(('ants', 'x')), x=other)
    assert str(mistake.value).startswith(f'Mixture.datasets: x does not fit ants: {message}')


def test_images_of_one_size_do_not_mix_with_varying_ones() -> None:
    fixed = members.dataset('fixed', fields={'image': jax.ShapeDtypeStruct((4, 4, 3), np.uint8)}, classes=())
    varying = members.varying('varying')
    for names in (('fixed', 'varying'), ('varying', 'fixed')):
        with pytest.raises(UserError, match="the images of its field 'image' vary in size in varying"):
            members.load(Mixture(names), fixed=fixed, varying=varying)
    with pytest.raises(UserError, match="the images of its field 'image' have 1 channels, not 3"):
        members.load(Mixture(('varying', 'x')), varying=varying, x=members.varying('x', channels=1))


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        ((('ants',),), 'has 1 members: name at least two'),
        ((('ants', 'bees', 'ants'),), 'ants is a member twice'),
        (((First('ants', 3), First('ants', 3)),), "First('ants', 3) is a member twice"),
        ((('ants', 'bees'), (1,)), 'has 1 weights for 2 datasets'),
        ((('ants', 'bees'), (1, 2, 3)), 'has 3 weights for 2 datasets'),
        ((('ants', 'bees'), (1, -2)), '-2 is not a finite number from 0 on'),
        ((('ants', 'bees'), (float('nan'), 1)), 'nan is not a finite number'),
        ((('ants', 'bees'), (float('inf'), 1)), 'inf is not a finite number'),
        ((('ants', 'bees'), (0, 0)), 'all are 0'),
    ],
)
def test_wrong_members_and_weights_are_named(arguments: tuple[Any, ...], message: str) -> None:
    with pytest.raises(UserError) as mistake:
        Mixture(*arguments)
    assert message in str(mistake.value)


def test_members_need_a_training_split() -> None:
    x = members.dataset('x', {'val': 3})
    with pytest.raises(UserError, match="x has no split 'train'"):
        members.load(Mixture(('ants', 'x')), x=x)


def test_a_mixture_of_several_batches_at_once_is_refused() -> None:
    with pytest.raises(UserError, match='Let Named be the outermost expression'):
        members.load(Mixture(('ants', Named('ants', extra='bees'))))
