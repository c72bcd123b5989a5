"""What a checkpoint of 500 MB costs: how long the loop waits for an async save, and what checksums add.

    scripts/benchmark.sh checkpoint

The reference is a synchronous save: the same, waited for. The loop goes on with a step that is given the
state's memory, as in training; on a CPU that step shares the cores with the save.
"""

import tempfile
import time
from pathlib import Path

import jax
import jax.numpy as jnp

from benchmarks.report import report
from engine.runs import checksums, lock
from engine.training.checkpoints import Checkpoints

RUNS = 5
ARRAYS, SIZE = 10, 12_500_000  # of float32: 500 MB in all


STEP = jax.jit(lambda tree: jax.tree.map(lambda x: x * 0.999, tree), donate_argnums=0)


def state(seed: int) -> dict[str, jax.Array]:
    """Returns a state of 500 MB."""
    keys = jax.random.split(jax.random.key(seed), ARRAYS)
    return {f'array{index}': jax.random.normal(key, (SIZE,), jnp.float32) for index, key in enumerate(keys)}


def seconds(function: object, *arguments: object) -> float:
    """Returns how long a call takes."""
    start = time.perf_counter()
    function(*arguments)  # type: ignore[operator]
    return time.perf_counter() - start


def main() -> None:
    """Saves again and again, and reports."""
    rows = ('synchronous save', 'loop waits', 'next step slower by', 'checksums', 'lock')
    measured: dict[str, list[float]] = {row: [] for row in rows}
    with tempfile.TemporaryDirectory() as folder, Checkpoints(Path(folder)) as checkpoints:
        for run in range(1, RUNS + 1):
            values = jax.block_until_ready(STEP(state(run)))
            start = time.perf_counter()
            values = jax.block_until_ready(STEP(values))
            step = time.perf_counter() - start
            start = time.perf_counter()
            checkpoints.save('latest', run, values)
            waits = time.perf_counter() - start
            values = jax.block_until_ready(STEP(values))
            slower = time.perf_counter() - start - waits - step
            finishes = seconds(checkpoints.wait)
            measured['loop waits'].append(waits)
            measured['next step slower by'].append(slower)
            measured['synchronous save'].append(waits + step + slower + finishes)
            measured['checksums'].append(seconds(checksums.write, Path(folder) / 'latest' / str(run), {}))
            measured['lock'].append(seconds(_lock, Path(folder)))
    report('checkpoint of 500 MB', 'seconds', measured)
    cost = sorted(measured['checksums'])[RUNS // 2] + sorted(measured['lock'])[RUNS // 2]
    print(f'checksums and the lock, of a minute: {cost / 60:.2%}')


def _lock(folder: Path) -> None:
    with lock.locked(folder, {}):
        pass


if __name__ == '__main__':
    main()
