"""A Flax model as a pure function: the same code on one device and on many."""

from collections.abc import Callable, Collection
from typing import Any

import jax
import jax.numpy as jnp
from flax import nnx

from engine import modes, variables
from engine.errors import UserError, did_you_mean
from engine.interfaces import DATA_AXIS, State, gathered, is_per_device


class Network:
    """A Flax NNX model as a pure function: `Network` keeps its structure, the caller keeps its arrays.

    >>> network = Network(lambda rngs: nnx.Linear(4, 3, rngs=rngs))
    >>> params, model_state = network.init(jax.random.key(0))
    >>> logits, model_state = network(params, model_state, jnp.ones((2, 4)))
    >>> logits.shape
    (2, 3)

    Args:
      build: makes the model from its random streams, as `lambda rngs: ConvNet(..., rngs=rngs)`.
      dtype: dtype of the computation. Parameters, statistics and the output stay float32.
      remat: recompute activations in the backward pass instead of storing them; Chen et al. 2016,
        https://arxiv.org/abs/1604.06174.
      frozen: regular expressions, searched in the paths of parameters and model state. Training does not
        change the variables that they match. A module that has variables, all of them frozen, runs in
        evaluation mode with everything inside it: Dropout drops nothing, and statistics stay.

    Attributes:
      variables: shapes and dtypes of the parameters and of the model state.
      frozen: paths of the frozen variables.
      is_random: whether the model draws random numbers in training, such as the masks of Dropout.

    Raises:
      UserError: a pattern of `frozen` matches nothing, or the model does not know whether it trains.
    """

    def __init__(
        self,
        build: Callable[[nnx.Rngs], nnx.Module],
        dtype: str = 'float32',
        remat: bool = False,
        frozen: Collection[str] = (),
    ):
        self._build, self._dtype = build, jnp.dtype(dtype)
        self._call = jax.checkpoint(self._run, static_argnums=(0, 1)) if remat else self._run  # type: ignore[attr-defined]
        model = nnx.eval_shape(lambda: modes.checked_model(build(nnx.Rngs(0))))
        self._evaluation, params, self._random, model_state = _split(model, training=False)
        self.variables = params, model_state
        state_paths = variables.by_path(model_state).keys()
        paths = variables.by_path(params).keys() | state_paths
        self.frozen = variables.matching(frozen, paths, 'frozen')
        self._frozen_state = self.frozen & state_paths
        modules = modes.FrozenModules(model, paths, self.frozen)
        self.is_random = modules.others_are_random()
        self._training, *_ = _split(model, training=True, frozen=modules)

    def init(self, key: jax.Array) -> tuple[State, State]:
        """Returns the first parameters and model state (such as batch statistics): nested dicts of arrays."""
        _, params, _, model_state = _split(self._build(nnx.Rngs(key)), training=True)
        return params, model_state

    def module(self, params: State, model_state: State) -> nnx.Module:
        """Returns the model with these variables as a Flax module, in evaluation mode.

        Args:
          params: parameters, as `init` returns them. They keep their dtypes; a call computes in these.
          model_state: model state, as `init` returns it.
        """
        random = self._random_state(jax.random.key(0))
        return nnx.merge(self._evaluation, params, random, model_state, copy=True)

    def __call__(
        self,
        params: State,
        model_state: State,
        x: Any,
        key: jax.Array | None = None,
        method: str = '__call__',
    ) -> tuple[Any, State]:
        """Calls the model, or another of its methods.

        Args:
          params: parameters, as `init` returns them.
          model_state: model state, as `init` returns it.
          x: the model's input, [B, ...], or a dict of such arrays.
          key: random key of a call in training mode; without one, the model runs in evaluation mode.
          method: name of the method, such as 'encode'.

        Returns:
          The output and the new model state. Frozen variables come back as they are.

        Raises:
          UserError: the model has no such method.
        """
        random = self._random_state(jax.random.key(0) if key is None else _device_key(key))
        return self._call(key is not None, method, params, model_state, random, x)

    def _run(
        self, training: bool, method: str, params: State, model_state: State, random: State, x: Any
    ) -> tuple[Any, State]:
        graph = self._training if training else self._evaluation
        # A copy, because the call changes random state and statistics in place, perhaps inside a gradient.
        model = nnx.merge(graph, gathered(self._cast(params)), random, model_state, copy=True)
        if is_per_device():
            modes.average_statistics_across_devices(model)
        output = _method(model, method)(self._cast(x))
        return self._uncast(output), self._unfrozen(model_state, _variables(model)[3])

    def _unfrozen(self, before: State, after: State) -> State:
        """Returns the model state after a call, with its frozen variables as they were before."""
        if not self._frozen_state:
            return after
        return variables.joined(after, variables.separated(before, self._frozen_state)[0])

    def _cast(self, tree: Any) -> Any:
        return tree if self._dtype == jnp.float32 else _cast_floats(tree, self._dtype)

    def _uncast(self, tree: Any) -> Any:
        return tree if self._dtype == jnp.float32 else _cast_floats(tree, jnp.dtype(jnp.float32))

    def _random_state(self, key: jax.Array) -> State:
        """Returns the state of every random stream: a key derived from `key`, and a count of zero."""
        leaves, tree = jax.tree.flatten(self._random)
        fresh = [
            jax.random.fold_in(key, index)
            if jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key)
            else jnp.zeros(leaf.shape, leaf.dtype)
            for index, leaf in enumerate(leaves)
        ]
        return jax.tree.unflatten(tree, fresh)


def _device_key(key: jax.Array) -> jax.Array:
    """Returns a key of this device where each device runs its own program; else the key as it is."""
    return jax.random.fold_in(key, jax.lax.axis_index(DATA_AXIS)) if is_per_device() else key


def _cast_floats(tree: Any, dtype: Any) -> Any:
    """Returns a tree with its floating-point arrays cast to `dtype`."""
    return jax.tree.map(lambda x: x.astype(dtype) if jnp.issubdtype(x.dtype, jnp.floating) else x, tree)


def _method(model: nnx.Module, name: str) -> Callable[..., Any]:
    """Returns a method of a model; raises `UserError` if it has none of that name."""
    method = getattr(model, name, None)
    if not callable(method):
        inherited = set(dir(nnx.Module))
        names = [known for known in dir(model) if not known.startswith('_') and known not in inherited]
        own = [known for known in names if callable(getattr(model, known))]
        raise UserError(f'{type(model).__name__} has no method {name!r}. {did_you_mean(name, own)}')
    return method


def _split(
    model: nnx.Module, training: bool, frozen: modes.FrozenModules | None = None
) -> tuple[Any, State, State, State]:
    """Returns graph, parameters, random state and model state, in training or evaluation mode."""
    model.train() if training else model.eval()
    if frozen:
        frozen.evaluate()
    return _variables(model)


def _variables(model: nnx.Module) -> tuple[Any, State, State, State]:
    """Returns graph, parameters, random state and model state of a model."""
    graph, *states = nnx.split(model, nnx.Param, nnx.RngState, ...)
    params, random, model_state = (nnx.to_pure_dict(state) for state in states)
    return graph, params, random, model_state
