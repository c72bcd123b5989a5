"""What is due at which step: sets written down from the words of the config, for random configs."""

from collections.abc import Iterator
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from engine.datasets.orders.streams import BlockStream
from engine.training.events import Events
from tests.engine import tiny
from tests.engine.random_cases import random_cases

INTERVALS = st.none() | st.integers(1, 12)
CONFIGS = st.fixed_dictionaries(
    {
        'steps': st.integers(1, 40),
        'evaluate_every': INTERVALS,
        'save_every': st.integers(1, 50),
        'keep_every': INTERVALS,
        'pictures_every': INTERVALS,
        'steps_per_dispatch': st.integers(1, 6),
        'starts_trained': st.booleans(),
    }
)


def events(config: dict[str, Any], order: BlockStream) -> Events:
    return Events(ends_epoch=order.ends_epoch, **config)


def multiples(interval: int | None, last: int) -> set[int]:
    return set(range(interval, last + 1, interval)) if interval else set()


def dispatches(events: Events, start: int) -> Iterator[tuple[int, int]]:
    """Yields step and number of steps of each call, as the loop makes them."""
    while start < events.steps:
        count = events.group(start)
        yield start, count
        start += count


@random_cases(100)
@given(CONFIGS, st.integers(1, 30), st.integers(1, 16))
def test_what_is_due_is_what_the_config_says(config: dict[str, Any], n: int, batch_size: int) -> None:
    last, order = config['steps'], tiny.stream(n, batch_size, seed=0)
    ends = {last} | ({0} if config['starts_trained'] else set())
    epochs = {-(-number * n // batch_size) for number in range(1, last * batch_size // n + 1)}
    evaluations = multiples(config['evaluate_every'], last) if config['evaluate_every'] else epochs
    saves = multiples(config['save_every'], last) | multiples(config['keep_every'], last)
    pictures = {0, last} | multiples(config['pictures_every'], last) if config['pictures_every'] else set()
    due = events(config, order)
    steps = range(last + 1)
    assert {step for step in steps if due.evaluates_at(step)} == evaluations | ends
    assert {step for step in steps if due.saves_at(step)} == saves | ends
    assert {step for step in steps if due.pictures_at(step)} == pictures


@random_cases(100)
@given(CONFIGS, st.integers(1, 30), st.integers(1, 16), st.data())
def test_groups_never_jump_over_an_event(
    config: dict[str, Any], n: int, batch_size: int, data: st.DataObject
) -> None:
    """A run that resumes after any step that the loop has reached makes the same calls."""
    due, size = events(config, tiny.stream(n, batch_size, seed=0)), config['steps_per_dispatch']
    calls = list(dispatches(due, 0))
    reached = {step for step, _ in calls} | {due.steps}
    for step in range(due.steps + 1):
        if due.evaluates_at(step) or due.saves_at(step) or due.pictures_at(step):
            assert step in reached
    assert {count for _, count in calls} <= {1, size}
    start = data.draw(st.sampled_from(sorted(reached)))
    assert list(dispatches(due, start)) == [call for call in calls if call[0] >= start]


def test_groups_are_whole_where_nothing_is_due() -> None:
    due = Events(steps=21, ends_epoch=lambda _: False, save_every=10, evaluate_every=9, steps_per_dispatch=4)
    expected = [(0, 4), (4, 4), (8, 1), (9, 1), (10, 4), (14, 4), (18, 1), (19, 1), (20, 1)]
    assert list(dispatches(due, 0)) == expected


@random_cases(100)
@given(CONFIGS, st.integers(1, 30), st.integers(1, 16))
def test_there_are_as_many_groups_as_fit_between_events(
    config: dict[str, Any], n: int, batch_size: int
) -> None:
    """Calls are those of a loop that knows what is due next."""
    due, size, step = events(config, tiny.stream(n, batch_size, seed=0)), config['steps_per_dispatch'], 0
    expected = []
    while step < due.steps:
        end = next(later for later in range(step + 1, due.steps + 1) if due._is_due(later))
        groups, singles = divmod(end - step, size)
        expected += [size] * groups + [1] * singles
        step = end
    assert [count for _, count in dispatches(due, 0)] == expected
