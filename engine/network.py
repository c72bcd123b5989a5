"""A Flax model as a function, and the gradients of its loss: the same code on one device and on many."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from flax import nnx

from engine.errors import UserError
from engine.interfaces import DATA_AXIS, State, across_devices, is_per_device

Loss = Callable[[State, State, Any, jax.Array], tuple[jax.Array, tuple[Any, State]]]


class Network:
    """A Flax NNX model as a function: its graphs stay here, its arrays travel.

    Args:
      build: makes the model from its random streams, as `lambda rngs: ConvNet(..., rngs=rngs)`.
      dtype: what it computes in. Parameters and statistics stay float32, and so does what comes out.
      remat: computes again in the backward pass what would else be kept in memory for it; Chen et al. 2016,
        https://arxiv.org/abs/1604.06174.
    """

    def __init__(self, build: Callable[[nnx.Rngs], nnx.Module], dtype: str = 'float32', remat: bool = False):
        self._build, self._dtype = build, jnp.dtype(dtype)
        self._call = jax.checkpoint(self._run, static_argnums=0) if remat else self._run  # type: ignore[attr-defined]
        model = nnx.eval_shape(lambda: build(nnx.Rngs(0)))
        self._training, _, self._random, _ = _split(model, training=True)
        self._evaluation, *_ = _split(model, training=False)

    @property
    def is_random(self) -> bool:
        """Whether the model has random streams to draw from in training, such as the masks of Dropout."""
        return bool(jax.tree.leaves(self._random))

    def init(self, key: jax.Array) -> tuple[State, State]:
        """Returns (parameters, the rest: batch statistics and the like), nested dicts of arrays."""
        _, params, _, rest = _split(self._build(nnx.Rngs(key)), training=True)
        return params, rest

    def __call__(
        self, params: State, rest: State, x: jax.Array, key: jax.Array | None = None
    ) -> tuple[Any, State]:
        """Returns (the model's output, the rest as the call left it). A key means training."""
        random = self._random_state(jax.random.key(0) if key is None else _own(key))
        return self._call(key is not None, params, rest, random, x)

    def _run(
        self, training: bool, params: State, rest: State, random: State, x: jax.Array
    ) -> tuple[Any, State]:
        graph = self._training if training else self._evaluation
        # A copy, so that updating random state and statistics inside a gradient touches nothing outside it.
        model = nnx.merge(graph, self._cast(params), random, rest, copy=True)
        if is_per_device():
            _average_statistics_across_devices(model)
        output = model(self._cast(x))
        return self._uncast(output), _split(model, training)[3]

    def _cast(self, tree: Any) -> Any:
        return tree if self._dtype == jnp.float32 else _as(self._dtype, tree)

    def _uncast(self, tree: Any) -> Any:
        return tree if self._dtype == jnp.float32 else _as(jnp.dtype(jnp.float32), tree)

    def _random_state(self, key: jax.Array) -> State:
        """Returns the state of every random stream: keys drawn from `key`, counts at zero."""
        leaves, tree = jax.tree.flatten(self._random)
        fresh = [
            jax.random.fold_in(key, index)
            if jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key)
            else jnp.zeros(leaf.shape, leaf.dtype)
            for index, leaf in enumerate(leaves)
        ]
        return jax.tree.unflatten(tree, fresh)


def gradients(
    loss: Loss, params: State, rest: State, batch: Any, key: jax.Array, accumulate: int = 1
) -> tuple[State, Any, State]:
    """Returns the gradients of the mean loss over the whole batch, on however many devices it lies.

    Args:
      loss: (params, rest, batch, key) -> (mean over these examples, (quantities of each example, the rest)).
      params: what the gradients are by.
      rest: of the network; each part of the batch leaves it to the next one.
      batch: a tree of arrays [B, ...].
      key: of the step.
      accumulate: parts that the batch is worked off in, one after the other, for less memory. Where the loss
        of an example depends on that example alone, they make the gradient of the whole.

    Returns:
      The gradients, the quantities of each example, each [B, ...], and the rest.

    Raises:
      UserError: if the batch does not split into as many parts.
    """
    gradient = jax.grad(loss, has_aux=True)
    if accumulate == 1:
        found, (measures, rest) = gradient(params, rest, batch, key)
        return across_devices(found), measures, rest

    def add(carry: tuple[State, State], part: tuple[Any, jax.Array]) -> tuple[tuple[State, State], Any]:
        total, rest = carry
        found, (measures, rest) = gradient(params, rest, part[0], jax.random.fold_in(key, part[1]))
        return (jax.tree.map(jnp.add, total, found), rest), measures

    rows = len(jax.tree.leaves(batch)[0])
    if rows % accumulate:
        raise UserError(
            f'accumulate = {accumulate}: a batch of {rows} examples does not split into such parts.'
        )
    # Part i takes rows i, i + accumulate, ...: of each device its own, so that nothing moves between them.
    parts = jax.tree.map(lambda x: x.reshape(-1, accumulate, *x.shape[1:]).swapaxes(0, 1), batch)
    zeros = jax.tree.map(jnp.zeros_like, params)
    unroll = jax.default_backend() == 'cpu'  # XLA's loops run their bodies on one thread of a CPU
    (total, rest), measures = jax.lax.scan(add, (zeros, rest), (parts, jnp.arange(accumulate)), unroll=unroll)
    measures = jax.tree.map(lambda x: x.swapaxes(0, 1).reshape(-1, *x.shape[2:]), measures)
    return across_devices(jax.tree.map(lambda x: x / accumulate, total)), measures, rest


def _own(key: jax.Array) -> jax.Array:
    """Returns a key that differs from device to device where each has its own rows."""
    return jax.random.fold_in(key, jax.lax.axis_index(DATA_AXIS)) if is_per_device() else key


def _average_statistics_across_devices(model: nnx.Module) -> None:
    """Has batch normalisation see the whole batch, where each device has its own rows."""
    for _, module in nnx.iter_graph(model):
        if isinstance(module, nnx.BatchNorm):
            module.axis_name = DATA_AXIS


def _as(dtype: Any, tree: Any) -> Any:
    """Returns a tree with all its floating-point arrays in a dtype."""
    return jax.tree.map(lambda x: x.astype(dtype) if jnp.issubdtype(x.dtype, jnp.floating) else x, tree)


def _split(model: nnx.Module, training: bool) -> tuple[Any, State, State, State]:
    """Returns (graph, parameters, random state, rest) of a model in training or evaluation mode."""
    model.train() if training else model.eval()
    graph, *states = nnx.split(model, nnx.Param, nnx.RngState, ...)
    params, random, rest = (nnx.to_pure_dict(state) for state in states)
    return graph, params, random, rest
