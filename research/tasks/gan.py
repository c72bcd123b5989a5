"""Generative adversarial networks: Goodfellow et al. 2014, https://arxiv.org/abs/1406.2661."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import optax
from flax import nnx

from engine.errors import UserError
from engine.interfaces import INDEX, VALID, Batch, Description, Metrics, Spec, State, average, keys_by_row
from engine.network import Loss, Network, gradients
from research.tasks import adversarial
from research.tasks.features import Extractor

LearningRate = float | Callable[[Any], Any]  # a number, or a schedule: training step -> number


@dataclass(frozen=True, kw_only=True)
class GAN:
    """A generator that learns to draw images like those of the field `image`, uint8 [H, W, C].

    A training step is some of the discriminator and then one of the generator. Each step of the discriminator
    has a part of the batch for itself, and as many generated images; that of the generator draws as many from
    the last part's latent vectors again. So it is in compare_gan, https://github.com/google/compare_gan.

    Args:
      generator: called with latent, image_shape and rngs; maps f32 [B, latent] to images f32 [B, H, W, C]
        between -1 and 1.
      discriminator: called with input_shape, classes=1 and rngs; maps images f32 [B, H, W, C] to logits
        f32 [B, 1]. Any classifier will do.
      loss: what the two minimise.
      generator_optimizer: makes the optimizer from a learning rate, as `optax.adam` does.
      generator_learning_rate: a number or a schedule.
      discriminator_optimizer: the same for the discriminator.
      discriminator_learning_rate: a number or a schedule.
      features: of images, in which generated and real ones are compared.
      discriminator_steps: for each step of the generator.
      latent: length of the vectors that images are drawn from, normally distributed.
      average: decay per step of the exponential moving average of the generator, by which evaluation and
        prediction draw; 0 has them draw by the last one. Yazici et al. 2019, https://arxiv.org/abs/1806.04498.
    """

    generator: Callable[..., nnx.Module]
    discriminator: Callable[..., nnx.Module]
    loss: adversarial.Loss
    generator_optimizer: Callable[..., optax.GradientTransformation]
    generator_learning_rate: LearningRate
    discriminator_optimizer: Callable[..., optax.GradientTransformation]
    discriminator_learning_rate: LearningRate
    features: Extractor
    discriminator_steps: int = 1
    latent: int = 64
    average: float = 0.999

    def bind(self, spec: Spec) -> 'BoundGAN':
        """Returns the task for one dataset, its models built abstractly."""
        if 'image' not in spec.example:
            fields = ', '.join(spec.example)
            raise UserError(f"a GAN needs the field 'image'; the dataset has: {fields}.")
        shape = spec.example['image'].shape
        generator = partial(self.generator, latent=self.latent, image_shape=shape)
        discriminator = partial(self.discriminator, input_shape=shape, classes=1)
        # Optax counts the steps of an optimizer, of which that of the discriminator takes more.
        rate = _slowed(self.discriminator_learning_rate, self.discriminator_steps)
        return BoundGAN(
            self,
            _player('generator', generator, self.generator_optimizer, self.generator_learning_rate),
            _player('discriminator', discriminator, self.discriminator_optimizer, rate),
        )


def _slowed(rate: LearningRate, times: int) -> LearningRate:
    return (lambda steps: rate(steps // times)) if callable(rate) else rate


@dataclass(frozen=True)
class Player:
    """One of the two: its network, its optimizer, and its part of the state."""

    name: str
    network: Network
    optimizer: optax.GradientTransformation
    learning_rate: LearningRate

    def init(self, key: jax.Array) -> State:
        """Returns its first params, rest and optimizer."""
        params, rest = self.network.init(key)
        return {'params': params, 'rest': rest, 'optimizer': self.optimizer.init(params)}

    def __call__(self, state: State, x: jax.Array, key: jax.Array | None = None) -> jax.Array:
        """Returns what its network makes of x; a key means training."""
        return self.network(state['params'], state['rest'], x, key)[0]

    def learn(self, state: State, loss: Loss, part: Batch, key: jax.Array) -> tuple[State, Metrics]:
        """Returns its state after one step of its optimizer on the mean loss, and that step's metrics."""
        found, measures, rest = gradients(loss, state['params'], state['rest'], part, key)
        updates, optimizer = self.optimizer.update(found, state['optimizer'], state['params'])
        params = optax.apply_updates(state['params'], updates)
        metrics = {name: average(values) for name, values in measures.items()}
        metrics[f'{self.name}_gradient_norm'] = average(optax.tree.norm(found)[None])
        return {'params': params, 'rest': rest, 'optimizer': optimizer}, metrics

    def rate(self, steps: jax.Array) -> Metrics:
        """Returns its learning rate after so many steps of its own."""
        rate = self.learning_rate(steps) if callable(self.learning_rate) else self.learning_rate
        return {f'{self.name}_learning_rate': average(jnp.asarray(rate, float)[None])}


