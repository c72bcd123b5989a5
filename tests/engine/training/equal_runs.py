"""Stops a run at a step, and compares two runs to the bit."""

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import jax
import numpy as np

from engine.config.config import Config
from engine.stored_trees import tree
from engine.training.checkpointing.checkpoints import Checkpoints
from engine.training.logs.metric_logger import MetricLogger
from engine.training.trainer import Trainer

LOGS = ('logs/train.jsonl', 'logs/val.jsonl')
PREDICTIONS = tuple(
    f'outputs/{split}/{name}' for split in ('val', 'test') for name in ('logits.npy', 'labels.npy', 'ids.txt')
)


def assert_equal(one: Path, other: Path) -> None:
    """Asserts that two runs of one config have the same logs, predictions and checkpoints, to the bit."""
    assert_equal_files(one, other, [*LOGS, *PREDICTIONS])
    assert_equal_states(one, other)


def assert_equal_files(one: Path, other: Path, names: Iterable[str]) -> None:
    """Asserts that files of two runs have the same bytes."""
    for name in names:
        assert (one / name).read_bytes() == (other / name).read_bytes(), name


def predictions(run: Path) -> list[str]:
    """Returns the arrays, the pictures of varying size and the lists of ids in a run's outputs."""
    names = ('*.npy', 'images/*.png', 'masks/*.png', 'targets/*.png', 'ids.txt')
    outputs = [path for name in names for path in run.glob(f'outputs/*/{name}')]
    return sorted(path.relative_to(run).as_posix() for path in outputs)


def assert_equal_states(one: Path, other: Path) -> None:
    """Asserts that the latest and the best checkpoints of two runs are equal to the bit."""
    assert saved_arrays(one, 'best') == saved_arrays(other, 'best')
    shapes = Config([other / 'config.gin']).build(Trainer).step_functions.state_shapes
    jax.tree.map(np.testing.assert_array_equal, latest_state(one, shapes), latest_state(other, shapes))


def saved_arrays(run: Path, kind: str) -> dict[str, bytes]:
    """Returns the bytes of the arrays in a run's newest checkpoint of a kind, by step and path."""
    folders = [path for path in (run / 'checkpoints' / kind).glob('*') if path.name.isdecimal()]
    if not folders:
        return {}
    newest = max(folders, key=lambda path: int(path.name))
    item = newest / 'default'
    arrays = tree.restored(item, tree.stored_shapes(item))
    return {f'{newest.name}/{path}': np.asarray(array).tobytes() for path, array in arrays.items()}


def stop_after(step: int) -> Callable[..., None]:
    """Returns a method `MetricLogger.log_steps` that ends the training at a step, as Ctrl-C does."""
    log_steps = MetricLogger.log_steps

    def interrupt(self: Any, before: int, metrics: Any) -> None:
        log_steps(self, before, metrics)
        if before == step:
            raise KeyboardInterrupt

    return interrupt


def latest_state(run: Path, shapes: Any) -> Any:
    """Returns the arrays of a run's latest checkpoint."""
    with Checkpoints(run / 'checkpoints', read_only=True) as checkpoints:
        kind, step = checkpoints.find('latest')
        return jax.device_get(checkpoints.restore(kind, step, shapes))
