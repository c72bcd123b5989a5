"""Stored arrays that are not those of the present state: one message names them, and nothing is cast."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import optax
import pytest
from flax import nnx

from engine.errors import UserError
from engine.interfaces import State
from engine.training.checkpointing import state_layout
from engine.training.checkpointing.checkpoints import Checkpoints
from research.models import mlp

ADAMW, SGD = optax.adamw(1e-3), optax.sgd(0.1, momentum=0.9)


def params_of(width: int = 4, name: str = 'kernel', dtype: Any = jnp.float32, **more: Any) -> Any:
    hidden = {'bias': jnp.zeros(width), name: jnp.zeros((3, width), dtype)}
    return {'hidden': [hidden], 'output': {'kernel': jnp.zeros((width, 2))}, **more}


def state_of(params: Any, optimizer: optax.GradientTransformation = ADAMW) -> State:
    """Returns a state with all that copies the shapes of the parameters."""
    statistics = {'norm': {'mean': jnp.zeros(4)}}
    return {
        'params': params,
        'model_state': statistics,
        'opt_state': optimizer.init(params),
        'ema_params': params,
        'key': jax.random.key(0),
    }


@pytest.fixture(scope='module')
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp('checkpoints')
    with Checkpoints(folder) as checkpoints:
        checkpoints.save('latest', 3, state_of(params_of()))
    return folder


def refusal(saved: Path, state: State) -> list[str]:
    """Returns the lines of the message that names the differences."""
    with Checkpoints(saved, read_only=True) as checkpoints, pytest.raises(UserError) as error:
        checkpoints.restore('latest', 3, jax.eval_shape(lambda: state))
    first, *lines, last = str(error.value).splitlines()
    assert str(saved / 'latest' / '3') in first
    assert last.endswith('or begin a new run.')
    return [line.strip() for line in lines]


SCALE = {'scale': jnp.zeros(5)}


@pytest.mark.parametrize(
    ('state', 'expected'),
    [
        (
            state_of(params_of(width=5)),
            [
                'params/hidden/0/bias: stored as float32 [4], now float32 [5]',
                'params/hidden/0/kernel: stored as float32 [3, 4], now float32 [3, 5]',
                'params/output/kernel: stored as float32 [4, 2], now float32 [5, 2]',
            ],
        ),
        (
            state_of(params_of(dtype=jnp.bfloat16)),
            ['params/hidden/0/kernel: stored as float32 [3, 4], now bfloat16 [3, 4]'],
        ),
        (
            state_of(params_of(name='weight')),
            [
                'params/hidden/0/kernel: stored as float32 [3, 4], now missing. '
                'Is it now params/hidden/0/weight?'
            ],
        ),
        (state_of(params_of(extra=SCALE)), ['params/extra/scale: not stored, now float32 [5]']),
        (
            state_of({'output': params_of()['output']}),
            [
                'params/hidden/0/bias: stored as float32 [4], now missing',
                'params/hidden/0/kernel: stored as float32 [3, 4], now missing',
            ],
        ),
        (
            state_of(params_of()) | {'model_state': {'norm': {'mean': jnp.zeros((4, 1))}}},
            ['model_state/norm/mean: stored as float32 [4], now float32 [4, 1]'],
        ),
        (
            {name: value for name, value in state_of(params_of()).items() if name != 'key'},
            ['key: stored as uint32 [2], now missing'],
        ),
        (
            state_of(params_of(), SGD),
            ['opt_state: stored by another optimizer, with 0/count, 0/mu, 0/nu; now with 0/trace'],
        ),
        (
            state_of(params_of(), optax.sgd(0.1)),
            ['opt_state: stored by another optimizer, with 0/count, 0/mu, 0/nu; now with no arrays'],
        ),
        (
            state_of(params_of(), optax.chain(optax.clip(1.0), ADAMW)),
            [
                'opt_state: stored by another optimizer, with 0/count, 0/mu, 0/nu; '
                'now with 1/0/count, 1/0/mu, 1/0/nu'
            ],
        ),
        (
            state_of(params_of(dtype=jnp.float16), SGD),
            [
                'params/hidden/0/kernel: stored as float32 [3, 4], now float16 [3, 4]',
                'opt_state: stored by another optimizer, with 0/count, 0/mu, 0/nu; now with 0/trace',
            ],
        ),
    ],
    ids=[
        'shape', 'dtype', 'renamed', 'added', 'removed', 'model state', 'key',
        'optimizer', 'optimizer without arrays', 'chain', 'dtype and optimizer',
    ],
)  # fmt: skip
def test_one_message_names_what_differs(state: State, expected: list[str], saved: Path) -> None:
    assert refusal(saved, state) == expected


def test_moments_of_another_dtype_are_not_cast(saved: Path) -> None:
    lines = refusal(saved, state_of(params_of(), optax.adamw(1e-3, mu_dtype=jnp.bfloat16)))
    assert lines[0] == 'opt_state/0/mu/hidden/0/bias: stored as float32 [4], now bfloat16 [4]'
    assert len(lines) == 3


def test_the_same_state_is_restored(saved: Path) -> None:
    state = state_of(params_of())
    with Checkpoints(saved, read_only=True) as checkpoints:
        restored = checkpoints.restore('latest', 3, jax.eval_shape(lambda: state))
    assert state_layout.of_state(restored) == state_layout.of_state(state)


def test_a_long_list_is_cut() -> None:
    stored = {f'params/{index:02}': 'float32 [1]' for index in range(20)}
    assert len(state_layout.differences(stored, {})) == 20


def test_networks_of_a_dict_have_their_optimizers_named() -> None:
    stored = {'params/critic/bias': 'float32 [1]', 'opt_state/critic/0/mu/bias': 'float32 [1]'}
    present = {'params/critic/bias': 'float32 [1]', 'opt_state/critic/0/trace/bias': 'float32 [1]'}
    [line] = state_layout.differences(stored, present)
    assert line.endswith('with critic/0/mu; now with critic/0/trace')


@pytest.mark.parametrize('name', ['train', 'predict', 'verify'])
def test_an_edited_model_is_refused_by_every_program(
    name: str,
    trained: Path,
    program: Callable[..., Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The train command refuses it before it writes anything."""
    make, before = mlp.MLP.__init__, (trained / 'status.json').read_bytes()

    def edited(self: mlp.MLP, *args: Any, **kwargs: Any) -> None:
        make(self, *args, **kwargs)
        vars(self)['scale'] = nnx.Param(jnp.ones(3))

    monkeypatch.setattr(mlp.MLP, '__init__', edited)
    arguments = {
        'train': [f'--gin_file={trained}/config.gin', f'--run={trained}', '--gin_bindings=STEPS = 20'],
        'predict': [str(trained), '--overwrite'],
        'verify': [str(trained), '--from=10'],
    }[name]
    code, out, err = program(name, *arguments)
    assert code == 2, out + err
    assert err.count('error: ') == 1
    assert 'params/scale: not stored, now float32 [3]' in err
    assert (trained / 'status.json').read_bytes() == before
