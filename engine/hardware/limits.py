"""How much memory programs may use: of a device, and of the machine, its container or job, or its shell."""

import os
import resource
from collections.abc import Iterator
from pathlib import Path

import jax

ROOT = Path('/')


def device_memory() -> tuple[int | None, str]:
    """Returns the bytes that a device of this process can allocate, None if unknown, and what limits them."""
    device = jax.local_devices()[0]
    if device.platform != 'cpu':
        limit = (device.memory_stats() or {}).get('bytes_limit')
        return (
            limit,
            f'of {device.device_kind}' if limit else f'{device.device_kind} does not report its memory',
        )
    size, limit = machine_memory()
    count = jax.local_device_count()
    return size // count, limit + (f', shared by {count} simulated devices' if count > 1 else '')


def machine_memory(root: Path = ROOT) -> tuple[int, str]:
    """Returns the bytes that this process may use on its machine, and what limits them.

    Args:
      root: of the file system that states the limits of a container.
    """
    physical = os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES')
    shell, _ = resource.getrlimit(resource.RLIMIT_AS)
    limits = [(physical, 'of this machine')]
    limits += [(size, 'of this container or job') for size in _cgroup_limits(root)]
    if shell != resource.RLIM_INFINITY:
        limits.append((shell, 'by `ulimit -v` of this shell'))
    return min(limits)


def _cgroup_limits(root: Path) -> Iterator[int]:
    """Yields the limits that containers and batch systems set, by control groups of Linux."""
    own = root / 'proc/self/cgroup'
    lines = own.read_text(encoding='utf-8').splitlines() if own.is_file() else []
    for _, controllers, group in (line.split(':', 2) for line in lines if line.count(':') >= 2):
        if controllers and 'memory' not in controllers.split(','):
            continue
        top, file = ('memory', 'memory.limit_in_bytes') if controllers else ('', 'memory.max')
        folder = Path(group.lstrip('/'))
        for part in (folder, *folder.parents):
            limit = root / 'sys/fs/cgroup' / top / part / file
            text = limit.read_text(encoding='utf-8').strip() if limit.is_file() else ''
            if text.isdigit():
                yield int(text)
