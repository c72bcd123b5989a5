"""A Linen module as the model of a task, bound by a config or in Python."""

from functools import partial
from pathlib import Path
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from flax import nnx

from engine.checks import catalogue
from engine.checks.experiment_under_test import ExperimentUnderTest
from engine.checks.finding import PASS
from engine.errors import UserError
from engine.interfaces import INDEX, VALID, Spec
from engine.network import Network
from engine.parts.augmentation import Shift
from engine.parts.classification import Classification
from engine.parts.language import Language
from engine.parts.linen import Linen
from engine.training import steps, trainer
from engine.training.experiment import Experiment
from tests.engine import tiny
from tests.engine.eight_devices import printed_lines
from tests.engine.parts.linen import modules
from tests.engine.training.equal_runs import assert_equal, stop_after

NAMES = {'outputs': 'num_classes'}
CONVNET = Linen(module=modules.ConvNet, names=NAMES)


def test_training_equals_a_plain_loop_with_linen() -> None:
    """Loss and statistics of three steps of SGD."""
    bound = tiny.classification(CONVNET, optimizer=optax.sgd, learning_rate=0.1).bind(tiny.SPEC)
    state: Any = steps.first_state(bound, jax.random.key(0))
    module, images = modules.ConvNet(num_classes=3), jnp.asarray(tiny.batch(16)['image'], jnp.float32)
    labels = tiny.batch(16)['label']
    plain = jax.device_get((state['params'], state['model_state']))
    update = jax.jit(bound.update)

    @jax.jit
    @partial(jax.value_and_grad, has_aux=True)
    def loss(params: Any, statistics: Any) -> Any:
        variables = {'params': params, 'batch_stats': statistics}
        logits, new = module.apply(variables, images / 127.5 - 1, train=True, mutable=['batch_stats'])
        log_probs = jax.nn.log_softmax(logits)
        return -log_probs[jnp.arange(16), labels].mean(), new['batch_stats']

    for step in range(3):
        state, metrics = update(state, tiny.batch(16), jax.random.key(step))
        (expected, statistics), gradient = loss(*plain)
        plain = jax.tree.map(lambda p, g: p - 0.1 * g, plain[0], gradient), statistics
        assert float(metrics['loss'].total / metrics['loss'].count) == pytest.approx(
            float(expected), abs=1e-6
        )
        jax.tree.map(partial(np.testing.assert_allclose, atol=1e-6), state['params'], plain[0])
        jax.tree.map(partial(np.testing.assert_allclose, atol=1e-6), state['model_state'], plain[1])


def build(linen: Linen, **stated: Any) -> nnx.Module:
    return linen(rngs=nnx.Rngs(0), **stated)


def test_fields_get_what_the_task_states_under_their_own_names() -> None:
    class Shaped(nn.Module):
        outputs: int
        input_shape: tuple[int, ...]

        @nn.compact
        def __call__(self, x: jax.Array) -> jax.Array:
            assert x.shape[1:] == self.input_shape
            return nn.Dense(self.outputs)(x)

    model: Any = build(Linen(module=Shaped), input_shape=(5,), outputs=2)
    assert model.Dense_0.kernel.shape == (5, 2)


def test_a_function_or_a_module_of_flax_serves() -> None:
    def make(outputs: int) -> nn.Module:
        return nn.Sequential([nn.Dense(7), nn.relu, nn.Dense(outputs)])

    model: Any = build(Linen(module=make), input_shape=(5,), outputs=2)
    assert model.layers_2.kernel.shape == (7, 2)
    model = build(Linen(module=nn.Dense, names={'outputs': 'features'}), input_shape=(5,), outputs=2)
    assert model.kernel.shape == (5, 2)


def test_inputs_of_several_arrays_and_other_dtypes() -> None:
    class Two(nn.Module):
        @nn.compact
        def __call__(self, x: dict[str, jax.Array]) -> jax.Array:
            return nn.Embed(9, 4)(x['token']) + nn.Dense(4)(x['features'])

    shapes = {'token': jax.ShapeDtypeStruct((), jnp.int32), 'features': (6,)}
    model: Any = build(Linen(module=Two), input_shape=shapes)
    assert model.Dense_0.kernel.shape == (6, 4)
    assert model({'token': jnp.arange(3), 'features': jnp.ones((3, 6))}).shape == (3, 4)


