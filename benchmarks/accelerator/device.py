"""Measures what the device can do: the rate of a large matrix product, and that of a copy in its memory.

    python -m benchmarks.accelerator.device [--small]

No program is faster than these two rates allow.
"""

import argparse
import platform
import time
from importlib import metadata
from statistics import median
from typing import Any

import jax
import jax.numpy as jnp

from benchmarks.accelerator.figures import figure

REPETITIONS = 10
PACKAGES = ('jax', 'jaxlib', 'flax', 'optax', 'torch')


def seconds(function: Any, *arguments: jax.Array) -> float:
    """Returns the median time of a call, seconds."""
    jax.block_until_ready(function(*arguments))
    times = []
    for _ in range(REPETITIONS):
        start = time.perf_counter()
        jax.block_until_ready(function(*arguments))
        times.append(time.perf_counter() - start)
    return median(times)


def matrix_rate(side: int) -> float:
    """Returns the rate of a bf16 matrix product of random numbers, FLOP/s."""
    one, other = (jax.random.normal(jax.random.key(seed), (side, side), jnp.bfloat16) for seed in range(2))
    return 2 * side**3 / seconds(jax.jit(jnp.matmul), one, other)


def copy_rate(size: int) -> float:
    """Returns the rate of a copy in the device's memory, bytes read and written per second."""
    array = jnp.ones(size // 4, jnp.float32)
    return 2 * size / seconds(jax.jit(lambda x: x + 1), array)


def version(package: str) -> str | None:
    """Returns the version of a package, None if it is not installed."""
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def main() -> None:
    """Prints the device, the versions of the packages and the two rates."""
    parser = argparse.ArgumentParser()
    parser.add_argument('--small', action='store_true')
    is_small = parser.parse_args().small
    device = jax.devices()[0]
    figure('device', device.device_kind)
    figure('platform', device.platform)
    figure('versions', {'python': platform.python_version()} | {name: version(name) for name in PACKAGES})
    figure('bf16_matrix_product_tflops', round(matrix_rate(256 if is_small else 8192) / 1e12, 3))
    figure('copy_gb_per_second', round(copy_rate(2**20 if is_small else 2**31) / 1e9, 1))


if __name__ == '__main__':
    main()
