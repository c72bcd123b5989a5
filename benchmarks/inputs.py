"""Batches from memory, from JPEGs and from step 1,000,000, compared with tf.data and Grain.

    scripts/benchmark.sh inputs

Training does not need TensorFlow and Grain, so they have a virtual environment of their own. It installs by
itself. The environment variable BENCHMARKS_PYTHON names the Python of another environment.

JPEGs are decoded on one CPU. Their rate is images per second of CPU time, so that other work on the machine
matters less.
"""

import json
import os
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median

import jax
import numpy as np

from benchmarks import environments, pictures
from benchmarks.crop_quality import psnr
from benchmarks.report import Bound, pair_ratios, print_bounds, print_table
from engine.datasets.orders.order import MAIN, PartStreams
from engine.datasets.orders.streams import shuffled
from engine.datasets.reading.dataset import Dataset, Encoded, Examples
from engine.interfaces import Spec
from engine.parts.crops import Crops
from engine.sharding import Jit
from engine.training.batches.from_host import FromHost
from engine.training.batches.training import PartOrder, batch_source, from_host
from engine.workspace import REPOSITORY

ROUNDS = 15
SECONDS = 2.0  # of each measurement of a rate
BATCH_SIZE, JPEG_BATCH_SIZE = 128, 64
MILLION = 1_000_000


class ReferenceProcess:
    """A process that measures TensorFlow and Grain.

    Args:
      folder: of the small images and the JPEGs.
      cpus: 'one' or 'all'.
    """

    def __init__(self, folder: Path, cpus: str):
        self._process = subprocess.Popen(
            [environments.python('benchmarks'), REPOSITORY / 'benchmarks/references.py', folder, cpus],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )

    def rate(self, candidate: str) -> float:
        """Returns the images per second of a candidate."""
        assert self._process.stdin and self._process.stdout
        print(candidate, file=self._process.stdin, flush=True)
        return float(self._process.stdout.readline())


