"""Checkpoints come back to the bit; which are kept, found and thrown away."""

import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from engine import sharding as parallelism
from engine.errors import UserError
from engine.interfaces import State
from engine.network import Network
from engine.sharding import Jit, batch_sharding, replicated
from engine.training.checkpointing.checkpoints import Checkpoints
from engine.workspace import REPOSITORY
from tests.engine import tiny


@pytest.fixture
def checkpoints(tmp_path: Path) -> Iterator[Checkpoints]:
    with Checkpoints(tmp_path / 'checkpoints') as checkpoints:
        yield checkpoints


def state_at(step: int) -> State:
    """Returns a small state that tells of its step."""
    return {'params': {'weight': jnp.full((2,), step + 0.5)}}


def shapes_of(state: Any) -> Any:
    return parallelism.abstract_sharded(state, replicated(Jit(data=1).mesh))


def weight(checkpoints: Checkpoints, kind: str, step: int) -> float:
    """Returns what tells of the step in a checkpoint."""
    return float(checkpoints.restore(kind, step, shapes_of(state_at(0)))['params']['weight'][0])


@pytest.fixture(scope='module')
def full_state() -> State:
    """A state with all that a task may put into it: an MLP, whose list has int keys, Adam, odd dtypes."""
    params, model_state = Network(lambda rngs: tiny.MODELS['mlp'](tiny.IMAGE, 3, rngs=rngs)).init(
        jax.random.key(0)
    )
    optimizer = optax.chain(optax.clip_by_global_norm(1.0), optax.adamw(optax.constant_schedule(1e-3)))
    random = np.random.default_rng(0)
    return {
        'params': params,
        'model_state': model_state,
        'opt_state': optimizer.init(params),
        'steps': jnp.asarray(2**31 - 1, jnp.int32),
        'half': jnp.asarray(random.normal(size=(3, 5)), jnp.bfloat16),
        'bytes': jnp.asarray(random.integers(0, 256, 7), jnp.uint8),
        'flags': jnp.array([True, False]),
        'odd': jnp.array([jnp.nan, jnp.inf, -0.0, 1e-45], jnp.float32),
        'tuple': (jnp.zeros((1, 1)), {7: jnp.ones(2)}),
    }


def bits(tree: Any) -> list[tuple[Any, ...]]:
    """Returns dtype, shape and bytes of each leaf."""
    leaves = map(np.asarray, jax.tree.leaves(tree))
    return [(leaf.dtype, leaf.shape, leaf.tobytes()) for leaf in leaves]


def test_a_state_comes_back_to_the_bit(checkpoints: Checkpoints, full_state: State) -> None:
    assert set(full_state['params']['hidden']) == {0, 1}
    checkpoints.save('latest', 3, full_state)
    restored = checkpoints.restore('latest', 3, shapes_of(full_state))
    assert jax.tree.structure(restored) == jax.tree.structure(full_state)  # the optimizer's named tuples too
    assert bits(restored) == bits(full_state)


def test_a_state_comes_back_to_where_it_is_asked_to_live(checkpoints: Checkpoints) -> None:
    array = jnp.arange(8.0)
    checkpoints.save('latest', 1, {'a': jax.device_put(array, replicated(Jit(data=1).mesh))})
    for sharding in (replicated(Jit(data=2).mesh), batch_sharding(Jit(data=2).mesh)):
        shapes = {'a': jax.ShapeDtypeStruct((8,), jnp.float32, sharding=sharding)}
        restored = checkpoints.restore('latest', 1, shapes)['a']
        assert restored.sharding == sharding
        np.testing.assert_array_equal(restored, array)


def test_what_is_saved_is_the_state_at_the_call(checkpoints: Checkpoints) -> None:
    """The next step overwrites the state's memory while the save is under way."""
    state = {'a': jnp.arange(2.0**20)}
    overwrite = jax.jit(lambda state: jax.tree.map(jnp.zeros_like, state), donate_argnums=0)
    checkpoints.save('latest', 1, state)
    overwrite(state)['a'].block_until_ready()
    shapes = shapes_of({'a': jnp.arange(2.0**20)})
    np.testing.assert_array_equal(checkpoints.restore('latest', 1, shapes)['a'], np.arange(2.0**20))


