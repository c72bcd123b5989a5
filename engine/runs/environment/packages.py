"""The installed packages: all of them, and those that some code uses.

Names and versions come from the names of the folders that pip leaves beside each package, because reading the
metadata of a hundred packages takes a quarter of a second.
"""

import re
import sys
from collections.abc import Iterable
from pathlib import Path

_REQUIREMENT = re.compile(rb'^Requires-Dist: *([\w.-]+)(?!.*\bextra *==)', re.MULTILINE)
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
    known = _installed()
    waiting = [*_packages_of(set(modules), known), *filter(_PLUGINS.fullmatch, known)]
    found: dict[str, str] = {}
    while waiting:
        name = waiting.pop()
        if name in known and name not in found:
            found[name], folder = known[name]
            waiting += _requirements(folder)
    return dict(sorted(found.items()))


def _installed() -> dict[str, tuple[str, Path]]:
    """Returns the version and the metadata of each installed package; the first one on the path wins."""
    packages: dict[str, tuple[str, Path]] = {}
    for entry in map(Path, dict.fromkeys(sys.path)):
        for folder in sorted([*entry.glob('*.dist-info'), *entry.glob('*.egg-info')]):
            name, _, version = folder.stem.partition('-')
            version = re.sub(r'-py\d.*', '', version)
            packages.setdefault(_normalised(name), (version, folder))
    return packages


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
