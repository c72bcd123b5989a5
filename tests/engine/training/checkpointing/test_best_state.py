"""The best checkpoint: what it holds, when it is committed, and that prediction finds all that it reads."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from engine.config.config import Config
from engine.errors import Interrupted, UserError
from engine.stored_trees import tree
from engine.training.checkpointing import best_arrays, best_state, direct
from engine.training.checkpointing.checkpoints import Checkpoints
from engine.training.trainer import Trainer
from engine.variables import by_path


def held(run: Path, kind: str) -> set[str]:
    """Returns the paths of the arrays in the newest checkpoint of a kind."""
    newest = max((run / 'checkpoints' / kind).iterdir(), key=lambda path: int(path.name))
    return {*tree.stored_shapes(newest / 'default')}


def entries(paths: set[str]) -> set[str]:
    return {path.partition('/')[0] for path in paths}


def test_it_holds_what_is_evaluated_and_no_more(trained: Path) -> None:
    assert entries(held(trained, 'best')) == {'params'}
    assert entries(held(trained, 'latest')) == {'params', 'opt_state', 'steps'}


def test_a_moving_average_is_part_of_it(
    config_file: Callable[..., Path], tmp_path: Path, program: Any
) -> None:
    config = config_file('classification.Classification.ema_decay = 0.9', STEPS='STEPS = 4')
    assert program('train', f'--gin_file={config}', f'--run={tmp_path / "run"}')[0] == 0
    assert entries(held(tmp_path / 'run', 'best')) == {'params', 'ema_params'}


def experiment(config_file: Callable[..., Path], *lines: str) -> Any:
    return Config([config_file(*lines)]).build(Trainer)


@pytest.fixture
def state(config_file: Callable[..., Path]) -> tuple[Any, Any]:
    """A trainer and its first state, with a moving average."""
    trainer = experiment(config_file, 'classification.Classification.ema_decay = 0.9')
    return trainer, trainer.step_functions.init()


@pytest.mark.parametrize('bound', [best_arrays.MAX_DEVICE_BYTES, 0], ids=['on the device', 'on the host'])
@pytest.mark.parametrize('largest', [direct.MAX_DIRECT_BYTES, 0], ids=['direct', 'by Orbax'])
def test_what_is_read_comes_back_to_the_bit(
    bound: int, largest: int, state: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(best_arrays, 'MAX_DEVICE_BYTES', bound)
    monkeypatch.setattr(direct, 'MAX_DIRECT_BYTES', largest)
    trainer, first = state
    shapes, traced = trainer.step_functions.state_shapes, trainer.traced
    copy = best_state.traced_copy(traced, shapes).lower().compile()(first)
    kinds = {leaf.sharding.memory_kind for leaf in jax.tree.leaves(copy)}
    assert kinds == ({'device'} if bound else {'pinned_host'})
    expected = by_path(jax.device_get(first))
    jax.jit(lambda state: jax.tree.map(jnp.zeros_like, state), donate_argnums=0)(first)  # as the next step
    with Checkpoints(tmp_path) as checkpoints:
        checkpoints.keep_best(3, copy)
    with Checkpoints(tmp_path, read_only=True) as checkpoints:
        restored = by_path(best_state.restored(checkpoints, 'best', 3, [traced.predict], shapes))
    assert restored.keys() == expected.keys()
    for path, array in restored.items():
        wanted = expected[path] if entries({path}) <= {'params', 'ema_params'} else 0 * expected[path]
        np.testing.assert_array_equal(array, wanted)


def test_an_array_that_it_lacks_is_named(state: Any, tmp_path: Path) -> None:
    """As after an edit that makes the prediction read more."""
    trainer, first = state
    with Checkpoints(tmp_path) as checkpoints:
        checkpoints.keep_best(3, {'params': first['params']})
    shapes = trainer.step_functions.state_shapes
    with (
        Checkpoints(tmp_path, read_only=True) as checkpoints,
        pytest.raises(UserError, match=r'ema_params/.*: not stored'),
    ):
        best_state.restored(checkpoints, 'best', 3, [trainer.traced.predict], shapes)


def order(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Returns a list of what is saved from now on."""
    saved: list[str] = []
    write = Checkpoints._write_checksums

    def noting(self: Checkpoints, kind: str, unfinished: Path) -> None:
        write(self, kind, unfinished)
        saved.append(f'{kind} {unfinished.name.strip(".").partition(".")[0]}')

    monkeypatch.setattr(Checkpoints, '_write_checksums', noting)
    return saved


@pytest.mark.parametrize('largest', [direct.MAX_DIRECT_BYTES, 0], ids=['direct', 'by Orbax'])
def test_it_is_committed_just_before_the_latest(
    largest: int,
    config_file: Callable[..., Path],
    tmp_path: Path,
    program: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Evaluations after steps 4, 8, 12 and 14, all of them better than before; saves after 5, 10 and 14."""
    monkeypatch.setattr(direct, 'MAX_DIRECT_BYTES', largest)
    saved = order(monkeypatch)
    code, _, err = program('train', f'--gin_file={config_file()}', f'--run={tmp_path / "run"}')
    assert code == 0, err
    assert [step for step in saved if step.startswith('best')] == ['best 4', 'best 8', 'best 14']
    for best, latest in (('best 4', 'latest 5'), ('best 8', 'latest 10'), ('best 14', 'latest 14')):
        assert saved.index(best) < saved.index(latest)  # in the background, the next best may overtake it


@pytest.mark.parametrize('error', [Interrupted, KeyboardInterrupt, ValueError])
def test_it_is_committed_however_the_run_ends(error: type[BaseException], tmp_path: Path) -> None:
    with pytest.raises(error), Checkpoints(tmp_path) as checkpoints:
        checkpoints.keep_best(4, {'params': {'weight': jnp.ones(2)}})
        checkpoints.keep_best(8, {'params': {'weight': jnp.full(2, 2.0)}})
        raise error
    assert [path.name for path in (tmp_path / 'best').iterdir()] == ['8']


def test_no_training_continues_from_it(trained: Path, program: Any) -> None:
    best = max(int(path.name) for path in (trained / 'checkpoints/best').iterdir())
    latest = {int(path.name) for path in (trained / 'checkpoints/latest').iterdir()}
    if best in latest:
        pytest.skip('the best step is a latest one, too')
    code, _, err = program('verify', str(trained), f'--from={best}')
    assert (code, 'saved as the best checkpoint alone' in err) == (2, True)
