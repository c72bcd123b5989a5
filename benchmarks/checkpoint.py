"""What a checkpoint costs, by its size and by the way it is saved, and what checksums and the lock add.

    scripts/benchmark.sh checkpoint

A state is saved directly, while the loop waits, or by Orbax in the background. Both ways are measured at each
size, in turn. The cost of a save is the time for which the loop waits, plus the CPU time in the background
divided by the number of cores: on a CPU, the step and the save share the cores. With an accelerator, the time
in the background is free as long as there are free cores.
"""

import json
import os
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

import jax
import jax.numpy as jnp

from benchmarks.report import Bound, print_bounds, print_table, show
from engine.runs import checksums, lock
from engine.training.checkpointing import direct
from engine.training.checkpointing.checkpoints import Checkpoints

ARRAYS = 48  # in a state, as with the digits CNN under Adam
WAYS = 'direct', 'Orbax'
FIELDS = {'waits': 'wait', 'CPU': 'cpu', 'cost': 'cost'}  # of a save, by its title
MEGABYTES = {0.01: 15, 1: 15, 4: 15, 8: 15, 12: 15, 20: 15, 100: 7, 500: 5}  # each with the number of saves

train_step = jax.jit(lambda tree: jax.tree.map(lambda x: x * 0.999, tree), donate_argnums=0)


def state(megabytes: float, seed: int = 0) -> dict[str, jax.Array]:
    """Returns a state of float32 arrays of equal size."""
    size = max(1, round(megabytes * 1e6 / 4 / ARRAYS))
    keys = jax.random.split(jax.random.key(seed), ARRAYS)
    return {f'array{index}': jax.random.normal(key, (size,), jnp.float32) for index, key in enumerate(keys)}


@dataclass(frozen=True)
class Save:
    """A save that was measured.

    Attributes:
      wait: seconds for which the loop waits.
      whole: seconds until the checkpoint is on disk.
      cpu: CPU seconds of all threads until then.
      waiting_cpu: those of the loop's thread while it waits.
    """

    wait: float
    whole: float
    cpu: float
    waiting_cpu: float

    @property
    def cost(self) -> float:
        """Seconds by which the save delays a training on the cores of this machine."""
        return self.wait + max(0.0, self.cpu - self.waiting_cpu) / cores()


def cores() -> int:
    """Returns the number of CPUs of this process."""
    return len(os.sched_getaffinity(0)) if hasattr(os, 'sched_getaffinity') else os.cpu_count() or 1


@contextmanager
def saving(way: str) -> Iterator[None]:
    """Has `Checkpoints` save states of any size in one way."""
    limit = direct.MAX_DIRECT_BYTES
    direct.MAX_DIRECT_BYTES = 2**62 if way == 'direct' else -1
    try:
        yield
    finally:
        direct.MAX_DIRECT_BYTES = limit


def save(checkpoints: Checkpoints, step: int, values: dict[str, jax.Array]) -> Save:
    """Saves a state, waits for it and returns what that took."""
    cpu, start, thread = time.process_time(), time.perf_counter(), time.thread_time()
    checkpoints.save('latest', step, values)
    wait, waiting_cpu = time.perf_counter() - start, time.thread_time() - thread
    checkpoints.wait()
    return Save(wait, time.perf_counter() - start, time.process_time() - cpu, waiting_cpu)


def of_size(megabytes: float, rounds: int) -> dict[str, list[Save]]:
    """Returns saves of one size, by the way, in turn. The first round warms up."""
    measured: dict[str, list[Save]] = {way: [] for way in WAYS}
    values = state(megabytes)
    with tempfile.TemporaryDirectory() as name, ExitStack() as stack:
        folders = {way: Path(name) / way for way in WAYS}
        checkpoints = {way: stack.enter_context(Checkpoints(folder)) for way, folder in folders.items()}
        for step in range(rounds + 1):
            for way in WAYS if step % 2 else reversed(WAYS):
                values = jax.block_until_ready(train_step(values))
                with saving(way):
                    measured[way].append(save(checkpoints[way], step, values))
    return {way: saves[1:] for way, saves in measured.items()}


