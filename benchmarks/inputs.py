"""Batches from memory, from JPEGs and from the middle of a long training, against tf.data and Grain.

What it compares with is installed into an environment of its own, for training never needs it:

    python3 -m venv .venv-benchmarks && .venv-benchmarks/bin/pip install -r requirements-benchmarks.txt

Set BENCHMARKS_PYTHON to use another one. JPEGs are decoded on one CPU, and counted by the second that it
works for the process: what else the machine does matters less.
"""

import json
import math
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import Any

import cv2
import jax
import numpy as np
import simplejpeg
from numpy.lib.format import open_memmap

from benchmarks.pictures import picture
from benchmarks.report import show, table
from engine.datasets.reading.dataset import Dataset, Encoded, Examples
from engine.interfaces import Spec
from engine.parts.crops import Crops
from engine.sharding import Jit
from engine.training.batches.decoding import TRIES
from engine.training.batches.from_host import FromHost
from engine.training.batches.order import Order
from engine.training.batches.training import batch_source, from_host
from engine.workspace import REPOSITORY

ROUNDS, SECONDS, BATCH = 5, 2.0, 128
SMALL, PICTURES = 20_000, 150
PYTHON = Path(os.environ.get('BENCHMARKS_PYTHON', REPOSITORY / '.venv-benchmarks/bin/python'))


class Reference:
    """A process with TensorFlow and Grain, on one CPU or all."""

    def __init__(self, folder: Path, cpus: str):
        self._process = subprocess.Popen(
            [PYTHON, REPOSITORY / 'benchmarks/references.py', folder, cpus],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )

    def __call__(self, name: str) -> float:
        """Returns the images per second of a candidate."""
        assert self._process.stdin and self._process.stdout
        print(name, file=self._process.stdin, flush=True)
        return float(self._process.stdout.readline())