def test_two_latest_and_one_best_are_kept(tmp_path: Path) -> None:
    with Checkpoints(tmp_path) as checkpoints:
        for step in (1, 2, 3):
            checkpoints.save('latest', step, state_at(step))
            checkpoints.save('best', step, state_at(step))
    for kind, kept in (('latest', ['2', '3']), ('best', ['3'])):
        assert sorted(path.name for path in (tmp_path / kind).iterdir()) == kept


def test_how_many_are_kept_is_a_choice(tmp_path: Path) -> None:
    with Checkpoints(tmp_path, keep=1) as checkpoints:
        for step in (1, 2):
            checkpoints.save('latest', step, state_at(step))
    assert [path.name for path in (tmp_path / 'latest').iterdir()] == ['2']


@pytest.mark.parametrize('first', [0, 1])
def test_multiples_of_an_interval_stay(first: int, tmp_path: Path) -> None:
    for steps in (range(first, 5), range(5, 11)):  # in two sessions
        with Checkpoints(tmp_path, keep_every=4) as checkpoints:
            for step in steps:
                checkpoints.save('latest', step, state_at(step))
                checkpoints.save('best', step, state_at(step))
    expected = ([] if first else [0]) + [4, 8, 9, 10]
    with Checkpoints(tmp_path, read_only=True) as checkpoints:
        assert checkpoints.steps('latest') == expected[::-1]
        assert checkpoints.find('4') == ('latest', 4)
        assert weight(checkpoints, 'latest', 4) == 4.5
    with Checkpoints(tmp_path) as checkpoints:  # a program that does not know of the interval deletes nothing
        assert checkpoints.steps('latest') == expected[::-1]
        checkpoints.discard_after(5)
        assert (checkpoints.steps('latest'), checkpoints.steps('best')) == (expected[-4::-1], [])


def test_leaving_waits_for_what_is_being_saved(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt), Checkpoints(tmp_path) as checkpoints:
        checkpoints.save('latest', 5, {'a': jnp.zeros(2**22)})
        raise KeyboardInterrupt
    assert [path.name for path in (tmp_path / 'latest').iterdir()] == ['5']


def test_found_by_name_and_by_number(checkpoints: Checkpoints) -> None:
    for kind, step in (('best', 1), ('latest', 2), ('latest', 4)):
        checkpoints.save(kind, step, state_at(step))
    assert (checkpoints.last('latest'), checkpoints.last('best')) == (4, 1)
    expected = {'latest': ('latest', 4), 'best': ('best', 1), '1': ('best', 1), '2': ('latest', 2)}
    assert {which: checkpoints.find(which) for which in expected} == expected
    assert weight(checkpoints, 'latest', 2) == 2.5


@pytest.mark.parametrize('which', ['3', 'best', 'bset', '-4', ''])
def test_what_is_not_there_is_said(which: str, checkpoints: Checkpoints) -> None:
    for step in (2, 4):
        checkpoints.save('latest', step, state_at(step))
    with pytest.raises(UserError) as error:
        checkpoints.find(which)
    expected = f'there is no checkpoint {which!r}. Saved steps: latest: [2, 4], best: none.'
    assert str(error.value) == expected


@pytest.mark.parametrize('parts', [[], ['latest', 'best']], ids=['no folders', 'empty folders'])
def test_nothing_saved_is_said_too(parts: list[str], tmp_path: Path) -> None:
    for part in parts:
        (tmp_path / part).mkdir()
    with Checkpoints(tmp_path, read_only=True) as checkpoints:
        assert checkpoints.last('latest') is None
        with pytest.raises(UserError, match=r"no checkpoint 'best'. Saved steps: latest: none, best: none"):
            checkpoints.find('best')


