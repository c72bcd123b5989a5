"""The results of a device: a file of JSON, `benchmarks/results/<device>.json`.

    {"device": "AMD EPYC, 2 cores",
     "benchmarks": {
      "overhead": {"measured": "2026-11-27", "commit": "...", "packages": {...}, "result": {...}}}}

`result` is the line of JSON that the benchmark printed. Its `bounds` become the rows of the table.
"""

import os
import platform
import re
import subprocess
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any

from engine import files
from engine.workspace import REPOSITORY

FOLDER = REPOSITORY / 'benchmarks' / 'results'
SUITE = ('overhead', 'startup', 'peers', 'scaling', 'checkpoint', 'inputs', 'evaluate')  # for a laptop
PACKAGES = ('jax', 'jaxlib', 'flax', 'optax', 'orbax-checkpoint', 'numpy')


def device(accelerator: str = 'cpu') -> str:
    """Returns the name of the device: that of the accelerator, else the model and the cores of the CPU.

    Args:
      accelerator: as JAX calls it (`device_kind`).
    """
    if accelerator != 'cpu':
        return accelerator
    cores = len(os.sched_getaffinity(0)) if hasattr(os, 'sched_getaffinity') else os.cpu_count()
    return f'{cpu_model()}, {cores} cores'


def cpu_model(cpuinfo: Path = Path('/proc/cpuinfo')) -> str:
    """Returns the model of the CPU, as far as the operating system knows it."""
    text = cpuinfo.read_text(encoding='utf-8', errors='replace') if cpuinfo.is_file() else ''
    if named := re.search(r'^model name\s*:\s*(.+)$', text, re.MULTILINE):
        return ' '.join(named[1].split())
    return platform.processor() or platform.machine()


def path(name: str, folder: Path = FOLDER) -> Path:
    """Returns the file of a device's results.

    >>> path('NVIDIA H100 80GB HBM3').name
    'nvidia-h100-80gb-hbm3.json'
    """
    return folder / f'{re.sub("[^a-z0-9]+", "-", name.lower()).strip("-")}.json'


def add(name: str, benchmark: str, result: Mapping[str, Any], folder: Path = FOLDER) -> Path:
    """Writes the result of a benchmark into the file of a device, in place of an earlier one.

    Args:
      name: of the device.
      benchmark: its name.
      result: what it printed as JSON.
      folder: of the results.

    Returns:
      The file.
    """
    file = path(name, folder)
    file.parent.mkdir(exist_ok=True)
    results = files.read_json(file) or {'device': name, 'benchmarks': {}}
    results['benchmarks'][benchmark] = {
        'measured': datetime.now(UTC).date().isoformat(),
        'commit': commit(),
        'packages': {'python': platform.python_version()} | versions(),
        'result': dict(result),
    }
    files.write_json(file, results)
    return file


@cache
def versions() -> dict[str, str]:
    """Returns the versions of the packages that numbers depend on most."""
    installed = {distribution.metadata['Name'] for distribution in metadata.distributions()}
    return {package: metadata.version(package) for package in PACKAGES if package in installed}


@cache
def commit() -> str:
    """Returns the commit of the repository, with a + if files differ from it, '' without git."""
    command = ['git', 'describe', '--always', '--abbrev=12', '--exclude=*', '--dirty=+']
    try:
        done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False)
    except OSError:
        return ''
    return done.stdout.strip()
