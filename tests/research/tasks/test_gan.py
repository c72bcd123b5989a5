"""The GAN: its two steps against the same done by hand, its samples, and one step on several devices."""

from functools import cache, partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from flax import nnx

from engine.errors import UserError
from engine.interfaces import INDEX, VALID, Spec, keys_by_row
from engine.outputs import kind_folders
from engine.sharding import Jit, Parallelism, PMap
from engine.training.batches.training import from_host
from engine.training.logs.packed import unpack
from engine.training.steps import compiled, first_state
from research.models import dcgan, normalization
from research.models.mlp import MLP
from research.tasks import adversarial
from research.tasks.features import Convolutions
from research.tasks.gan import GAN
from tests.engine import tiny

BATCH = tiny.batch(8)
KEY = jax.random.key(7)


def gan(**changed: Any) -> GAN:
    settings: dict[str, Any] = {
        'generator': partial(dcgan.DCGANGenerator, width=4, stages=1),
        'discriminator': partial(dcgan.DCGANDiscriminator, width=4, stages=1),
        'loss': adversarial.NonSaturating(),
        'generator_optimizer': optax.sgd,
        'generator_learning_rate': 0.1,
        'discriminator_optimizer': optax.sgd,
        'discriminator_learning_rate': 0.2,
        'features': Convolutions('data/digits/classifier.npz'),
        'latent_dim': 3,
        'ema_decay': 0.9,
    }
    return GAN(**(settings | changed))


def started(**changed: Any) -> tuple[Any, Any]:
    """Returns a bound task and its first state."""
    bound = gan(**changed).bind(tiny.SPEC)
    return bound, jax.jit(partial(first_state, bound))(jax.random.key(0))


def stepped(bound: Any, state: Any, times: int = 1) -> tuple[Any, dict[str, float]]:
    """Returns the state and the values of the metrics after some steps on the same batch."""
    update, metrics = jax.jit(bound.update), {}
    for step in range(times):
        state, metrics = update(state, BATCH, jax.random.fold_in(KEY, step))
    return state, {name: float(each.total / each.count) for name, each in metrics.items()}


def close(one: Any, other: Any, tolerance: float = 1e-5) -> None:
    jax.tree.map(partial(np.testing.assert_allclose, rtol=tolerance, atol=tolerance), one, other)


def largest(tree: Any) -> float:
    return max(float(np.abs(leaf).max()) for leaf in jax.tree.leaves(tree))


def plain(**changed: Any) -> Any:
    """Without normalisation, so that a step by hand is short."""
    return started(
        generator=partial(dcgan.DCGANGenerator, width=4, stages=1, normalization=normalization.none),
        discriminator=partial(MLP, width=8),
        **changed,
    )


@pytest.mark.parametrize('steps', [1, 2])
def test_a_step_is_k_of_the_discriminator_each_on_its_part_then_one_of_the_generator(steps: int) -> None:
    bound, state = plain(discriminator_steps=steps)
    after, metrics = stepped(bound, state)
    key = jax.random.fold_in(KEY, 0)
    seen = bound.debug_inputs(BATCH, key)
    generator, discriminator = state['params']['generator'], state['params']['discriminator']

    def draw(params: Any, latents: Any) -> Any:
        return bound.generator.network(params, {}, latents)[0]

    def logit(params: Any, images: Any) -> Any:
        return bound.discriminator.network(params, {}, images)[0][:, 0]

    def descend(loss: Any, params: Any, rate: float) -> Any:
        return jax.tree.map(lambda old, slope: old - rate * slope, params, jax.jit(jax.grad(loss))(params))

    losses, latents = [], None
    for part in range(steps):
        images, latents = seen['images'][part::steps], seen['latents'][part::steps]
        fakes = draw(generator, latents)

        def loss(params: Any, images: Any = images, fakes: Any = fakes) -> Any:
            return (
                jax.nn.softplus(-logit(params, images)).mean() + jax.nn.softplus(logit(params, fakes)).mean()
            )

        losses.append(float(loss(discriminator)))
        discriminator = descend(loss, discriminator, 0.2)

    def generator_loss(params: Any) -> Any:
        return jax.nn.softplus(-logit(discriminator, draw(params, latents))).mean()

    assert metrics['discriminator_loss'] == pytest.approx(np.mean(losses), rel=1e-4)
    assert metrics['generator_loss'] == pytest.approx(float(generator_loss(generator)), rel=1e-4)
    expected = {'generator': descend(generator_loss, generator, 0.1), 'discriminator': discriminator}
    close(after['params'], expected)
    assert after['steps'] == 1


