"""The reference of `benchmarks.overhead`: a training loop written by hand, around one jitted step.

The loop has the same model, optimizer, augmentation and data as the configs of the digits. It does what a
script without a library does: it shuffles the examples, runs the step, evaluates at the end of each epoch,
writes the loss of every step to a file and prints a line for each epoch. It saves nothing.
"""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax import nnx

from engine.datasets.load import load
from engine.parts.augmentation import Shift
from research.models.convnet import ConvNet
from research.models.mlp import MLP

LEARNING_RATE = 3e-3
MODELS: dict[str, Callable[..., nnx.Module]] = {
    'digits_cnn': partial(ConvNet, (8, 8, 1), 10, width=32),
    'digits_mlp': partial(MLP, (8, 8, 1), 10, width=256),
}


def examples(dataset: str, split: str) -> tuple[jax.Array, jax.Array]:
    """Returns the images, uint8 [n, 8, 8, 1], and the labels, int32 [n], of a split, on the device."""
    arrays = load(dataset).split(split).arrays
    return jax.device_put(arrays['image']), jax.device_put(arrays['label'])


class BareTraining:
    """A training of the digits without a library. Examples lie on the device, and only indices travel.

    Args:
      config: the config that it follows, `digits_cnn` or `digits_mlp`.
      steps: of the whole training.
      dataset: `digits` or `digits/toy`.
      batch_size: examples per step.
      dropout: of the model.
    """

    def __init__(
        self,
        config: str,
        steps: int,
        dataset: str = 'digits',
        batch_size: int = 128,
        dropout: float = 0.2,
    ):
        self._steps, self._batch_size = steps, batch_size
        self._train, self._val = (examples(dataset, split) for split in ('train', 'val'))
        self._examples = len(self._train[1])
        self._graph, params, random, model_state = _split(MODELS[config](dropout=dropout, rngs=nnx.Rngs(0)))
        self._optimizer = optax.adamw(optax.cosine_decay_schedule(LEARNING_RATE, steps))
        self._augment = Shift(1)
        state = params, random, model_state, self._optimizer.init(params)
        # Plain arrays travel. NNX variables would be flattened in Python at each call.
        self._first_state, self._structure = jax.tree.flatten(state)
        self._step = jax.jit(self._update, donate_argnums=0)
        self._measure = jax.jit(self._evaluate)

    def _update(self, arrays: Any, data: Any, indices: jax.Array, step: jax.Array) -> tuple[Any, jax.Array]:
        """Returns the state after a step, and the loss, float32 []."""
        params, random, model_state, opt_state = jax.tree.unflatten(self._structure, arrays)
        images, labels = data[0][indices], data[1][indices]
        key = jax.random.fold_in(jax.random.key(0), step)
        inputs = _scaled(self._augment(self._rows(jax.random.split(key, self._batch_size)), images))

        def mean_loss(params: Any) -> tuple[jax.Array, Any]:
            model = nnx.merge(self._graph, params, random, model_state, copy=True)
            losses = optax.softmax_cross_entropy_with_integer_labels(model(inputs), labels)
            return losses.mean(), _split(model)[2:]

        gradient = jax.value_and_grad(mean_loss, has_aux=True)
        (loss, (random, model_state)), grads = gradient(params)
        loss, grads = self._mean((loss, grads))
        updates, opt_state = self._optimizer.update(grads, opt_state, params)
        state = optax.apply_updates(params, updates), random, model_state, opt_state
        return jax.tree.leaves(state), loss

    def _rows(self, keys: jax.Array) -> jax.Array:
        """Returns the keys of the rows that this program computes."""
        return keys

    def _mean(self, values: Any) -> Any:
        """Returns the means of values over the programs that share a batch."""
        return values

    def _evaluate(self, arrays: Any, data: Any) -> tuple[jax.Array, jax.Array]:
        """Returns the loss and the accuracy of a split, each float32 []; label -1 is padding."""
        variables = jax.tree.unflatten(self._structure, arrays)[:3]
        model = nnx.merge(self._graph, *variables, copy=True)
        model.eval()
        logits, labels = model(_scaled(data[0])), data[1]
        losses = optax.softmax_cross_entropy_with_integer_labels(logits, labels)
        values = jnp.stack([losses, logits.argmax(-1) == labels, jnp.ones_like(losses)], dtype=jnp.float32)
        loss, accuracy, count = self._mean(jnp.where(labels >= 0, values, 0).sum(1))
        return loss / count, accuracy / count

    def _spread(self, indices: np.ndarray) -> Any:
        """Returns the indices of a batch as the step takes them."""
        return indices

    def run(self, folder: Path) -> float:
        """Trains from the first state to the last step.

        Args:
          folder: gets `loss.txt`, the loss of each step.

        Returns:
          The accuracy on the validation split after the last step.
        """
        state, n = jax.tree.map(jnp.copy, self._first_state), self._examples
        random, epochs = np.random.default_rng(0), self._steps * self._batch_size // n + 1
        order = np.concatenate([random.permutation(n).astype(np.int32) for _ in range(epochs)])
        losses, accuracy = [], 0.0
        with (folder / 'loss.txt').open('w') as file:
            for step in range(self._steps):
                start = step * self._batch_size
                indices = self._spread(order[start : start + self._batch_size])
                state, loss = self._step(state, self._train, indices, np.int32(step))
                losses.append(loss)
                if (start + self._batch_size) // n > start // n or step + 1 == self._steps:
                    val_loss, val_accuracy = jax.device_get(self._measure(state, self._val))
                    first = step + 1 - len(losses)
                    for number, value in enumerate(jax.device_get(losses), first + 1):
                        file.write(f'{number} {value.item():.8g}\n')
                    losses, accuracy = [], float(val_accuracy)
                    print(f'step {step + 1}  val: loss {val_loss:.4f}  accuracy {accuracy:.4f}', flush=True)
        return accuracy


def _split(model: nnx.Module) -> Any:
    """Returns the structure of a model, its parameters, its random state and its other variables."""
    return nnx.split(model, nnx.Param, nnx.RngState, ...)


def _scaled(images: jax.Array) -> jax.Array:
    return images.astype(jnp.float32) / 127.5 - 1
