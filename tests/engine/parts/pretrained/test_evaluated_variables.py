"""From a run, a training takes what the run evaluates: at step 0, both evaluate the same, to the bit."""

import math
from functools import partial
from pathlib import Path
from typing import Any

import jax
import numpy as np
import optax
import pytest
from flax import nnx

from engine.errors import UserError
from engine.parts.pretrained import Pretrained, variable_names
from engine.sharding import Jit
from engine.training.batches.on_device import OnDevice
from engine.training.checkpointing.checkpoints import Checkpoints
from engine.training.logs.metrics import merged
from engine.training.steps import StepFunctions, compiled
from tests.engine import tiny

MESH = Jit(data=1)
SOURCE = OnDevice(tiny.examples(7), tiny.order(7, 4, seed=0), MESH)
schedule_free = partial(optax.contrib.schedule_free_sgd, warmup_steps=0)
TASKS: dict[str, dict[str, Any]] = {
    'plain': {},
    'average': {'ema_decay': 0.5},
    'schedule-free': {'optimizer': schedule_free},
}


class Normalised(nnx.Module):
    """The smallest network with statistics."""

    def __init__(self, input_shape: tuple[int, ...], outputs: int, rngs: nnx.Rngs):
        self.hidden = nnx.Linear(math.prod(input_shape), 8, rngs=rngs)
        self.norm = nnx.BatchNorm(8, momentum=0.5, rngs=rngs)
        self.output = nnx.Linear(8, outputs, rngs=rngs)

    def __call__(self, x: jax.Array) -> jax.Array:
        return self.output(nnx.relu(self.norm(self.hidden(x.reshape(len(x), -1)))))


def functions(kind: str) -> StepFunctions:
    task = tiny.classification(Normalised, **TASKS[kind])
    return StepFunctions(task.bind(tiny.SPEC), MESH, seed=0)


def evaluated(made: StepFunctions, state: Any) -> dict[str, float]:
    """Returns the metrics of a state, by the compiled program of evaluation."""
    program = compiled(made.trace(SOURCE, tiny.batch(4), [1]).evaluate)
    return merged([program(state, tiny.batch(4))])


@pytest.fixture(scope='module')
def runs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[Path, dict[str, float], Any]]:
    """For each kind of task, a run of three steps: its folder, its evaluation and its last state."""
    made = {}
    for kind in TASKS:
        steps, folder = functions(kind), tmp_path_factory.mktemp(kind)
        program, state = compiled(steps.trace(SOURCE, tiny.batch(4), [1]).train_steps[1]), steps.init()
        for step in range(3):
            state, _ = program(state, SOURCE.inputs(step, 1), np.int32(step))
        with Checkpoints(folder / 'checkpoints') as checkpoints:
            checkpoints.save('best', 3, state)
        made[kind] = folder, evaluated(steps, state), jax.device_get(state)
    return made


@pytest.mark.parametrize('target', TASKS)
@pytest.mark.parametrize('kind', TASKS)
def test_the_first_evaluation_is_that_of_the_source(kind: str, target: str, runs: Any) -> None:
    folder, expected, _ = runs[kind]
    made = functions(target)
    assert evaluated(made, made.init(Pretrained(source=str(folder)))) == expected


def test_the_average_differs_from_the_parameters(runs: Any) -> None:
    """The test above would pass for any parameters if all were the same."""
    for kind in ('average', 'schedule-free'):
        folder, expected, state = runs[kind]
        others = functions('plain').init()
        assert evaluated(functions('plain'), others | {'params': state['params']}) != expected
        source = Pretrained(source=str(folder), params='params', missing=('.',))
        loaded = variable_names.of_model(source.load(functions('plain').model_shapes))
        assert loaded['output/kernel'].tolist() == state['params']['output']['kernel'].tolist()


def test_averages_and_optimizers_begin_from_the_loaded_parameters(runs: Any) -> None:
    source = Pretrained(source=str(runs['plain'][0]))
    params = runs['plain'][2]['params']
    state = jax.device_get(functions('average').init(source))
    jax.tree.map(np.testing.assert_array_equal, [state['params'], state['ema_params']], [params, params])
    state = jax.device_get(functions('schedule-free').init(source))
    jax.tree.map(np.testing.assert_array_equal, [state['params'], state['opt_state'].z], [params, params])


def test_what_is_not_loaded_is_initialised_as_without_a_source(runs: Any) -> None:
    made = functions('plain')
    plain, state = made.init(), made.init(Pretrained(source=str(runs['plain'][0]), only=('^hidden/',)))
    jax.tree.map(np.testing.assert_array_equal, plain['params']['output'], state['params']['output'])
    assert plain['params']['hidden']['kernel'].tolist() != state['params']['hidden']['kernel'].tolist()


