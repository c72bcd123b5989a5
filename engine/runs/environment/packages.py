"""The installed packages: all of them, and those that some code uses.

Names and versions come from the names of the folders that pip leaves beside each package, because reading the
metadata of a hundred packages takes a quarter of a second.
"""

import os
import re
import sys
from collections.abc import Iterable
from pathlib import Path

from engine.runs.environment.disk_cache import DiskCache

_REQUIREMENT = re.compile(rb'^Requires-Dist: *([\w.-]+)(?!.*\bextra *==)', re.MULTILINE)
_METADATA = re.compile(r'.*\.(dist|egg)-info', re.DOTALL)
# What JAX loads by itself to reach an accelerator.
_PLUGINS = re.compile(r'(jax|nvidia|libtpu|triton|rocm)\b.*')


def installed() -> dict[str, str]:
    """Returns the version of each installed package, by name, sorted."""
    return {name: version for name, (version, _) in sorted(_installed().items())}


def used(modules: Iterable[str]) -> dict[str, str]:
    """Returns the version of each package that holds one of some top modules, and of all that these require.

    The packages that JAX loads to reach an accelerator are used too.

    >>> sorted({'jax', 'numpy'} & used(['jax']).keys())
    ['jax', 'numpy']
    """
    known, modules = _installed(), sorted(modules)
    cache = DiskCache(sys.modules[__name__])
    folders = {str(folder): _changed_at(folder) for _, folder in known.values()}
    names = cache.result(repr((modules, folders)).encode(), lambda: sorted(_used(modules, known)))
    cache.save()
    return {name: known[name][0] for name in names}


def _changed_at(folder: Path) -> int:
    """Returns when the entries of a folder have changed last, in nanoseconds; 0 if that is unknown."""
    try:
        return folder.stat().st_mtime_ns
    except OSError:
        return 0


def _used(modules: Iterable[str], known: dict[str, tuple[str, Path]]) -> set[str]:
    """Returns the names of the packages that modules use."""
    waiting = [*_packages_of(set(modules), known), *filter(_PLUGINS.fullmatch, known)]
    used: set[str] = set()
    while waiting:
        name = waiting.pop()
        if name in known and name not in used:
            used.add(name)
            waiting += _requirements(known[name][1])
    return used


def _installed() -> dict[str, tuple[str, Path]]:
    """Returns the version and the metadata of each installed package; the first one on the path wins."""
    packages: dict[str, tuple[str, Path]] = {}
    for entry in dict.fromkeys(sys.path):
        for folder in sorted(filter(_METADATA.fullmatch, _names(entry))):
            name, _, version = folder.rpartition('.')[0].partition('-')
            version = re.sub(r'-py\d.*', '', version)
            packages.setdefault(_normalised(name), (version, Path(entry, folder)))
    return packages


def _names(folder: str) -> list[str]:
    """Returns the names in a folder, none if it is not one."""
    try:
        return os.listdir(folder or '.')  # noqa: PTH208 (a tenth of the time of `glob`)
    except OSError:
        return []


def _normalised(name: str) -> str:
    return re.sub(r'[-_.]+', '-', name).lower()


def _packages_of(modules: set[str], known: dict[str, tuple[str, Path]]) -> list[str]:
    """Returns the packages that hold some top modules. Only those of another name are searched."""
    own = {module: _normalised(module) for module in modules - sys.stdlib_module_names}
    packages = [name for name in own.values() if name in known]
    searched = [module for module, name in own.items() if name not in known]
    if searched:
        names = '|'.join(map(re.escape, searched))
        pattern = re.compile(rf'^({names})(/|\.py,|\.[^/,]*so,)'.encode(), re.MULTILINE)
        packages += [name for name, (_, folder) in known.items() if pattern.search(_read(folder / 'RECORD'))]
    return packages


def _requirements(folder: Path) -> list[str]:
    """Returns the names of the packages that a package requires, those of its extras left out."""
    return [_normalised(name.decode()) for name in _REQUIREMENT.findall(_read(folder / 'METADATA'))]


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        return b''
