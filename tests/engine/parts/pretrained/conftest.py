"""A model with batch normalisation, and its variables in files of every kind."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jax
import numpy as np
import orbax.checkpoint as ocp
import pytest
from safetensors.numpy import save_file

from engine.network import Network
from engine.parts.pretrained import variable_names
from engine.sharding import Jit, Parallelism
from tests.engine import tiny

Arrays = Mapping[str, np.ndarray]


@dataclass(frozen=True)
class Model:
    """A model: its variables, and its shapes on one device or several."""

    variables: dict[str, Any]

    @property
    def arrays(self) -> dict[str, np.ndarray]:
        """The variables on the host by their paths, a copy that a test may change."""
        return {name: np.array(leaf) for name, leaf in variable_names.of_model(self.variables).items()}

    def shapes(self, parallelism: Parallelism = Jit(data=1)) -> Any:  # noqa: B008 (it is frozen)
        """Returns shapes with shardings."""
        return parallelism.state(jax.eval_shape(lambda: self.variables))


@pytest.fixture(scope='session')
def model() -> Model:
    """A small ConvNet with random statistics."""
    network = Network(lambda rngs: tiny.MODELS['convnet'](input_shape=tiny.IMAGE, outputs=3, rngs=rngs))
    params, model_state = network.init(jax.random.key(3))
    random = np.random.default_rng(0)
    return Model(
        jax.tree.map(
            lambda leaf: random.uniform(0.5, 2, leaf.shape).astype(leaf.dtype),
            {'params': params, 'model_state': model_state},
        )
    )


def save_orbax(folder: Path, arrays: Any) -> None:
    """Saves a tree as Orbax does."""
    with ocp.StandardCheckpointer() as checkpointer:
        checkpointer.save(folder, arrays)


WRITERS: dict[str, Callable[[Path, Arrays], object]] = {
    'a.npz': lambda path, arrays: np.savez(path, **arrays),  # type: ignore[arg-type]
    'compressed.npz': lambda path, arrays: np.savez_compressed(path, **arrays),  # type: ignore[arg-type]
    'a.safetensors': lambda path, arrays: save_file(dict(arrays), path),
    'orbax': save_orbax,
}


@pytest.fixture(params=WRITERS)
def written(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[Arrays], str]:
    """Writes arrays into a file or folder of each kind: written(arrays) -> its path."""

    def write(arrays: Arrays) -> str:
        path = tmp_path / request.param
        WRITERS[request.param](path, arrays)
        return str(path)

    return write