@contextmanager
def one_cpu() -> Iterator[None]:
    """Lets this process, and the threads that it starts, use one CPU."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(before)})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def rate(source: FromHost, steps: Iterator[int], batch: int, clock: Callable[[], float]) -> float:
    """Returns the images per second, by a clock, of a source."""
    images, start = 0, clock()
    while (seconds := clock() - start) < SECONDS:
        source.inputs(next(steps), 1)
        images += batch
    return images / seconds


def write_small(folder: Path) -> None:
    """Writes 32 x 32 images and their labels."""
    sheets = [
        picture(seed, 640, 640).reshape(20, 32, 20, 32, 3).swapaxes(1, 2) for seed in range(SMALL // 400)
    ]
    np.save(folder / 'image.npy', np.concatenate(sheets).reshape(-1, 32, 32, 3))
    np.save(folder / 'label.npy', np.arange(SMALL, dtype=np.int32) % 10)


def write_jpegs(folder: Path) -> list[bytes]:
    """Writes JPEGs of 500 x 375 and returns them."""
    files = [simplejpeg.encode_jpeg(picture(seed, 375, 500), quality=90) for seed in range(PICTURES)]
    for index, data in enumerate(files):
        (folder / f'{index:04}.jpg').write_bytes(data)
    return files


def from_memory(folder: Path) -> FromHost:
    """Returns batches of the small images, mapped into memory as training maps them."""
    arrays = {
        name: np.load(folder / f'{name}.npy', mmap_mode='r').view(np.ndarray) for name in ('image', 'label')
    }
    return from_host(Examples([''] * SMALL, arrays), Order(SMALL, BATCH, seed=0), Jit())


def from_jpegs(files: list[bytes], batch: int = 64) -> FromHost:
    """Returns batches of random parts of the JPEGs."""
    offsets = np.cumsum([0, *map(len, files)])
    encoded = Encoded(np.frombuffer(b''.join(files), np.uint8), offsets, 3)
    examples = Examples([''] * len(files), {}, {'image': encoded}, Crops())
    return from_host(examples, Order(len(files), batch, seed=0), Jit())


def compare(reference: Reference, names: list[str], ours: Callable[[], float]) -> dict[str, list[float]]:
    """Returns images per second of references and of ours, in turn."""
    measured: dict[str, list[float]] = {name: [] for name in [*names, 'ours']}
    for name in names:
        reference(name)
    ours()
    for _ in range(ROUNDS):
        for name in names:
            measured[name].append(reference(name))
        measured['ours'].append(ours())
    return measured


def quality(size: int, height: int, width: int) -> list[float]:
    """Returns the PSNR of random parts against the whole image decoded and resized alike, in dB."""
    crops, random, found = Crops(size), np.random.default_rng(0), []
    for seed in range(20):
        data = simplejpeg.encode_jpeg(picture(seed, height, width), quality=90)
        draws = random.random((TRIES, 4))
        expected = _slowly(simplejpeg.decode_jpeg(data), crops.random_box(height, width, draws), size)
        error = float(np.mean((crops.train(data, 3, draws) - expected) ** 2))
        found.append(10 * math.log10(255**2 / max(error, 1e-5)))
    return found


def _slowly(image: np.ndarray, box: Any, size: int) -> np.ndarray:
    """Returns a part, by means while it stays large enough, then by linear interpolation, f32."""
    times = next((each for each in (8, 4, 2) if size * each <= min(box.height, box.width)), 1)
    top, left, height, width = (each // times * times for each in box)
    part = image[top : top + height, left : left + width].astype(np.float32)
    small = part.reshape(height // times, times, width // times, times, 3).mean((1, 3))
    return cv2.resize(small, (size, size), interpolation=cv2.INTER_LINEAR)


def first_batches(folder: Path) -> list[float]:
    """Returns the seconds to the batch of step 1,000,000 of a million examples, all opened anew."""
    n, split = 1_000_000, folder / 'train'
    split.mkdir()
    open_memmap(split / 'image.npy', 'w+', np.uint8, (n, 32, 32, 3)).flush()
    (split / 'ids.txt').write_text(''.join(f'example-{index:07}\n' for index in range(n)))
    spec = Spec({'image': jax.ShapeDtypeStruct((32, 32, 3), np.uint8)})
    seconds = []
    for _ in range(ROUNDS):
        start = time.perf_counter()
        data = Dataset('million', '1.0.0', '', spec, {'train': n}, folder)
        batch_source(data.split('train'), Order(n, BATCH, seed=0), Jit()).inputs(1_000_000, 1)
        seconds.append(time.perf_counter() - start)
    return seconds


def anonymous() -> int:
    """Returns the bytes of this process that no file holds."""
    lines = Path('/proc/self/smaps_rollup').read_text().splitlines()
    return 1024 * next(int(line.split()[1]) for line in lines if line.startswith('Anonymous:'))


def memory(sources: list[tuple[FromHost, int]]) -> list[int]:
    """Returns the anonymous memory after each of ten epochs of some sources, in bytes."""
    found = []
    for epoch in range(10):
        for source, steps in sources:
            for step in range(epoch * steps, (epoch + 1) * steps):
                source.inputs(step, 1)
        found.append(anonymous())
    return found


def main() -> None:
    """Measures all four parts and says which of the promises hold."""
    if not PYTHON.exists():
        sys.exit(f'error: this compares with TensorFlow and Grain, and {PYTHON} does not exist.\n\n{__doc__}')
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_small(folder)
        files = write_jpegs(folder)
        grown = memory([(from_memory(folder), SMALL // BATCH), (from_jpegs(files, 16), PICTURES // 16)])
        started = first_batches(folder)

        source, steps = from_memory(folder), iter(range(10**9))
        names = ['tf.data', 'tf.data, cached', 'Grain']
        small = table(
            '32 x 32',
            'images/s',
            compare(Reference(folder, 'all'), names, lambda: rate(source, steps, BATCH, time.perf_counter)),
        )
        with one_cpu():
            source, steps = from_jpegs(files), iter(range(10**9))
            large = table(
                'JPEG, 1 CPU',
                'images/s',
                compare(
                    Reference(folder, 'one'),
                    ['tf.data, JPEG'],
                    lambda: rate(source, steps, 64, time.process_time),
                ),
            )
    ours = small['medians']['ours']
    psnr = {'500 x 375': min(quality(224, 375, 500)), '2000 x 1500': min(quality(224, 1500, 2000))}
    promises = {
        '32 x 32 over tf.data': (ours / small['medians']['tf.data'], 20),
        '32 x 32 over tf.data, cached': (ours / small['medians']['tf.data, cached'], 3),
        '32 x 32 over Grain': (ours / small['medians']['Grain'], 5),
        'JPEG over tf.data': (large['ratios']['ours'], 1),
        'least PSNR, dB': (min(psnr.values()), 40),
        'seconds to step 1,000,000': (median(started), -1),
        'memory, epoch 10 over 3, - 1': (grown[9] / grown[2] - 1, -0.02),
    }
    show(promises)
    print(
        json.dumps(
            {
                'benchmark': 'inputs',
                'small': small,
                'jpeg': large,
                'psnr': psnr,
                'first_batch_seconds': median(started),
                'anonymous_bytes': grown,
                'kilobytes_per_jpeg': round(sum(map(len, files)) / len(files) / 1000, 1),
                'promises': {name: [found, bound] for name, (found, bound) in promises.items()},
            }
        )
    )


if __name__ == '__main__':
    main()
