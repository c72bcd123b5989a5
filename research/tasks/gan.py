"""Generative adversarial networks: Goodfellow et al. 2014, https://arxiv.org/abs/1406.2661."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import jax
import jax.numpy as jnp
import optax
from flax import nnx

from engine.errors import UserError
from engine.interfaces import INDEX, VALID, Batch, Description, Metrics, Spec, State, average, keys_by_row
from engine.parts.optimizers.extra_arguments import OptimizerFactory
from engine.parts.optimizers.learning_rate import LearningRate
from engine.parts.scaling import scaled
from research.tasks import adversarial
from research.tasks.features import Extractor
from research.tasks.trainable import Trainable

TRAINED = ('params', 'model_state', 'opt_state')  # the keys of a Trainable's state


@dataclass(frozen=True, kw_only=True)
class GAN:
    """A generator that learns to draw images like those of the field `image`, uint8 [H, W, C].

    A training step takes one or more steps of the discriminator, then one of the generator. Each
    discriminator step uses its own part of the batch and as many generated images. The generator step uses
    the latent vectors of the last part once more. compare_gan does the same:
    https://github.com/google/compare_gan.

    Args:
      generator: called with latent_dim, image_shape and rngs; maps f32 [B, latent_dim] to images f32 [B, H,
        W, C] between -1 and 1.
      discriminator: called with input_shape, outputs=1 and rngs; maps images f32 [B, H, W, C] to logits f32
        [B, 1]. Any classifier will do.
      loss: losses of discriminator and generator.
      generator_optimizer: makes the optimizer from a learning rate, as `optax.adam` does.
      generator_learning_rate: a number, or a schedule that counts training steps.
      discriminator_optimizer: makes the discriminator's optimizer.
      discriminator_learning_rate: a number, or a schedule that counts training steps.
      features: the extractor whose features compare generated and real images.
      discriminator_steps: steps of the discriminator for each step of the generator.
      latent_dim: length of the latent vectors, whose entries are drawn from a standard normal distribution.
      ema_decay: decay per step of the exponential moving average of the generator, which evaluation and
        prediction use; 0 uses the generator of the last step. Yazici et al. 2019,
        https://arxiv.org/abs/1806.04498.
    """

    generator: Callable[..., nnx.Module]
    discriminator: Callable[..., nnx.Module]
    loss: adversarial.AdversarialLoss
    generator_optimizer: OptimizerFactory
    generator_learning_rate: LearningRate
    discriminator_optimizer: OptimizerFactory
    discriminator_learning_rate: LearningRate
    features: Extractor
    discriminator_steps: int = 1
    latent_dim: int = 64
    ema_decay: float = 0.999

    def bind(self, spec: Spec) -> 'BoundGAN':
        """Returns the task for one dataset, its models built on shapes alone."""
        spec.require('a GAN', 'image')
        shape = spec.example['image'].shape
        generator = partial(self.generator, latent_dim=self.latent_dim, image_shape=shape)
        discriminator = partial(self.discriminator, input_shape=shape, outputs=1)
        # Optax counts optimizer steps, and the discriminator takes more of them than there are training
        # steps.
        rate = _by_training_step(self.discriminator_learning_rate, self.discriminator_steps)
        return BoundGAN(
            self,
            Trainable.of('generator', generator, self.generator_optimizer, self.generator_learning_rate),
            Trainable.of('discriminator', discriminator, self.discriminator_optimizer, rate),
        )


def _by_training_step(rate: LearningRate, optimizer_steps: int) -> LearningRate:
    """Returns a schedule that counts training steps as one that counts optimizer steps."""
    return (lambda steps: rate(steps // optimizer_steps)) if callable(rate) else rate


@dataclass(frozen=True)
class BoundGAN:
    """A GAN bound to its dataset.

    State: params, model_state and opt_state, each a dict of `generator` and `discriminator`; ema_generator,
    the averaged params and model_state of the generator; steps, int32 [].
    """

    task: GAN
    generator: Trainable
    discriminator: Trainable

    def init_model(self, key: jax.Array) -> tuple[State, State]:
        """Returns the first parameters and model state of both networks."""
        generator_key, discriminator_key = jax.random.split(key)
        generator = self.generator.network.init(generator_key)
        discriminator = self.discriminator.network.init(discriminator_key)
        params, model_state = (
            {'generator': one, 'discriminator': other}
            for one, other in zip(generator, discriminator, strict=True)
        )
        return params, model_state

    def init_training(self, params: State, model_state: State) -> State:
        """Returns the first state."""
        generator = self.generator.minimizer.init(params['generator'], model_state['generator'])
        discriminator = self.discriminator.minimizer.init(
            params['discriminator'], model_state['discriminator']
        )
        ema_generator = {name: generator[name] for name in ('params', 'model_state')}
        return _joined(generator, discriminator) | {
            'ema_generator': ema_generator,
            'steps': jnp.zeros((), jnp.int32),
        }

    def update(self, state: State, batch: Batch, key: jax.Array) -> tuple[State, Metrics]:
        """Returns the state after the discriminator's steps and the generator's step, and their metrics."""
        parts, step_key = self._parts(batch, key), jax.random.split(key)[1]
        discriminator, discriminator_metrics = self._discriminator_steps(state, parts, step_key)
        generator, generator_metrics = self.generator.step(
            _state_of('generator', state),
            partial(self._generator_loss, discriminator),
            parts[-1],
            jax.random.fold_in(step_key, len(parts)),
        )
        steps = state['steps']
        new_state = _joined(generator, discriminator) | {
            'ema_generator': self._ema(state, generator),
            'steps': steps + 1,
        }
        rates = self.generator.learning_rate_metric(generator, steps)
        rates |= self.discriminator.learning_rate_metric(discriminator, steps * len(parts))
        return new_state, generator_metrics | discriminator_metrics | rates

    def _discriminator_steps(self, state: State, parts: list[Batch], key: jax.Array) -> tuple[State, Metrics]:
        """Returns the discriminator's state after a step on each part, and the sums of their metrics."""
        generator, discriminator = _state_of('generator', state), _state_of('discriminator', state)
        metrics = []
        for index, part in enumerate(parts):  # not a loop of XLA: on a CPU it runs on one thread
            sample_key, step_key = jax.random.split(jax.random.fold_in(key, index))
            part = {**part, 'fakes': self.generator(generator, part['latents'], sample_key)}
            discriminator, part_metrics = self.discriminator.step(
                discriminator, self._discriminator_loss, part, step_key
            )
            metrics.append(part_metrics)
        return discriminator, jax.tree.map(lambda *values: sum(values), *metrics)

    def _ema(self, state: State, generator: State) -> State:
        """Returns the moving average of the generator after a step."""
        latest = {name: generator[name] for name in state['ema_generator']}
        return optax.incremental_update(latest, state['ema_generator'], 1 - self.task.ema_decay)  # type: ignore[return-value]

    def _parts(self, batch: Batch, key: jax.Array) -> list[Batch]:
        """Returns the part of the batch for each discriminator step: images, latents and index."""
        count, rows = self.task.discriminator_steps, len(batch[INDEX])
        if rows % count:
            raise UserError(
                f'GAN.discriminator_steps = {count} does not divide a batch of {rows} examples: '
                f'bind a batch size that is a multiple of {count}, on each device.'
            )
        arrays = self.debug_inputs(batch, key) | {INDEX: batch[INDEX]}
        # Part i holds the rows i, i + count, ...: every device has as many of each, so no row moves between
        # devices.
        return [
            {name: x.reshape(-1, count, *x.shape[1:])[:, part] for name, x in arrays.items()}
            for part in range(count)
        ]

    def _discriminator_loss(
        self, params: State, model_state: State, part: Batch, key: jax.Array
    ) -> tuple[jax.Array, tuple[dict[str, jax.Array], State]]:
        """Returns the mean loss of a part, and the metrics of its rows with the new model state."""
        keys, network, loss = jax.random.split(key, 3), self.discriminator.network, self.task.loss
        # Two calls: with batch normalisation, real and generated images have statistics of their own.
        real, model_state = network(params, model_state, part['images'], keys[0])
        fake, model_state = network(params, model_state, part['fakes'], keys[1])
        losses = loss.discriminator(real[:, 0], fake[:, 0])
        metrics = {'real_logit': real[:, 0], 'fake_logit': fake[:, 0]}
        if loss.gradient_penalty:
            shares = jax.vmap(jax.random.uniform)(keys_by_row(keys[2], part))
            metrics['gradient_penalty'] = adversarial.gradient_penalty(
                lambda images: network(params, model_state, images, keys[2])[0][:, 0],
                part['images'],
                part['fakes'],
                shares,
            )
            losses += loss.gradient_penalty * metrics['gradient_penalty']
        return losses.mean(), (metrics | {'discriminator_loss': losses}, model_state)

    def _generator_loss(
        self, discriminator: State, params: State, model_state: State, part: Batch, key: jax.Array
    ) -> tuple[jax.Array, tuple[dict[str, jax.Array], State]]:
        """Returns the mean loss of a part, and the metrics of its rows with the new model state."""
        sample_key, logit_key = jax.random.split(key)
        fakes, model_state = self.generator.network(params, model_state, part['latents'], sample_key)
        losses = self.task.loss.generator(self.discriminator(discriminator, fakes, logit_key)[:, 0])
        return losses.mean(), ({'generator_loss': losses}, model_state)

    def debug_inputs(self, batch: Batch, key: jax.Array) -> dict[str, jax.Array]:
        """Returns images f32 [B, H, W, C] between -1 and 1, and latents f32 [B, latent_dim]."""
        return {'images': scaled(batch['image']), 'latents': self._latents(batch, jax.random.split(key)[0])}

    def evaluate(self, state: State, batch: Batch) -> Metrics:
        """Returns losses and logits of images and as many samples, summed over the valid rows.

        `discriminator_accuracy` is the share of images whose logit is higher than that of the sample in the
        same row. It is 0.5 if the discriminator guesses.
        """
        discriminator = _state_of('discriminator', state)
        real = self.discriminator(discriminator, scaled(batch['image']))[:, 0]
        fake = self.discriminator(discriminator, self._samples(state, batch))[:, 0]
        metrics = {
            'discriminator_loss': self.task.loss.discriminator(real, fake),
            'generator_loss': self.task.loss.generator(fake),
            'real_logit': real,
            'fake_logit': fake,
            'discriminator_accuracy': (real > fake).astype(float),
        }
        return {name: average(values, batch[VALID]) for name, values in metrics.items()}

    def predict(self, state: State, batch: Batch) -> dict[str, jax.Array]:
        """Returns a sample for each row, and features of samples and images.

        A sample depends on its position in the split alone, so all splits begin with the same samples.
        """
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

    def evaluation_model(self, state: State) -> dict[str, nnx.Module]:
        """Returns the averaged generator and the discriminator, in evaluation mode."""
        return {
            'generator': self.generator.module(state['ema_generator']),
            'discriminator': self.discriminator.module(_state_of('discriminator', state)),
        }

    def _samples(self, state: State, batch: Batch) -> jax.Array:
        """Returns a sample of the averaged generator for each row, f32 [B, H, W, C]."""
        return self.generator(state['ema_generator'], self._latents(batch, jax.random.key(0)))

    def _latents(self, batch: Batch, key: jax.Array) -> jax.Array:
        """Returns a latent vector for each row, f32 [B, latent_dim]."""
        draw = partial(jax.random.normal, shape=(self.task.latent_dim,))
        return jax.vmap(draw)(keys_by_row(key, batch))


def _joined(generator: State, discriminator: State) -> State:
    """Returns the states of both networks as one, {'params': {'generator': ..., ...}, ...}."""
    return {name: {'generator': generator[name], 'discriminator': discriminator[name]} for name in TRAINED}


def _state_of(network: str, state: State) -> State:
    return {name: state[name][network] for name in TRAINED}