def test_an_input_of_another_name() -> None:
    linen = Linen(module=nn.Dense, names={'image_shape': 'features'}, input='latent_dim')
    model: Any = build(linen, latent_dim=5, image_shape=2)
    assert model.kernel.shape == (5, 2)


def test_a_module_whose_mode_is_a_field() -> None:
    network = Network(lambda rngs: Linen(module=modules.ByField)(input_shape=(6,), rngs=rngs))
    ones = jnp.ones((64, 6))
    assert (network({}, {}, ones)[0] == 1).all()
    assert (network({}, {}, ones, jax.random.key(0))[0] == 0).any()


def test_a_language_model_of_linen() -> None:
    task = Language(model=Linen(module=modules.Tokens), optimizer=optax.sgd, learning_rate=0.1)
    text = np.random.default_rng(0).integers(1, 256, (4, 5)).astype(np.uint8)
    bound = task.bind(
        Spec({'text': jax.ShapeDtypeStruct((5,), np.uint8), 'length': jax.ShapeDtypeStruct((), np.int32)})
    )
    state = steps.first_state(bound, jax.random.key(0))
    batch: Any = {'text': text, 'length': np.full(4, 5, np.int32), INDEX: np.arange(4, dtype=np.int32)}
    embeddings = np.asarray(state['params']['Embed_0']['embedding'])
    tokens = np.pad(text.astype(int), ((0, 0), (1, 0)))[:, :-1]
    logits = embeddings[tokens].cumsum(1) @ np.asarray(state['params']['Dense_0']['kernel'])
    log_probs = jax.nn.log_softmax(jnp.asarray(logits))
    expected = np.take_along_axis(np.asarray(log_probs), text.astype(int)[..., None], 2).sum((1, 2))
    batch[VALID] = np.ones(4, bool)
    actual = bound.predict(state, batch)['log_probs']
    np.testing.assert_allclose(actual, expected, rtol=1e-4)


MISTAKES = [
    (
        partial(build, Linen(module=modules.ConvNet), input_shape=(4, 4, 1), outputs=3),
        "ConvNet has no field 'outputs' for the task's outputs = 3. There are: dropout, num_classes, width. "
        "Bind Linen.names = {'outputs': '<field>'}.",
    ),
    (
        partial(build, Linen(module=modules.ConvNet, names={'outputs': 'num_clases'}), outputs=3),
        "ConvNet has no field 'num_clases' for the task's outputs = 3. Did you mean 'num_classes'? Bind",
    ),
    (
        partial(build, Linen(module=modules.ConvNet, names={'output': 'num_classes'}), outputs=3),
        "Linen.names: the task states no 'output'. Did you mean 'outputs'?",
    ),
    (
        partial(build, CONVNET, outputs=3),
        'A Linen module needs an input to build its parameters, and this task states neither input_shape nor '
        'length. Bind Linen.input to what states the shape, one of: outputs.',
    ),
    (
        partial(
            build, Linen(module=modules.ConvNet, names=NAMES, input='image'), outputs=3, image_shape=(4,)
        ),
        "ConvNet has no field 'image_shape' for the task's image_shape = (4,).",
    ),
    (
        partial(build, Linen(module=nn.Dense, input='image'), image_shape=(4,), features=3),
        "Dense has no field 'image_shape'",
    ),
    (
        partial(build, Linen(module=nn.Dense, input='feature'), features=3),
        "Linen.input: the task states no 'feature'. Did you mean 'features'?",
    ),
    (
        partial(Linen, module=modules.ConvNet()),  # type: ignore[arg-type]
        'Linen.module is a ConvNet, but must be its class: leave out () after ConvNet.',
    ),
    (
        partial(build, Linen(module=lambda outputs: nnx.Linear(2, outputs, rngs=nnx.Rngs(0))), outputs=3),  # type: ignore[arg-type,return-value]
        'Linen.module made a Linear, but must make a Linen module.',
    ),
]


@pytest.mark.parametrize(('action', 'message'), MISTAKES)
def test_mistakes(action: Any, message: str) -> None:
    with pytest.raises(UserError) as caught:
        action()
    assert str(caught.value).startswith(message)


CONFIG = (
    'from engine.parts import linen',
    'from tests.engine.parts.linen import modules',
    'linen.Linen.module = @modules.ConvNet',
    "linen.Linen.names = {'outputs': 'num_classes'}",
    'modules.ConvNet.width = 3',
    'modules.ConvNet.dropout = 0.5',
)
DROPPED: Any = dict.fromkeys(('model', 'mlp.MLP.width', 'mlp.MLP.dropout'), '')  # of the config of an MLP
MODEL = 'classification.Classification.model = '