def test_a_step_that_is_there_is_left_as_it_is(checkpoints: Checkpoints) -> None:
    checkpoints.save('latest', 1, state_at(1))
    checkpoints.save('latest', 1, state_at(9))
    assert weight(checkpoints, 'latest', 1) == 1.5


def test_best_ones_of_a_future_undone_are_discarded_and_made_anew(tmp_path: Path) -> None:
    with Checkpoints(tmp_path) as checkpoints:
        for kind, step in (('latest', 5), ('best', 8)):
            checkpoints.save(kind, step, state_at(step))
    with Checkpoints(tmp_path) as checkpoints:
        checkpoints.discard_after(8)
        assert checkpoints.find('best') == ('best', 8)
        checkpoints.discard_after(7)
        assert (checkpoints.last('latest'), checkpoints.last('best')) == (5, None)
        checkpoints.save('best', 8, state_at(9))
    with Checkpoints(tmp_path) as checkpoints:
        assert weight(checkpoints, 'best', 8) == 9.5


def test_step_0_counts_as_any_other(tmp_path: Path) -> None:
    with Checkpoints(tmp_path) as checkpoints:
        checkpoints.save('best', 0, state_at(0))
        checkpoints.save('best', 0, state_at(9))
        assert checkpoints.find('best') == checkpoints.find('0') == ('best', 0)
    with Checkpoints(tmp_path) as checkpoints:
        assert weight(checkpoints, 'best', 0) == 0.5
        checkpoints.discard_after(0)
        assert checkpoints.last('best') == 0
        checkpoints.save('best', 4, state_at(4))
        assert checkpoints.steps('best')[0] == 4


def test_changed_metadata_leave_a_checkpoint_undamaged(tmp_path: Path) -> None:
    with Checkpoints(tmp_path) as checkpoints:
        checkpoints.save('latest', 5, state_at(5), {'one': '1', 'two': '2'})
    with Checkpoints(tmp_path) as checkpoints:
        checkpoints.change_metadata('latest', 5, two='')
    with Checkpoints(tmp_path) as checkpoints:
        assert checkpoints.metadata('latest', 5) == {'one': '1', 'two': ''}
        assert weight(checkpoints, 'latest', 5) == 5.5


@pytest.fixture
def killed(tmp_path: Path) -> Path:
    """A folder with step 3, and a save of step 7 that was killed on its way."""
    program = """
        import os, sys
        from pathlib import Path
        import numpy as np
        from engine.training.checkpointing.checkpoints import Checkpoints

        folder = Path(sys.argv[1])
        with Checkpoints(folder) as checkpoints:
            checkpoints.save('latest', 3, {'params': {'weight': np.full(2, 3.5, np.float32)}})
        Checkpoints(folder).save('latest', 7, {'weight': np.random.default_rng(0).random(2**23)})
        while not list((folder / 'latest').glob('7*')):
            pass
        os._exit(0)
    """
    command = [sys.executable, '-c', textwrap.dedent(program), str(tmp_path)]
    subprocess.run(command, check=True, cwd=REPOSITORY)
    return tmp_path


def test_a_save_that_was_killed_is_none(killed: Path) -> None:
    unfinished = [path.name for path in (killed / 'latest').iterdir() if path.name != '3']
    assert len(unfinished) == 1
    assert unfinished != ['7']
    with Checkpoints(killed, read_only=True) as reader:
        assert reader.find('latest') == ('latest', 3)
        assert weight(reader, 'latest', 3) == 3.5
    assert (killed / 'latest' / unfinished[0]).exists()  # it may be another process's, still at it
    with Checkpoints(killed) as checkpoints:
        assert checkpoints.find('latest') == ('latest', 3)
        checkpoints.save('latest', 7, state_at(7))
    assert sorted(path.name for path in (killed / 'latest').iterdir()) == ['3', '7']