def test_loaded_parameters_are_not_initialised_first(runs: Any) -> None:
    """The program that makes the first state draws no random numbers where all parameters are loaded."""
    made = functions('plain')
    loaded = Pretrained(source=str(runs['plain'][0])).load(made.model_shapes)
    for variables, draws in ((loaded, False), (None, True)):
        text = jax.jit(made._first_state).lower(variables).compile().as_text()
        assert ('xor' in (text or '')) == draws


# Where Orbax fails to read a damaged file, it closes its event loop before the other reads have ended.
@pytest.mark.filterwarnings('ignore::pytest.PytestUnraisableExceptionWarning')
def test_checkpoints_are_chosen_and_damage_is_named(runs: Any, tmp_path: Path) -> None:
    state = runs['plain'][2]
    with Checkpoints(tmp_path / 'checkpoints') as checkpoints:
        for step in (1, 2):
            checkpoints.save('latest', step, state)
            checkpoints.wait()
    shapes = functions('plain').model_shapes
    # Without a best checkpoint, a run is evaluated by its last one.
    for which, step in (('best', 2), ('latest', 2), (1, 1)):
        source = Pretrained(source=str(tmp_path), checkpoint=which)  # type: ignore[arg-type]
        assert source.check(shapes).startswith(f'from {tmp_path}/checkpoints/latest/{step}, ')
        assert source.origin().items() >= {'checkpoint': 'latest', 'step': step}.items()
    with pytest.raises(UserError, match=r'has no such step\. Saved are best: none; latest: \[1, 2\]'):
        Pretrained(source=str(tmp_path), checkpoint=7).check(shapes)
    with pytest.raises(UserError, match=r"no such tree. Did you mean 'params'"):
        Pretrained(source=str(tmp_path), params='param').check(shapes)
    largest = tmp_path / 'checkpoints/latest/2/default/state.safetensors'
    content = bytearray(largest.read_bytes())
    content[len(content) // 2] ^= 1
    largest.write_bytes(content)
    with pytest.raises(UserError, match=r'latest/2 is damaged: .* has changed. Choose another one'):
        Pretrained(source=str(tmp_path)).origin()
    assert Pretrained(source=str(tmp_path), checkpoint=1).origin()['step'] == 1
    (tmp_path / 'empty' / 'checkpoints').mkdir(parents=True)
    with pytest.raises(UserError, match='has no checkpoint yet'):
        Pretrained(source=str(tmp_path / 'empty')).check(shapes)


def test_another_tree_and_averages_of_modules(tmp_path: Path) -> None:
    """`params` names a tree, with model state or without; `ema_<module>` counts as what is evaluated."""
    one = {'net': {'w': np.zeros(2, np.float32)}}
    state = {
        'params': {'generator': one, 'discriminator': one},
        'model_state': {'generator': {'mean': np.zeros(1, np.float32)}, 'discriminator': {}},
        'ema_generator': {
            'params': {'net': {'w': np.ones(2, np.float32)}},
            'model_state': {'mean': np.ones(1, np.float32)},
        },
        'teacher': {'net': {'w': np.full(2, 7, np.float32)}},
    }
    with Checkpoints(tmp_path / 'checkpoints') as checkpoints:
        checkpoints.save('best', 1, state)
    shapes: Any = {name: state[name] for name in ('params', 'model_state')}
    loaded = variable_names.of_model(
        Pretrained(source=str(tmp_path)).load(MESH.state(jax.eval_shape(lambda: shapes)))
    )
    assert {name: array.tolist() for name, array in loaded.items()} == {
        'generator/net/w': [1, 1],
        'generator/mean': [1],
        'discriminator/net/w': [0, 0],
    }
    network: Any = MESH.state(jax.eval_shape(lambda: {'params': one, 'model_state': {}}))
    for tree, value in (('teacher', 7), ('ema_generator', 1)):
        loaded = Pretrained(source=str(tmp_path), params=tree).load(network)
        assert loaded['params']['net']['w'].tolist() == [value, value]


def test_a_tree_without_model_state_shares_that_of_the_state(tmp_path: Path) -> None:
    """A teacher that the task evaluates with the batch statistics of the student."""
    norm = {'norm': {'mean': np.full(2, 3, np.float32)}}
    state = {
        'params': {'norm': {'scale': np.zeros(2, np.float32)}},
        'teacher': {'norm': {'scale': np.full(2, 7, np.float32)}},
        'model_state': norm,
    }
    with Checkpoints(tmp_path / 'checkpoints') as checkpoints:
        checkpoints.save('best', 1, state)
    shapes: Any = MESH.state(jax.eval_shape(lambda: {'params': state['params'], 'model_state': norm}))
    loaded = variable_names.of_model(Pretrained(source=str(tmp_path), params='teacher').load(shapes))
    assert {name: array.tolist() for name, array in loaded.items()} == {
        'norm/scale': [7, 7],
        'norm/mean': [3, 3],
    }
