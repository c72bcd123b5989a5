"""What the orders of `engine.parts.orders` draw, and what they say of mistakes."""

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine import files
from engine.datasets.orders.order import MAIN, ByPart
from engine.datasets.reading.dataset import Dataset, Examples
from engine.errors import UserError
from engine.interfaces import Spec
from engine.parts.orders import Balanced, Curriculum, Sequential, Shuffled, Weighted
from tests.engine import tiny
from tests.engine.random_cases import random_cases

DRAWS = 100_000


def examples(**arrays: Any) -> Examples:
    """Returns examples with fields of numbers, named e0, e1, ..."""
    fields = {name: np.asarray(array) for name, array in arrays.items()}
    return Examples([f'e{index}' for index in range(len(next(iter(fields.values()))))], fields)


def drawn(order: Any, data: Examples, draws: int, batch_size: int = 50, spec: Spec = tiny.SPEC) -> np.ndarray:
    """Returns the first draws of an order, int64 [draws]."""
    stream = order.bind({MAIN: tiny.part(data, batch_size, spec)}, seed=3)
    steps = -(-draws // batch_size)
    return np.concatenate([stream.indices(step)[MAIN] for step in range(steps)])[:draws]


def message(order: ByPart, data: Examples, spec: Spec = tiny.SPEC) -> str:
    with pytest.raises(UserError) as mistake:
        drawn(order, data, 1, 1, spec)
    return str(mistake.value)


# Sequential


def test_sequential_goes_through_the_data_again_and_again() -> None:
    assert drawn(Sequential(), tiny.examples(7), 30, 4).tolist() == [place % 7 for place in range(30)]


# Weighted


@pytest.mark.parametrize('n', [30, 1000, 60_000, 250_000])
@pytest.mark.parametrize('distinct', [2, 5, 0])
def test_weighted_draws_within_one_percent_of_the_weights(n: int, distinct: int) -> None:
    """Of groups of equal weights, and of single examples, that are drawn often enough for it."""
    random = np.random.default_rng(n + distinct)
    values = random.uniform(0.5, 20, distinct)
    weights = random.choice(values, n) if distinct else random.exponential(size=n) ** 2
    shares = weights / weights.sum()
    counts = np.bincount(drawn(Weighted('weight'), examples(weight=weights), DRAWS), minlength=n)
    _, groups = np.unique(weights, return_inverse=True)
    expected = np.bincount(groups, shares) * DRAWS
    error = np.abs(np.bincount(groups, counts) - expected)
    assert (error <= np.maximum(0.01 * expected, 3)).all()
    assert (np.abs(counts - shares * DRAWS) <= np.maximum(0.01 * shares * DRAWS, 5)).all()


def test_a_weight_of_0_is_never_drawn_and_said(said: list[str]) -> None:
    counts = Counter(drawn(Weighted('weight'), examples(weight=[0.0, 1.0, 0.0, 3.0]), 4000).tolist())
    assert counts == {1: 1000, 3: 3000}
    assert said == ['Weighted: 2 of 4 examples of train of tiny have the weight 0 and are never drawn.']


@random_cases(6)
@given(st.lists(st.integers(0, 5), min_size=1, max_size=12).filter(any), st.sampled_from([1e-320, 1, 1e307]))
def test_weights_count_in_proportion_alone(weights: list[int], scale: float) -> None:
    counts = np.bincount(
        drawn(Weighted('weight'), examples(weight=np.array(weights) * float(scale)), 3000),
        minlength=len(weights),
    )
    np.testing.assert_allclose(counts, np.array(weights) / sum(weights) * 3000, atol=9)


def test_equal_weights_are_shuffled_epochs() -> None:
    epochs = drawn(Weighted('weight'), examples(weight=np.full(20, 0.3, np.float32)), 100, 7).reshape(5, 20)
    assert [sorted(epoch) for epoch in epochs.tolist()] == [[*range(20)]] * 5
    assert len({tuple(epoch) for epoch in epochs.tolist()}) == 5


@pytest.mark.parametrize('values', [[1, 2, 3, 4], [True, False, True, True]])
@pytest.mark.parametrize('dtype', [np.uint8, np.int64, np.float16, np.float64, np.bool_])
def test_a_list_weighs_as_a_field_does(values: list[float], dtype: Any, tmp_path: Path) -> None:
    data = examples(weight=np.array(values, dtype))
    rows = [f'e{index};{float(data.arrays["weight"][index])}' for index in (2, 0, 3, 1)]  # in another order
    path = tmp_path / 'weights.csv'
    path.write_text('\n'.join(['id;weight', *rows]))
    order = Weighted(file=str(path))
    np.testing.assert_array_equal(drawn(order, data, 500), drawn(Weighted('weight'), data, 500))
    assert order.origin() == {str(path): files.sha256(path)}
    assert Weighted('weight').origin() == {}


def test_a_list_may_name_examples_of_other_splits(tmp_path: Path) -> None:
    """So that one list serves all folds."""
    train, rest, member = (
        Examples(ids, {'label': np.zeros(2)}) for ids in (['a', 'b'], ['c', 'd'], ['e', 'f'])
    )
    source = Dataset('source', '', '', tiny.SPEC, {'train': 2}, make=lambda _: member)
    splits = {'train': train, 'test': rest}
    data = Dataset('all', '', '', tiny.SPEC, dict.fromkeys(splits, 2), make=splits.get, made_of=(source,))  # type: ignore[arg-type]
    path = tmp_path / 'weights.csv'
    path.write_text('id,weight\na,1\nb,3\nc,1\ne,9\n')
    part = tiny.Part(data, 4)
    stream = Weighted(file=str(path)).bind({MAIN: part}, 0)
    assert np.bincount(np.concatenate([stream.indices(step)[MAIN] for step in range(100)])).tolist() == [
        100,
        300,
    ]
    path.write_text('id,weight\na,1\nb,3\nc,1\ng,9\n')
    with pytest.raises(UserError, match=r"weights.csv:5: all has no example 'g'; its ids are such as 'a'."):
        Weighted(file=str(path)).bind({MAIN: part}, 0)


LISTS = {
    'id,weight\ne0,1\ne1,2\nnope,3\nno,4': ":4: tiny has no example 'nope'; its ids are such as 'e0'. The",
    'id,weight\ne0,1\n': "weights.csv: there is no weight for 'e1' of train of tiny.",
    'id,weight\ne0,1\ne1,2\n\ne0,3\n': ":5: the id 'e0' is already in line 2. Remove one of these rows.",
    'id,weight\ne0,1\ne1,-2\n': ":3: the weight of 'e1' is -2, but a finite number of at least 0 is needed.",
    'id,weight\ne0,1\ne1,NaN\n': ":3: the weight of 'e1' is NaN, but a finite number of at least 0",
    'id,weight\ne0,1e999\n': ":2: the weight of 'e0' is 1e999, but a finite number",
    'id,weight\ne0,heavy\n': ":2: the weight of 'e0' is heavy, but a finite number",
    'id;weight\ne0;1,5\n': ":2: the weight of 'e0' is 1,5, but a finite number",
    'id,weight\ne0,\n': ":2: the cell 'weight' is empty",
    'id,wieght\ne0,1\n': ":1: there is no column 'weight'",
    'id,weight\ne0,0\ne1,0\ne2,0\n': 'all weights of train of tiny are 0. Raise some of them.',
    '': 'is empty',
}


@pytest.mark.parametrize('text', LISTS, ids=range(len(LISTS)))
def test_a_list_with_a_mistake_is_refused_by_its_line(text: str, tmp_path: Path) -> None:
    path = tmp_path / 'weights.csv'
    path.write_text(text)
    shown = message(Weighted(file=str(path)), examples(label=[0, 1, 2]))
    assert LISTS[text] in shown
    assert 'weights.csv' in shown


FIELDS = {
    'nan': ([1, np.nan, -1], "'e1' of train of tiny: the field 'weight' is nan, but a finite number of at"),
    'negative': ([1, 2, -0.5], "'e2' of train of tiny: the field 'weight' is -0.5, but a finite number"),
    'infinite': (
        [np.inf, 2, -0.5],
        "'weight' is inf, but a finite number of at least 0 is needed. The same holds for 1 other.",
    ),
    'zero': ([0, 0, 0], "Weighted.field = 'weight': all weights of train of tiny are 0."),
    'wrong shape': (np.ones((3, 2)), "Weighted.field = 'weight' holds float64 [2], but a number for each"),
    'complex': (np.ones(3, complex), "Weighted.field = 'weight' holds complex128 [], but a number for each"),
}


@pytest.mark.parametrize('case', FIELDS)
def test_a_field_with_a_mistake_is_refused_by_its_first_example(case: str) -> None:
    values, expected = FIELDS[case]
    assert expected in message(Weighted('weight'), examples(weight=values))


def test_a_field_or_list_that_does_not_exist(tmp_path: Path) -> None:
    data = examples(weight=[1.0], label=[0])
    assert message(Weighted('wieght'), data) == (
        "Weighted.field = 'wieght': train of tiny has no such field. Did you mean 'weight'?"
    )
    assert "Balanced.field = 'lable': train of tiny has no such field. Did you mean 'label'?" in message(
        Balanced('lable'), data
    )
    (tmp_path / 'weights.csv').touch()
    shown = message(Weighted(file=str(tmp_path / 'wieghts.csv')), data)
    assert f'does not exist. Did you mean {tmp_path / "weights.csv"}?' in shown
    assert 'is not a file' in message(Weighted(file=str(tmp_path)), data)
    with pytest.raises(
        UserError, match=r'Weighted.field and Weighted.file are both bound. Bind one of them.'
    ):
        Weighted('a', 'b')
    for order in (Weighted, lambda: Curriculum(steps=3)):
        with pytest.raises(
            UserError, match=r'needs a (weight|difficulty) for each example: bind `\w+.field`'
        ):
            order()


# Balanced


def labelled(*sizes: int) -> Examples:
    return examples(label=np.repeat(np.arange(len(sizes)), sizes).astype(np.int32))


def test_balanced_draws_all_classes_equally_often_in_each_epoch() -> None:
    data = labelled(900, 90, 10)
    for epoch in drawn(Balanced(), data, 20_000).reshape(-1, 1000):
        assert sorted(np.bincount(data.arrays['label'][epoch])) == [333, 333, 334]
    counts = np.bincount(drawn(Balanced(), data, DRAWS), minlength=1000)
    assert (
        np.abs(np.array([counts[:900].sum(), counts[900:990].sum(), counts[990:].sum()]) - DRAWS / 3).max()
        < 3
    )
    assert counts[:900].max() - counts[:900].min() <= 1  # examples of a class take turns
    assert counts[990:].max() - counts[990:].min() <= 1


@pytest.mark.parametrize(('power', 'shares'), [(0, [1, 1, 1]), (0.5, [20, 2, 1]), (1, [400, 4, 1])])
def test_balanced_tempers_the_sizes_of_classes(power: float, shares: list[float]) -> None:
    data = labelled(400, 4, 1)
    counts = np.bincount(data.arrays['label'][drawn(Balanced(power=power), data, DRAWS)])
    np.testing.assert_allclose(counts, np.array(shares) / sum(shares) * DRAWS, atol=6)


def test_balanced_batches_hold_the_classes_nearly_evenly() -> None:
    data = labelled(900, 90, 10)
    batches = data.arrays['label'][drawn(Balanced(), data, 10_000, 30)][:9990].reshape(-1, 30)
    counts = np.array([np.bincount(batch, minlength=3) for batch in batches])
    assert counts.min() >= 6
    assert len({tuple(batch) for batch in batches.tolist()}) == len(batches)  # in no pattern


def test_classes_without_examples_are_left_out_and_said(said: list[str]) -> None:
    data = examples(label=[2, 0, 2])
    counts = np.bincount(data.arrays['label'][drawn(Balanced(), data, 99)])
    assert sorted(counts.tolist()) == [0, 49, 50]
    assert said == ["Balanced: 1 of 3 classes have no example in train of tiny and are never drawn: 'b'."]
    said.clear()
    spec = Spec(tiny.SPEC.example, {'label': tuple(map(str, range(9)))})
    drawn(Balanced(), data, 1, spec=spec)
    assert said[0].endswith("are never drawn: '1', '3', '4', '5', '6' and 2 more.")


@pytest.mark.parametrize('groups', [[70, 70, -3, 70], [True, True, False, True], [2**40, 2**40, 0, 2**40]])
def test_other_groups_than_classes_are_balanced_too(groups: Any) -> None:
    counts = np.bincount(drawn(Balanced('patient'), examples(patient=groups), 3000))
    assert counts.tolist() == [500, 500, 1500, 500]


def test_what_balanced_refuses() -> None:
    assert message(Balanced(), examples(label=[0, -1, 2])) == (
        "Balanced.field = 'label': 'e1' of train of tiny has no class. Leave such examples out of this split."
    )
    assert "Balanced.field = 'label' holds float64 [], but a whole number for each" in message(
        Balanced(), examples(label=[0.0, 1.0])
    )
    shown = message(Balanced('image'), tiny.examples(3))
    assert "Balanced.field = 'image' holds uint8 [4, 4, 1], but a whole number" in shown
    assert shown.endswith('Such fields are: label.')
    for power in (-0.1, 1.1, np.nan):
        with pytest.raises(
            UserError, match=r'Balanced.power = .*: it must be from 0 \(all classes alike\) to 1'
        ):
            Balanced(power=power)


# Curriculum


@pytest.mark.parametrize(
    ('pacing', 'half'),
    [('linear', 0.6), ('root', np.sqrt(0.52)), ('quadratic', ((1 + np.sqrt(0.2)) / 2) ** 2)],
)
def test_the_share_in_play_grows(pacing: Any, half: float) -> None:
    curriculum = Curriculum(steps=40, field='difficulty', start=0.2, pacing=pacing)
    shares = [curriculum.share(step) for step in range(100)]
    np.testing.assert_allclose([shares[0], shares[20], *shares[40:]], [0.2, half, *[1.0] * 60])
    assert (np.diff(shares[:41]) > 0).all()
    growth = np.diff(shares[:41], n=2)
    assert {
        'linear': np.abs(growth).max() < 1e-9,
        'root': (growth < 0).all(),
        'quadratic': (growth > 0).all(),
    }[pacing]


def test_only_the_easiest_are_drawn_and_then_all() -> None:
    difficulty = np.random.default_rng(0).permutation(200)
    order = Curriculum(steps=100, field='difficulty', start=0.1, pacing='linear')
    steps = difficulty[drawn(order, examples(difficulty=difficulty), 4000, 20)].reshape(200, 20)
    for step, batch in enumerate(steps[:100]):
        assert batch.max() < 20 + 1.8 * step + 1
    assert np.mean([batch.max() for batch in steps[:10]]) > 15
    for epoch in steps[100:].reshape(-1, 200):
        assert sorted(epoch) == [*range(200)]


def test_those_in_play_are_drawn_equally_often() -> None:
    order = Curriculum(steps=10**15, field='difficulty', start=0.25)
    counts = np.bincount(drawn(order, examples(difficulty=np.arange(400.0)), 4000), minlength=400)
    assert counts[:100].tolist() == [40] * 100
    assert not counts[100:].any()


def test_examples_of_one_difficulty_have_a_random_rank() -> None:
    data = examples(difficulty=np.repeat([0, 1], 500))
    orders = [Curriculum(steps=10**15, field='difficulty', start=start) for start in (0.2, 0.5)]
    first = [set(drawn(order, data, 1000)) for order in orders]
    assert first[0] < first[1] == {*range(500)}
    assert len(first[0]) == 200
    assert max(first[0]) > 400


def test_a_single_example_and_a_tiny_share() -> None:
    assert set(drawn(Curriculum(steps=5, field='difficulty'), examples(difficulty=[1.0]), 9, 3)) == {0}
    order = Curriculum(steps=10**15, field='difficulty', start=1e-9)
    assert set(drawn(order, examples(difficulty=[3.0, 1.0, 2.0]), 9, 3)) == {1}


def test_a_curriculum_from_a_list(tmp_path: Path) -> None:
    path = tmp_path / 'difficulties.csv'
    path.write_text('id,difficulty\ne0,-3.5\ne1,7\ne2,-4\ne3,0\n')
    order = Curriculum(steps=10**15, file=str(path), start=0.5)
    assert set(drawn(order, examples(label=[0, 0, 0, 0]), 40)) == {0, 2}
    assert order.origin() == {str(path): files.sha256(path)}
    path.write_text('id,difficulty\ne0,-3.5\ne1,nan\n')
    assert ":3: the difficulty of 'e1' is nan, but a finite number is needed." in message(
        order, examples(label=[0, 0])
    )


REFUSED: dict[str, dict[str, Any]] = {
    'Curriculum.steps = 0: it must be at least 1.': {'steps': 0},
    'Curriculum.start = 0: it must be above 0, and at most 1.': {'steps': 5, 'start': 0},
    'Curriculum.start = 1.5: it must be above 0': {'steps': 5, 'start': 1.5},
}


@pytest.mark.parametrize('expected', REFUSED)
def test_what_curriculum_refuses(expected: str) -> None:
    with pytest.raises(UserError, match=expected):
        Curriculum(field='difficulty', **REFUSED[expected])


# All


def test_a_weighted_mixture_takes_shuffled_alone() -> None:
    groups = np.repeat([0, 1], [90, 10])
    data = Examples(
        [f'e{index}' for index in range(100)],
        {'label': np.zeros(100, np.int32)},
        groups=groups,
        group_weights=(3.0, 1.0),
    )
    counts = np.bincount(groups[drawn(Shuffled(), data, DRAWS)])
    np.testing.assert_allclose(counts, [75_000, 25_000], atol=3)
    for order in (Sequential(), Weighted('label'), Balanced(), Curriculum(steps=3, field='label')):
        assert message(order, data) == (
            f'Trainer.order: {type(order).__name__} cannot order tiny, whose weights say already how often '
            'each member is drawn. Remove the weights of the mixture, or the order.'
        )


def test_other_parts_are_shuffled() -> None:
    parts = {MAIN: tiny.part(tiny.examples(6), 4), 'unlabelled': tiny.part(tiny.examples(9), 3)}
    bound = Sequential().bind(parts, seed=0)
    assert [bound.indices(step)[MAIN].tolist() for step in range(2)] == [[0, 1, 2, 3], [4, 5, 0, 1]]
    epoch = np.concatenate([bound.indices(step)['unlabelled'] for step in range(3)])
    assert sorted(epoch) == [*range(9)] != epoch.tolist()
    whole = Shuffled().bind(parts, seed=0)
    np.testing.assert_array_equal(whole.indices(5)['unlabelled'], bound.indices(5)['unlabelled'])
    assert bound.epoch(3) == 2.0
    assert [bound.ends_epoch(step) for step in range(1, 7)] == [False, True, True, False, True, True]