def test_the_gradient_penalty_is_part_of_the_loss_and_mixes_row_by_row() -> None:
    bound, state = plain(loss=adversarial.Wasserstein(gradient_penalty=3.0))
    params = state['params']['discriminator']
    part = {'images': jnp.ones((8, 4, 4, 1)), 'fakes': -jnp.ones((8, 4, 4, 1)), INDEX: BATCH[INDEX]}
    mean, (metrics, _) = bound._discriminator_loss(params, {}, part, KEY)
    shares = [jax.random.uniform(key) for key in keys_by_row(jax.random.split(KEY, 3)[2], BATCH)]
    for index, share in enumerate(shares):
        mixed = jnp.full((1, 4, 4, 1), 1 - 2 * share)
        slope = jax.grad(lambda x: bound.discriminator.network(params, {}, x)[0].sum())(mixed)
        expected = float((jnp.linalg.norm(slope.ravel()) - 1) ** 2)
        assert metrics['gradient_penalty'][index] == pytest.approx(expected, rel=1e-3, abs=1e-5)
    logits = metrics['fake_logit'] - metrics['real_logit']
    assert mean == pytest.approx(float((logits + 3 * metrics['gradient_penalty']).mean()), rel=1e-5)


@pytest.mark.parametrize(
    ('loss', 'norm'),
    [
        (adversarial.NonSaturating(), normalization.spectral),
        (adversarial.Hinge(), normalization.none),
        (adversarial.LeastSquares(), normalization.batch),
        (adversarial.Wasserstein(), normalization.layer),
    ],
)
def test_each_loss_and_normalisation_trains_both(loss: Any, norm: Any) -> None:
    bound, state = started(
        generator=partial(dcgan.DCGANGenerator, width=4, stages=1, normalization=norm),
        discriminator=partial(dcgan.DCGANDiscriminator, width=4, stages=1, normalization=norm),
        loss=loss,
        discriminator_steps=2,
        generator_optimizer=optax.adam,
        discriminator_optimizer=optax.adam,
    )
    after, metrics = stepped(bound, state)
    assert np.isfinite(list(metrics.values())).all()
    moved = jax.tree.map(lambda a, b: float(np.abs(a - b).max()), state['params'], after['params'])
    # Wasserstein and hinge losses leave the discriminator's last bias where it is: it adds to both logits.
    shared = [moved['discriminator'].pop('output', None)]
    assert min(jax.tree.leaves(moved)) > 1e-4
    assert largest(shared) > 1e-4


def test_the_average_follows_the_generator() -> None:
    bound, state = started()
    after, _ = stepped(bound, state)
    for name in ('params', 'model_state'):
        before, latest = state[name]['generator'], after[name]['generator']
        expected = jax.tree.map(lambda a, b: 0.9 * a + 0.1 * b, before, latest)
        close(after['ema_generator'][name], expected, 1e-6)
    assert largest(jax.tree.map(jnp.subtract, state['model_state'], after['model_state'])) > 0


def test_samples_are_drawn_by_the_average_generator() -> None:
    bound, state = started()
    changed = jax.tree.map(lambda leaf: leaf + 1, state['params'])
    samples = bound.predict(state, BATCH)['samples']
    np.testing.assert_array_equal(bound.predict(state | {'params': changed}, BATCH)['samples'], samples)
    other = bound.predict(
        state | {'ema_generator': jax.tree.map(lambda x: x / 2, state['ema_generator'])}, BATCH
    )
    assert not np.array_equal(other['samples'], samples)


def test_a_sample_depends_on_its_place_alone() -> None:
    bound, state = started()
    predict = jax.jit(bound.predict)
    together = predict(state, BATCH)
    assert len(np.unique(together['samples'], axis=0)) == 8
    np.testing.assert_array_equal(predict(state, BATCH)['samples'], together['samples'])
    alone = predict(state, {name: array[[5]] for name, array in BATCH.items()})
    assert np.abs(alone['samples'][0].astype(int) - together['samples'][5].astype(int)).max() <= 1
    other_images = BATCH | {'image': 255 - BATCH['image']}
    np.testing.assert_array_equal(predict(state, other_images)['samples'], together['samples'])


def test_predictions_are_known_to_the_outputs_format() -> None:
    bound, state = started()
    predicted = bound.predict(state, BATCH)
    described = bound.describe()
    assert described.predictions.keys() == predicted.keys()
    fields = kind_folders.declaration(described.kind).arrays
    for name, array in predicted.items():
        assert array.dtype == fields[name].dtype
    extractor = bound.task.features
    assert described.details == extractor.describe()
    close(predicted['features'], extractor(predicted['samples']))
    close(predicted['reference_features'], extractor(BATCH['image']))