def compare_ways(sizes: Mapping[float, int]) -> tuple[dict[str, Any], dict[str, Bound]]:
    """Measures both ways at each size, prints a table and returns it and its bound.

    Args:
      sizes: megabytes, each with the number of saves.
    """
    titles = [f'{way}: {name}' for name in FIELDS for way in WAYS]
    rows, excess = [], 1.0
    for megabytes, rounds in sizes.items():
        measured = of_size(megabytes, rounds)
        cost = {way: median(save.cost for save in saves) for way, saves in measured.items()}
        chosen = WAYS[not direct.is_direct(state(megabytes))]
        excess = max(excess, cost[chosen] / min(cost.values()))
        numbers = [
            median(getattr(save, FIELDS[name]) for save in measured[way]) for name in FIELDS for way in WAYS
        ]
        rows.append([f'{megabytes:g} MB', *(1000 * number for number in numbers), chosen, rounds])
    table = show(['size', *(f'{title}, ms' for title in titles), 'chosen', 'saves'], rows)
    return table, {'largest cost of the chosen way, cheaper way = 1': Bound(excess, at_most=1.5)}


def beside_a_step(megabytes: float, rounds: int) -> dict[str, list[float]]:
    """Returns the seconds of a save by Orbax, while the next step runs, and of checksums and the lock.

    As in training, the step overwrites the memory of the state.
    """
    parts = ('synchronous save', 'loop waits', 'next step slower by', 'checksums', 'lock')
    measured: dict[str, list[float]] = {part: [] for part in parts}
    with tempfile.TemporaryDirectory() as name, saving('Orbax'), Checkpoints(Path(name)) as checkpoints:
        for step in range(1, rounds + 1):
            values = jax.block_until_ready(train_step(state(megabytes, step)))
            start = time.perf_counter()
            values = jax.block_until_ready(train_step(values))
            alone = time.perf_counter() - start
            start = time.perf_counter()
            checkpoints.save('latest', step, values)
            waits = time.perf_counter() - start
            values = jax.block_until_ready(train_step(values))
            slower = time.perf_counter() - start - waits - alone
            finishes = seconds(checkpoints.wait)
            measured['loop waits'].append(waits)
            measured['next step slower by'].append(slower)
            measured['synchronous save'].append(waits + alone + slower + finishes)
            measured['checksums'].append(seconds(checksums.write, Path(name) / 'latest' / str(step), {}))
            measured['lock'].append(seconds(_lock_once, Path(name)))
    return measured


def seconds(function: Callable[..., object], *arguments: object) -> float:
    """Returns how long a call takes."""
    start = time.perf_counter()
    function(*arguments)
    return time.perf_counter() - start


def _lock_once(folder: Path) -> None:
    with lock.locked(folder, {}):
        pass


def main(sizes: Mapping[float, int] = MEGABYTES, large: float = 500, rounds: int = 5) -> None:
    """Measures both ways and a large save beside a step, prints tables, bounds and the numbers as JSON."""
    ways, bounds = compare_ways(sizes)
    measured = beside_a_step(large, rounds)
    name = f'{large:g} MB by Orbax'
    details = print_table(name, 'seconds', measured)
    parts = details['medians']
    bounds |= {
        f'{name}: wait of the loop, share of the save': Bound(details['ratios']['loop waits'], at_most=0.05),
        f'{name}: checksums and lock, share of a minute': Bound(
            (parts['checksums'] + parts['lock']) / 60, at_most=0.01
        ),
    }
    title = f'States up to {direct.MAX_DIRECT_BYTES / 2**20:g} MiB are saved directly. Medians'
    summary = {'benchmark': 'checkpoint', 'beside_a_step': details, 'tables': {title: ways}}
    print(json.dumps(summary | {'bounds': print_bounds(bounds)}))


if __name__ == '__main__':
    main()