@pytest.mark.slow
def test_a_config_trains_a_linen_module_and_continues_to_the_bit(
    config_file: Any, program: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = config_file(*CONFIG, f'{MODEL}@linen.Linen()', **DROPPED)
    whole, stopped = tmp_path / 'whole', tmp_path / 'stopped'
    assert program('train', f'--gin_file={config}', f'--run={whole}')[0] == 0
    with monkeypatch.context() as patch:
        patch.setattr(trainer.MetricLogger, 'log_steps', stop_after(11))
        assert program('train', f'--gin_file={config}', f'--run={stopped}')[0] == 75
    assert program('train', f'--run={stopped}')[0] == 0
    assert_equal(whole, stopped)


def test_a_config_of_a_linen_module_can_be_built(config_file: Any, program: Any) -> None:
    config = config_file(*CONFIG, f'{MODEL}@linen.Linen()', **DROPPED)
    code, _, err = program('train', f'--gin_file={config}', '--dry_run')
    assert code == 0, err


def test_a_config_without_the_import_names_it(config_file: Any, program: Any) -> None:
    config = config_file(f'{MODEL}@linen.Linen()', **DROPPED)
    _, _, err = program('train', f'--gin_file={config}', '--dry_run')
    assert "'linen' is not imported. Add `from engine.parts import linen`." in err


@pytest.mark.parametrize(
    ('model', 'message'),
    [
        ('@modules.ConvNet', 'it makes ConvNet; a Linen module comes in by engine.parts.linen'),
        ('@modules.ConvNet()', 'it makes ConvNet, which makes '),
        ('@linen.Linen', 'it is not called'),
    ],
)
def test_a_config_that_binds_the_module_itself(
    model: str, message: str, config_file: Any, program: Any
) -> None:
    config = config_file(*CONFIG, MODEL + model, **DROPPED)
    code, _, err = program('train', f'--gin_file={config}', '--dry_run')
    assert code == 2
    assert f'classification.Classification.model takes Callable[..., Module], not {model}: {message}' in err


def test_a_config_that_binds_an_instance(config_file: Any, program: Any) -> None:
    lines = (line.replace('@modules.ConvNet', '@modules.ConvNet()') for line in CONFIG)
    config = config_file(*lines, f'{MODEL}@linen.Linen()', **DROPPED)
    code, _, err = program('train', f'--gin_file={config}', '--dry_run')
    assert code == 2
    assert 'it is called where a factory is wanted: leave out ()' in err


def conformance(dropout: float) -> ExperimentUnderTest:
    task = Classification(
        model=Linen(module=partial(modules.ConvNet, width=16, dropout=dropout), names=NAMES),
        optimizer=optax.adamw,
        learning_rate=1e-2,
        augment=Shift(1),
    )
    return ExperimentUnderTest(Experiment(dataset='digits/toy', task=task, steps=100, batch_size=16))


def test_a_resumed_training_continues_to_the_bit() -> None:
    ((_, finding),) = catalogue.run(conformance(dropout=0.5), {}, ['resumes'])
    assert finding.verdict == PASS, finding.result


@pytest.mark.slow
def test_it_computes_the_same_on_several_devices() -> None:
    ((_, finding),) = catalogue.run(conformance(dropout=0.0), {}, ['devices'])
    assert finding.verdict == PASS, finding.result
    assert 'another step' not in finding.result


@pytest.mark.parametrize(('dropout', 'words'), [(0.0, ''), (0.5, 'masks of Dropout')])
def test_masks_of_dropout_differ_between_devices(dropout: float, words: str) -> None:
    linen = Linen(module=partial(modules.ConvNet, dropout=dropout), names=NAMES)
    assert tiny.classification(linen).bind(tiny.SPEC).describe().random_per_device == words


if __name__ == '__main__':  # the slow test runs this on eight devices
    for name, finding in catalogue.run(conformance(dropout=0.2), {}, catalogue.CONFORMANCE):
        print(f'{name} {finding.verdict}')


@pytest.mark.slow
def test_all_checks_pass_on_eight_devices() -> None:
    lines = printed_lines(__name__)
    assert lines == [f'{name} {PASS}' for name in catalogue.CONFORMANCE]
