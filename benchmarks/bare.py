"""The reference of `benchmarks.startup`: a bare script that trains the digits network for one step.

    python -m benchmarks.bare
    python -m benchmarks.bare --alone

The script builds the network and the optimizer of `configs/digits_cnn.gin` and runs the same jitted step. It
prints the loss. It imports what training imports before its first step: JAX, Flax, Optax and NumPy, which it
uses itself, and the libraries by which training reads its config and its data and reports (OTHERS), which a
script of the same abilities would use. With `--alone` it leaves these out.
"""

import sys
from collections.abc import Callable
from importlib import import_module
from typing import Any

import flax
import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax import nnx

from engine.parts.augmentation import Shift
from engine.workspace import workspace
from research.models.convnet import ConvNet

BATCH_SIZE = 128
# What training imports besides; a test makes sure that it does.
OTHERS = ('clu.metrics', 'gin', 'PIL.Image', 'tensorflow_datasets', 'typeguard')


def import_others() -> None:
    """Imports the libraries that the script itself does not use."""
    for name in OTHERS:
        import_module(name)


def examples() -> tuple[np.ndarray, np.ndarray]:
    """Returns the training images, uint8 [n, 8, 8, 1], and labels, int32 [n]."""
    folder = next((workspace() / 'data/digits/records/digits/full').glob('*/arrays/train'))
    return np.load(folder / 'image.npy'), np.load(folder / 'label.npy')


def build() -> tuple[Any, Callable[..., Any]]:
    """Returns the initial state and the jitted training step.

    The step takes the state, the images, uint8 [batch, 8, 8, 1], the labels, int32 [batch], and the number of
    the step. It returns the next state and the loss, float32 [].
    """
    model = ConvNet((8, 8, 1), 10, rngs=nnx.Rngs(0))
    graph, params, random, model_state = nnx.split(model, nnx.Param, nnx.RngState, ...)
    optimizer = optax.adamw(optax.cosine_decay_schedule(3e-3, 500))
    augment = Shift(1)

    def update(state: Any, images: jax.Array, labels: jax.Array, step: jax.Array) -> Any:
        params, random, model_state, opt_state = state
        key = jax.random.fold_in(jax.random.key(0), step)
        keys = jax.random.split(key, len(images))
        inputs = augment(keys, images).astype(jnp.float32) / 127.5 - 1

        def loss(params: Any) -> tuple[jax.Array, Any]:
            model = nnx.merge(graph, params, random, model_state, copy=True)
            losses = optax.softmax_cross_entropy_with_integer_labels(model(inputs), labels)
            return losses.mean(), nnx.split(model, nnx.Param, nnx.RngState, ...)[2:]

        (value, (random, model_state)), grads = jax.value_and_grad(loss, has_aux=True)(params)
        updates, opt_state = optimizer.update(grads, opt_state, params)
        return (optax.apply_updates(params, updates), random, model_state, opt_state), value

    state = (params, random, model_state, optimizer.init(params))
    return state, jax.jit(update, donate_argnums=0)


def main() -> None:
    """Runs one step."""
    if '--alone' not in sys.argv:
        import_others()
    jax.config.update('jax_compilation_cache_dir', str(workspace() / 'cache' / 'bare'))
    jax.config.update('jax_persistent_cache_min_compile_time_secs', 0)
    jax.config.update('jax_persistent_cache_min_entry_size_bytes', -1)
    images, labels = examples()
    state, update = build()
    _, loss = update(state, images[:BATCH_SIZE], labels[:BATCH_SIZE], np.int32(0))
    print(f'step 1: loss {float(loss):.4f} (flax {flax.__version__})', flush=True)


if __name__ == '__main__':
    main()
