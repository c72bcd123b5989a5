"""The cost of a checkpoint of 500 MB: how long the training loop waits, and what checksums and the lock add.

    scripts/benchmark.sh checkpoint

The reference is a synchronous save: the time until the checkpoint is on disk. The loop runs the next step
while the checkpoint is written. As in training, this step overwrites the memory of the state. On a CPU, the
step and the save share the cores.
"""

import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import jax
import jax.numpy as jnp

from benchmarks.report import report
from engine.runs import checksums, lock
from engine.training.checkpointing.checkpoints import Checkpoints

RUNS = 5
ARRAYS, ARRAY_SIZE = 10, 12_500_000  # float32: 500 MB in total

train_step = jax.jit(lambda tree: jax.tree.map(lambda x: x * 0.999, tree), donate_argnums=0)


def state(seed: int) -> dict[str, jax.Array]:
    """Returns a state of 500 MB: ten arrays, each float32 [12500000]."""
    keys = jax.random.split(jax.random.key(seed), ARRAYS)
    return {
        f'array{index}': jax.random.normal(key, (ARRAY_SIZE,), jnp.float32) for index, key in enumerate(keys)
    }


def seconds(function: Callable[..., object], *arguments: object) -> float:
    """Returns how long a call takes."""
    start = time.perf_counter()
    function(*arguments)
    return time.perf_counter() - start


def main() -> None:
    """Saves several checkpoints and reports the times."""
    rows = ('synchronous save', 'loop waits', 'next step slower by', 'checksums', 'lock')
    measured: dict[str, list[float]] = {row: [] for row in rows}
    with tempfile.TemporaryDirectory() as folder, Checkpoints(Path(folder)) as checkpoints:
        for run in range(1, RUNS + 1):
            values = jax.block_until_ready(train_step(state(run)))
            start = time.perf_counter()
            values = jax.block_until_ready(train_step(values))
            step = time.perf_counter() - start
            start = time.perf_counter()
            checkpoints.save('latest', run, values)
            waits = time.perf_counter() - start
            values = jax.block_until_ready(train_step(values))
            slower = time.perf_counter() - start - waits - step
            finishes = seconds(checkpoints.wait)
            measured['loop waits'].append(waits)
            measured['next step slower by'].append(slower)
            measured['synchronous save'].append(waits + step + slower + finishes)
            measured['checksums'].append(seconds(checksums.write, Path(folder) / 'latest' / str(run), {}))
            measured['lock'].append(seconds(_lock_once, Path(folder)))
    report('checkpoint of 500 MB', 'seconds', measured)
    cost = sorted(measured['checksums'])[RUNS // 2] + sorted(measured['lock'])[RUNS // 2]
    print(f'checksums and lock, as a share of one minute: {cost / 60:.2%}')


def _lock_once(folder: Path) -> None:
    with lock.locked(folder, {}):
        pass


if __name__ == '__main__':
    main()