@pytest.mark.parametrize('valid', [[1] * 8, [1, 1, 1, 0, 0, 0, 0, 0]])
def test_evaluation_is_fixed_and_counts_the_valid_examples_alone(valid: list[int]) -> None:
    bound, state = plain()
    mask: Any = np.array(valid, bool)
    evaluate = jax.jit(bound.evaluate)
    metrics = evaluate(state, BATCH | {VALID: mask})
    jax.tree.map(np.testing.assert_array_equal, evaluate(state, BATCH | {VALID: mask}), metrics)
    params, samples = state['params']['discriminator'], bound._samples(state, BATCH)
    images = np.asarray(BATCH['image'], np.float32) / 127.5 - 1
    real, fake = (
        np.asarray(bound.discriminator.network(params, {}, x)[0])[mask, 0] for x in (images, samples)
    )
    expected = {
        'discriminator_loss': np.log1p(np.exp(-real)) + np.log1p(np.exp(fake)),
        'generator_loss': np.log1p(np.exp(-fake)),
        'real_logit': real,
        'fake_logit': fake,
        'discriminator_accuracy': real > fake,
    }
    assert metrics.keys() == expected.keys()
    for name, values in expected.items():
        assert float(metrics[name].count) == mask.sum()
        assert metrics[name].total == pytest.approx(values.sum(), rel=1e-4, abs=1e-5)


def test_latents_are_drawn_row_by_row_anew_in_each_step() -> None:
    bound, _ = started()
    latents = [np.asarray(bound.debug_inputs(BATCH, jax.random.key(seed))['latents']) for seed in (0, 0, 1)]
    np.testing.assert_array_equal(latents[0], latents[1])
    assert not np.isin(latents[0], latents[2]).any()
    part = {name: array[4:] for name, array in BATCH.items()}
    np.testing.assert_array_equal(bound.debug_inputs(part, jax.random.key(0))['latents'], latents[0][4:])


def test_schedules_count_training_steps() -> None:
    halved = optax.linear_schedule(1.0, 0.0, 2)
    bound, state = plain(
        generator_learning_rate=halved, discriminator_learning_rate=halved, discriminator_steps=2
    )
    first, metrics = stepped(bound, state)
    assert {metrics[f'{name}_learning_rate'] for name in ('generator', 'discriminator')} == {1.0}
    _, metrics = stepped(bound, first)
    assert {metrics[f'{name}_learning_rate'] for name in ('generator', 'discriminator')} == {0.5}
    over, _ = stepped(bound, state, times=2)
    close(stepped(bound, over)[0]['params'], over['params'], 0)


def test_a_batch_that_does_not_divide_is_refused() -> None:
    bound, state = plain(discriminator_steps=3)
    with pytest.raises(UserError, match='discriminator_steps = 3 does not divide a batch of 8 examples'):
        bound.update(state, BATCH, KEY)


def test_data_without_images_are_refused() -> None:
    with pytest.raises(UserError, match="a GAN needs the field 'image'; the dataset has: sound"):
        gan().bind(Spec({'sound': jax.ShapeDtypeStruct((9,), np.float32)}))


def step_on(devices: Parallelism, bound: Any, state: Any) -> Any:
    """Returns state and values of metrics after one training step on some devices, on the host."""
    source = from_host(tiny.examples(16), tiny.order(16, 8, seed=0), devices)
    update = compiled(tiny.traced(bound, devices, source, 8, 1).train_steps[1])
    given = jax.device_put(state, jax.tree.map(lambda leaf: leaf.sharding, devices.state(state)))
    state, metrics = jax.device_get(update(given, source.inputs(0, 1), np.int32(0)))
    return state, {name: total / count for name, (total, count) in unpack([metrics]).items()}


@cache
def on_one_device(loss: Any, norm: Any) -> Any:
    """Returns a bound task, its first state and what a step on one device makes of it."""
    bound, first = started(
        discriminator=partial(dcgan.DCGANDiscriminator, width=4, stages=1, normalization=norm),
        loss=loss,
        discriminator_steps=2,
    )
    first = jax.device_get(first)
    return bound, first, step_on(Jit(data=1), bound, first)


@pytest.mark.parametrize('devices', [Jit(), Jit(fsdp=2), PMap()], ids=str)
@pytest.mark.parametrize(
    ('loss', 'norm'),
    [(adversarial.Hinge(), normalization.batch), (adversarial.Wasserstein(), normalization.spectral)],
)
def test_a_step_on_two_devices_is_the_step_on_one(loss: Any, norm: Any, devices: Parallelism) -> None:
    bound, first, one = on_one_device(loss, norm)
    two = step_on(devices, bound, first)
    jax.tree.map(partial(np.testing.assert_allclose, rtol=0, atol=1e-5), one, two)


def test_its_models_are_the_averaged_generator_and_the_discriminator() -> None:
    bound, state = started()
    state |= {'ema_generator': jax.tree.map(lambda leaf: leaf / 2, state['ema_generator'])}
    models = bound.evaluation_model(state)
    params = {name: nnx.to_pure_dict(nnx.state(model, nnx.Param)) for name, model in models.items()}
    close(params['generator'], state['ema_generator']['params'], 0)
    close(params['discriminator'], state['params']['discriminator'], 0)
    assert models['generator'](jnp.zeros((2, 3))).shape == (2, 4, 4, 1)
