"""Variables by their paths: any split of a tree joins to the tree again."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine import variables
from engine.errors import UserError
from tests.engine.random_cases import random_cases

KEYS = st.sampled_from(['a', 'b', 'kernel']) | st.integers(0, 3)
TREES = st.recursive(
    st.dictionaries(KEYS, st.integers(), min_size=1, max_size=3),
    lambda inner: st.dictionaries(st.sampled_from('abc'), inner, min_size=1, max_size=3),
    max_leaves=6,
)


@random_cases(50)
@given(TREES.filter(lambda tree: len({type(key) for key in tree}) == 1), st.data())
def test_separated_variables_join_to_the_same_tree(tree: Any, data: st.DataObject) -> None:
    try:
        paths = sorted(variables.by_path(tree))
    except (TypeError, ValueError):  # JAX sorts keys, so those of one dict must be of one type
        return
    chosen = data.draw(st.sets(st.sampled_from(paths)))
    one, other = variables.separated(tree, chosen)
    assert variables.by_path(one).keys() == chosen
    assert variables.by_path(other).keys() == set(paths) - chosen
    assert variables.joined(one, other) == variables.joined(other, one) == tree


def test_the_second_tree_counts_where_both_have_a_variable() -> None:
    tree = {'encoder': {0: {'kernel': 1}, 1: {'kernel': 2}}}
    assert variables.joined(tree, {'encoder': {1: {'kernel': 3}}}) == {
        'encoder': {0: {'kernel': 1}, 1: {'kernel': 3}}
    }


@pytest.mark.parametrize(
    ('pattern', 'message'),
    [
        ('encodr', "frozen: 'encodr' matches no variable. Did you mean 'encoder/kernel'?"),
        ('(', "frozen: '\\(' is not a regular expression"),
        ('^kernel', "frozen: '\\^kernel' matches no variable"),
    ],
)
def test_a_pattern_that_matches_nothing_is_a_mistake(pattern: str, message: str) -> None:
    with pytest.raises(UserError, match=message):
        variables.matching([pattern], ['encoder/kernel', 'head/bias'], 'frozen')
