"""Memory and time of loading trained variables (Trainer.init_from) into the state of plain SGD.

    scripts/benchmark.sh loading                              2 GB from every kind of source
    scripts/benchmark.sh loading --gigabytes=4 --fsdp=8       split over 8 simulated devices

Each source is loaded in a process of its own. The memory is the peak of the resident set from the start of
the loading to the first state, less what was resident before, over the size of the parameters. Orbax needs up
to 0.4 GB of its own, so the ratio of a smaller run is larger.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from safetensors.numpy import save_file

from benchmarks.report import Bound, print_bounds
from engine.interfaces import State
from engine.parts.pretrained import Pretrained
from engine.sharding import Jit
from engine.training.checkpointing.checkpoints import Checkpoints
from engine.training.steps import StepFunctions
from engine.workspace import REPOSITORY

LAYERS, COLUMNS = 24, 1024
AT_MOST = 1.3  # memory, over the size of the parameters
SOURCES = ('model.safetensors', 'model.npz', 'run')


class SgdTask:
    """A task of parameters alone, whose optimizer is SGD.

    Args:
      gigabytes: size of the parameters.
    """

    def __init__(self, gigabytes: float):
        self.shape = int(gigabytes * 2**30 / LAYERS / COLUMNS / 4) // 8 * 8, COLUMNS

    def init_model(self, key: jax.Array) -> tuple[State, State]:
        """Returns parameters of noise."""
        keys = jax.random.split(key, LAYERS)
        kernels = [jax.random.normal(each, self.shape) for each in keys]
        return {'layers': {i: {'kernel': kernel} for i, kernel in enumerate(kernels)}}, {}

    def init_training(self, params: Any, model_state: State) -> State:
        """Returns the first state."""
        optimizer = {'opt_state': optax.sgd(0.1).init(params), 'steps': jnp.zeros((), jnp.int32)}
        return {'params': params, 'model_state': model_state} | optimizer


def write(folder: Path, gigabytes: float) -> None:
    """Writes the same parameters as a run, as .npz and as .safetensors."""
    task, random = SgdTask(gigabytes), np.random.default_rng(0)
    arrays = {f'layers/{i}/kernel': random.random(task.shape, np.float32) for i in range(LAYERS)}
    np.savez(folder / 'model.npz', **arrays)  # type: ignore[arg-type]
    save_file(arrays, folder / 'model.safetensors')
    params = {'layers': {i: {'kernel': jax.device_put(x)} for i, x in enumerate(arrays.values())}}
    with Checkpoints(folder / 'run' / 'checkpoints') as checkpoints:
        checkpoints.save('best', 1, task.init_training(params, {}))


def _resident(name: str) -> int:
    """Returns a size in /proc/self/status, bytes."""
    lines = Path('/proc/self/status').read_text(encoding='ascii').splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(f'{name}:')) * 1024


def load(source: Path, gigabytes: float, fsdp: int) -> dict[str, Any]:
    """Loads a source; returns seconds, memory over the size, and the largest share of a device."""
    task: Any = SgdTask(gigabytes)
    functions = StepFunctions(task, Jit(data=1, fsdp=fsdp), seed=0)
    pretrained = Pretrained(source=str(source))
    pretrained.check(functions.model_shapes)
    jnp.zeros(1).block_until_ready()  # XLA has started
    before, start = _resident('VmRSS'), time.perf_counter()
    Path('/proc/self/clear_refs').write_text('5', encoding='ascii')  # the peak is counted from here
    leaves = jax.tree.leaves(jax.block_until_ready(functions.init(pretrained))['params'])
    seconds, peak = time.perf_counter() - start, _resident('VmHWM') - before
    size = sum(leaf.nbytes for leaf in leaves)
    shards = [shard for leaf in leaves for shard in leaf.addressable_shards]
    held = [sum(s.data.nbytes for s in shards if s.device == device) for device in jax.devices()]
    return {'seconds': seconds, 'memory': peak / size, 'share': max(held) / size}


def measured(folder: Path, gigabytes: float, fsdp: int) -> dict[str, dict[str, float]]:
    """Writes all sources into a folder, loads each, and returns what `load` returned."""
    run_alone(f'loading.write(Path({str(folder)!r}), {gigabytes})', fsdp)
    results = {}
    for name in SOURCES:
        call = f'loading.load(Path({str(folder / name)!r}), {gigabytes}, {fsdp})'
        results[name] = json.loads(run_alone(f'print(json.dumps({call}))', fsdp))
    return results


def run_alone(statement: str, devices: int) -> str:
    """Runs a statement in a process of its own; returns the last line that it prints."""
    program = f'import json; from pathlib import Path; from benchmarks import loading; {statement}'
    environment = os.environ | {'JAX_NUM_CPU_DEVICES': str(devices), 'JAX_PLATFORMS': 'cpu'}
    done = subprocess.run(
        [sys.executable, '-c', program],
        stdout=subprocess.PIPE,
        text=True,
        cwd=REPOSITORY,
        env=environment,
        check=True,
    )
    return ''.join(done.stdout.splitlines()[-1:])


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('--gigabytes', type=float, default=2.0)
    parser.add_argument('--fsdp', type=int, default=1)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        results = measured(Path(folder), arguments.gigabytes, arguments.fsdp)
    for name, result in results.items():
        print(f'{name}: {result["seconds"]:.1f} s, each device holds at most {result["share"]:.3f}')
    print_bounds({name: Bound(result['memory'], at_most=AT_MOST) for name, result in results.items()})


if __name__ == '__main__':
    main()
