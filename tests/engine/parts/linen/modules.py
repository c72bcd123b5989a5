"""Linen modules to test with, in the styles in which people write them."""

import flax.linen as nn
import jax
import jax.numpy as jnp


class ConvNet(nn.Module):
    """Compact, with statistics and Dropout."""

    num_classes: int = 3
    width: int = 2
    dropout: float = 0.0

    @nn.compact
    def __call__(self, x: jax.Array, train: bool) -> jax.Array:
        for _ in range(2):
            x = nn.Conv(self.width, (3, 3), use_bias=False)(x)
            x = nn.relu(nn.BatchNorm(use_running_average=not train, momentum=0.5)(x))
        x = nn.Dropout(self.dropout, deterministic=not train)(x.mean((1, 2)))
        return nn.Dense(self.num_classes)(x)


class Encoder(nn.Module):
    """Everything that has a mode."""

    width: int = 4

    @nn.compact
    def __call__(self, x: jax.Array, train: bool = True) -> jax.Array:
        x = nn.Dense(self.width)(x)
        x = nn.BatchNorm(use_running_average=not train, momentum=0.5)(x)
        x = nn.Dropout(0.5)(x, deterministic=not train)
        return nn.SpectralNorm(nn.Dense(self.width))(x, update_stats=train)


class Classifier(nn.Module):
    """In the style of `setup`, with an encoder that may be frozen."""

    dropout: float = 0.5

    def setup(self) -> None:
        self.encoder = Encoder()
        self.norm = nn.BatchNorm(momentum=0.5)
        self.head_dropout = nn.Dropout(self.dropout)
        self.head = nn.Dense(3)

    def __call__(self, x: jax.Array, training: bool = False) -> dict[str, jax.Array]:
        features = self.encode(x, training)
        normal = self.norm(features, use_running_average=not training)
        dropped = self.head_dropout(normal, deterministic=not training)
        return {'features': features, 'normal': normal, 'dropped': dropped, 'logits': self.head(dropped)}

    def encode(self, x: jax.Array, training: bool = False) -> jax.Array:
        """Returns the features."""
        return self.encoder(x, training)

    def head_alone(self, x: jax.Array) -> jax.Array:
        """Returns logits of features."""
        return self.head(x)


class Repeated(nn.Module):
    """Blocks under `nn.remat` and `nn.scan`."""

    @nn.compact
    def __call__(self, x: jax.Array, train: bool) -> jax.Array:
        x = nn.remat(Block, static_argnums=(2,))(name='again')(x, train)
        blocks = nn.scan(
            lambda block, x, _: (block(x, train), None),
            variable_axes={'params': 0, 'batch_stats': 0},
            split_rngs={'params': True, 'dropout': True},
            length=3,
        )
        return blocks(Block(name='blocks'), x, None)[0]


class Block(nn.Module):
    """One of several equal ones."""

    @nn.compact
    def __call__(self, x: jax.Array, train: bool) -> jax.Array:
        x = nn.Dense(x.shape[-1])(x)
        x = nn.BatchNorm(use_running_average=not train, momentum=0.5)(x)
        return nn.Dropout(0.5, deterministic=not train)(x)


class Counting(nn.Module):
    """Several collections, a tree and a sown value among them; some have a parameter's name."""

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        scale = self.param('scale', nn.initializers.ones, (x.shape[-1],))
        calls = self.variable('counts', 'calls', lambda: 0)
        largest = self.variable('limits', 'scale', lambda: {'max': jnp.zeros(x.shape[-1]), 'pair': (0.0, 1)})
        if not self.is_initializing():
            calls.value += 1
            size = jnp.abs(x).max(0)
            largest.value = {**largest.value, 'max': jnp.maximum(largest.value['max'], size)}
        self.sow('losses', 'size', x.sum())
        return x * scale[None]


class Autoencoder(nn.Module):
    """A dict as input, random numbers in evaluation too, and streams of other names."""

    width: int = 4

    def setup(self) -> None:
        self.inner, self.outer = nn.Dense(2 * self.width), nn.Dense(6)

    def __call__(self, x: dict[str, jax.Array]) -> jax.Array:
        mean, deviation = self.encode(x)
        noise = jax.random.normal(self.make_rng('noise'), mean.shape, mean.dtype)
        return self.outer(mean + deviation * noise)

    def encode(self, x: dict[str, jax.Array]) -> tuple[jax.Array, jax.Array]:
        """Returns mean and deviation of the code."""
        mean, deviation = jnp.split(
            self.inner(x['features'] * x['weight'].astype(x['features'].dtype)), 2, -1
        )
        return mean, jnp.exp(deviation)

    def decode(self, code: jax.Array) -> jax.Array:
        """Returns the reconstruction of a code."""
        return self.outer(code)


class ByKeyword(nn.Module):
    """Learns its mode by an argument given by name alone."""

    @nn.compact
    def __call__(self, x: jax.Array, *, is_training: bool) -> jax.Array:
        return nn.Dropout(0.5, deterministic=not is_training)(x)


class ByDeterministic(nn.Module):
    """Learns its mode by an argument whose default is evaluation."""

    @nn.compact
    def __call__(self, x: jax.Array, deterministic: bool = True) -> jax.Array:
        return nn.Dropout(0.5)(x, deterministic)


class ByField(nn.Module):
    """Learns its mode by a field without a default."""

    train: bool

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        return nn.Dropout(0.5, deterministic=not self.train)(x)


class ByEither(nn.Module):
    """Learns its mode by a field or an argument, as Flax's own modules do."""

    deterministic: bool | None = None

    @nn.compact
    def __call__(self, x: jax.Array, deterministic: bool | None = None) -> jax.Array:
        return nn.Dropout(0.5)(x, nn.merge_param('deterministic', self.deterministic, deterministic))


class ByStream(nn.Module):
    """Trains where it has a random stream, and where its statistics may change."""

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        trains = self.is_mutable_collection('batch_stats') and not self.is_initializing()
        x = nn.BatchNorm(use_running_average=not trains, momentum=0.5)(x)
        return nn.Dropout(0.5, deterministic=not self.has_rng('dropout'))(x)


class Forgetful(nn.Module):
    """Drops in evaluation, too."""

    rate: float = 0.5

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        return nn.Dropout(self.rate, deterministic=False)(nn.Dense(3)(x))


class HalfForgetful(nn.Module):
    """Knows its mode, and does not pass it on to its statistics."""

    @nn.compact
    def __call__(self, x: jax.Array, train: bool) -> jax.Array:
        x = nn.BatchNorm(use_running_average=False)(x)
        return nn.Dropout(0.5, deterministic=not train)(x)


class Demanding(nn.Module):
    """Needs an argument that no model gets."""

    @nn.compact
    def __call__(self, x: jax.Array, temperature: float) -> jax.Array:
        return x / temperature


class Tokens(nn.Module):
    """A causal mean of embeddings."""

    vocabulary: int

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        x = nn.Embed(self.vocabulary, 4)(x)
        return nn.Dense(self.vocabulary)(jnp.cumsum(x, 1))