@contextmanager
def one_cpu() -> Iterator[None]:
    """Restricts this process, and the threads and processes that it starts, to one CPU."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(before)})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def engine_rate(source: FromHost, steps: Iterator[int], batch_size: int, clock: Callable[[], float]) -> float:
    """Returns the images per second of a source.

    Args:
      source: of the batches.
      steps: the steps whose batches are read.
      batch_size: images in a batch.
      clock: returns seconds, of the wall clock or of CPU time.
    """
    images, start = 0, clock()
    while (seconds := clock() - start) < SECONDS:
        source.inputs(next(steps), 1)
        images += batch_size
    return images / seconds


def shuffled_order(n: int, batch_size: int) -> PartOrder:
    """Returns the default order of n examples."""
    return PartOrder(PartStreams({MAIN: shuffled(n, batch_size, seed=0)}), MAIN, n, batch_size, seed=0)


def from_memory(folder: Path) -> FromHost:
    """Returns batches of the small images, which are memory-mapped as in training."""
    arrays = {
        name: np.load(folder / f'{name}.npy', mmap_mode='r').view(np.ndarray) for name in ('image', 'label')
    }
    count = pictures.SMALL_IMAGES
    examples = Examples([''] * count, arrays)
    return from_host(examples, shuffled_order(len(examples), BATCH_SIZE), Jit())


def from_jpegs(files: list[bytes], batch_size: int) -> FromHost:
    """Returns batches of random crops of JPEGs."""
    offsets = np.cumsum([0, *map(len, files)])
    encoded = Encoded(np.frombuffer(b''.join(files), np.uint8), offsets, 3)
    examples = Examples([''] * len(files), {}, {'image': encoded}, Crops())
    return from_host(examples, shuffled_order(len(examples), batch_size), Jit())


def measure_rates(
    reference: ReferenceProcess, candidates: list[str], engine: Callable[[], float]
) -> dict[str, list[float]]:
    """Returns the images per second of each candidate and of the engine, in turn, after a warm-up."""
    measured: dict[str, list[float]] = {name: [] for name in [*candidates, 'engine']}
    for name in candidates:
        reference.rate(name)
    engine()
    for _ in range(ROUNDS):
        for name in candidates:
            measured[name].append(reference.rate(name))
        measured['engine'].append(engine())
    return measured


def first_batch_seconds(folder: Path) -> list[float]:
    """Returns the seconds to open a dataset of a million examples and read the batch of step 1,000,000."""
    pictures.write_blank_images(folder, MILLION)
    spec = Spec({'image': jax.ShapeDtypeStruct((32, 32, 3), np.uint8)})
    seconds = []
    for _ in range(ROUNDS):
        start = time.perf_counter()
        data = Dataset('million', '1.0.0', '', spec, {'train': MILLION}, folder)
        examples = data.split('train')
        batch_source(examples, shuffled_order(len(examples), BATCH_SIZE), Jit()).inputs(1_000_000, 1)
        seconds.append(time.perf_counter() - start)
    return seconds


def anonymous_bytes() -> int:
    """Returns the anonymous memory of this process, which no file backs, in bytes."""
    lines = Path('/proc/self/smaps_rollup').read_text().splitlines()
    return 1024 * next(int(line.split()[1]) for line in lines if line.startswith('Anonymous:'))


def anonymous_bytes_by_epoch(sources: list[tuple[FromHost, int]]) -> list[int]:
    """Returns the anonymous memory after each of ten epochs, in bytes.

    Args:
      sources: sources of batches, each with its number of steps in an epoch.
    """
    measured = []
    for epoch in range(10):
        for source, steps in sources:
            for step in range(epoch * steps, (epoch + 1) * steps):
                source.inputs(step, 1)
        measured.append(anonymous_bytes())
    return measured


def main() -> None:
    """Measures rates, quality of crops, the first batch and memory, and checks their bounds."""
    environments.python('benchmarks')  # installed before anything is measured
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        pictures.write_small_images(folder)
        files = pictures.write_jpegs(folder)
        steps_of_small, steps_of_jpegs = pictures.SMALL_IMAGES // BATCH_SIZE, len(files) // 16
        memory = anonymous_bytes_by_epoch(
            [(from_memory(folder), steps_of_small), (from_jpegs(files, 16), steps_of_jpegs)]
        )
        first_batch = first_batch_seconds(folder)

        source, steps = from_memory(folder), iter(range(10**9))
        small_rates = measure_rates(
            ReferenceProcess(folder, 'all'),
            ['tf.data', 'tf.data, cached', 'Grain'],
            lambda: engine_rate(source, steps, BATCH_SIZE, time.perf_counter),
        )
        small = print_table('32 x 32', 'images/s', small_rates)
        with one_cpu():
            jpegs, jpeg_steps = from_jpegs(files, JPEG_BATCH_SIZE), iter(range(10**9))
            jpeg_rates = measure_rates(
                ReferenceProcess(folder, 'one'),
                ['tf.data, JPEG'],
                lambda: engine_rate(jpegs, jpeg_steps, JPEG_BATCH_SIZE, time.process_time),
            )
            large = print_table('JPEG, 1 CPU', 'images/s', jpeg_rates)
    quality = {'500 x 375': min(psnr(224, 375, 500)), '2000 x 1500': min(psnr(224, 1500, 2000))}
    bounds = {
        f'{name}: times {candidate}': Bound.of(pair_ratios(rates['engine'], rates[candidate]), at_least=limit)
        for name, rates, candidate, limit in (
            ('32 x 32', small_rates, 'tf.data', 20),
            ('32 x 32', small_rates, 'tf.data, cached', 3),
            ('32 x 32', small_rates, 'Grain', 5),
            ('JPEG, 1 CPU', jpeg_rates, 'tf.data, JPEG', 1),
        )
    }
    bounds |= {
        'lowest PSNR, dB': Bound(min(quality.values()), at_least=40),
        'seconds to batch of step 1,000,000': Bound(median(first_batch), at_most=1),
        'growth of memory, epoch 3 to 10': Bound(memory[9] / memory[2] - 1, at_most=0.02),
    }
    summary = {
        'benchmark': 'inputs',
        'small': small,
        'jpeg': large,
        'psnr': quality,
        'first_batch_seconds': median(first_batch),
        'anonymous_bytes': memory,
        'kilobytes_per_jpeg': round(sum(map(len, files)) / len(files) / 1000, 1),
        'bounds': print_bounds(bounds),
    }
    print(json.dumps(summary))


if __name__ == '__main__':
    main()