def _player(
    name: str,
    model: Callable[..., nnx.Module],
    optimizer: Callable[..., optax.GradientTransformation],
    learning_rate: LearningRate,
) -> Player:
    network = Network(lambda rngs: model(rngs=rngs))
    return Player(name, network, optimizer(learning_rate), learning_rate)


@dataclass(frozen=True)
class BoundGAN:
    """A GAN bound to its data.

    State: params, rest and optimizer, each of `generator` and `discriminator`; average, params and rest of
    the generator; steps, int32.
    """

    task: GAN
    generator: Player
    discriminator: Player

    def init(self, key: jax.Array) -> State:
        """Returns the first state."""
        one, other = jax.random.split(key)
        generator, discriminator = self.generator.init(one), self.discriminator.init(other)
        first = {name: generator[name] for name in ('params', 'rest')}
        return _both(generator, discriminator) | {'average': first, 'steps': jnp.zeros((), jnp.int32)}

    def update(self, state: State, batch: Batch, key: jax.Array) -> tuple[State, Metrics]:
        """Returns the state after the steps of the discriminator and the one of the generator."""
        generator, discriminator = _of(state, 'generator'), _of(state, 'discriminator')
        parts, found = self._parts(batch, key), []
        step_key = jax.random.split(key)[1]
        for index, part in enumerate(parts):  # no loop of XLA's: on a CPU they use one thread
            one, other = jax.random.split(jax.random.fold_in(step_key, index))
            seen = {**part, 'fakes': self.generator(generator, part['latents'], one)}
            discriminator, metrics = self.discriminator.learn(
                discriminator, self._discriminator_loss, seen, other
            )
            found.append(metrics)
        loss = partial(self._generator_loss, discriminator)
        generator, metrics = self.generator.learn(
            generator, loss, parts[-1], jax.random.fold_in(step_key, len(parts))
        )
        steps = state['steps']
        metrics |= jax.tree.map(lambda *each: sum(each), *found)
        metrics |= self.generator.rate(steps) | self.discriminator.rate(steps * len(parts))
        latest = {name: generator[name] for name in state['average']}
        return _both(generator, discriminator) | {
            'average': optax.incremental_update(latest, state['average'], 1 - self.task.average),
            'steps': steps + 1,
        }, metrics

    def _parts(self, batch: Batch, key: jax.Array) -> list[Batch]:
        """Returns what each step of the discriminator sees: images, latents and index."""
        count, rows = self.task.discriminator_steps, len(batch[INDEX])
        if rows % count:
            raise UserError(
                f'GAN.discriminator_steps = {count} do not share {rows} examples evenly: '
                f'bind a batch size that is a multiple of {count}, on each device.'
            )
        seen = self.inputs(batch, key) | {INDEX: batch[INDEX]}
        # Part i takes rows i, i + count, ...: of each device its own, so that nothing moves between them.
        return [
            {name: x.reshape(-1, count, *x.shape[1:])[:, part] for name, x in seen.items()}
            for part in range(count)
        ]

    def _discriminator_loss(
        self, params: State, rest: State, part: Batch, key: jax.Array
    ) -> tuple[jax.Array, tuple[dict[str, jax.Array], State]]:
        keys, network, loss = jax.random.split(key, 3), self.discriminator.network, self.task.loss
        # In two calls: with batch normalisation, real and generated images have statistics of their own.
        real, rest = network(params, rest, part['images'], keys[0])
        fake, rest = network(params, rest, part['fakes'], keys[1])
        losses = loss.discriminator(real[:, 0], fake[:, 0])
        measures = {'real_logit': real[:, 0], 'fake_logit': fake[:, 0]}
        if loss.gradient_penalty:
            shares = jax.vmap(jax.random.uniform)(keys_by_row(keys[2], part))
            measures['gradient_penalty'] = adversarial.gradient_penalty(
                lambda images: network(params, rest, images, keys[2])[0][:, 0],
                part['images'],
                part['fakes'],
                shares,
            )
            losses += loss.gradient_penalty * measures['gradient_penalty']
        return losses.mean(), (measures | {'discriminator_loss': losses}, rest)

    def _generator_loss(
        self, discriminator: State, params: State, rest: State, part: Batch, key: jax.Array
    ) -> tuple[jax.Array, tuple[dict[str, jax.Array], State]]:
        one, other = jax.random.split(key)
        fakes, rest = self.generator.network(params, rest, part['latents'], one)
        losses = self.task.loss.generator(self.discriminator(discriminator, fakes, other)[:, 0])
        return losses.mean(), ({'generator_loss': losses}, rest)

    def inputs(self, batch: Batch, key: jax.Array) -> dict[str, jax.Array]:
        """Returns images f32 [B, H, W, C] between -1 and 1 and latents f32 [B, latent]."""
        return {'images': _scaled(batch['image']), 'latents': self._latents(batch, jax.random.split(key)[0])}

    def evaluate(self, state: State, batch: Batch) -> Metrics:
        """Returns losses and logits for images and as many samples.

        `told_apart` is the share of images with a higher logit than the sample beside them: 0.5 if the
        discriminator cannot tell.
        """
        discriminator = _of(state, 'discriminator')
        real = self.discriminator(discriminator, _scaled(batch['image']))[:, 0]
        fake = self.discriminator(discriminator, self._samples(state, batch))[:, 0]
        measures = {
            'discriminator_loss': self.task.loss.discriminator(real, fake),
            'generator_loss': self.task.loss.generator(fake),
            'real_logit': real,
            'fake_logit': fake,
            'told_apart': (real > fake).astype(float),
        }
        return {name: average(values, batch[VALID]) for name, values in measures.items()}

    def predict(self, state: State, batch: Batch) -> dict[str, jax.Array]:
        """Returns a sample for each image; it depends on the place alone: all splits begin with the same."""
        samples = jnp.round((self._samples(state, batch) + 1) * 127.5).astype(jnp.uint8)
        return {
            'samples': samples,
            'features': self.task.features(samples),
            'reference_features': self.task.features(batch['image']),
        }

    def describe(self) -> Description:
        """Returns what the outputs manifest says of the predictions."""
        return Description(
            kind='generation',
            predictions={
                'samples': 'generated images',
                'features': 'of the samples, by the extractor',
                'reference_features': "of the field 'image' of the dataset, by the extractor",
            },
            details=self.task.features.describe(),
        )

    def _samples(self, state: State, batch: Batch) -> jax.Array:
        """Returns an image for each place, f32 [B, H, W, C], by the average generator."""
        return self.generator(state['average'], self._latents(batch, jax.random.key(0)))

    def _latents(self, batch: Batch, key: jax.Array) -> jax.Array:
        draw = partial(jax.random.normal, shape=(self.task.latent,))
        return jax.vmap(draw)(keys_by_row(key, batch))


def _both(generator: State, discriminator: State) -> State:
    """Returns the states of the two as params, rest and optimizer, each of both."""
    return {name: {'generator': generator[name], 'discriminator': discriminator[name]} for name in generator}


def _of(state: State, player: str) -> State:
    return {name: state[name][player] for name in ('params', 'rest', 'optimizer')}


def _scaled(images: jax.Array) -> jax.Array:
    return images / 127.5 - 1
