"""The folder of a released model: its files, its name, its checksums. Reading one needs no JAX."""

import re
from pathlib import Path
from typing import Any

from engine import files
from engine.errors import UserError, did_you_mean
from engine.workspace import workspace

VARIABLES, PROGRAM, CONFIG, DATASET = 'model.safetensors', 'model.stablehlo', 'config.gin', 'dataset.json'
RECORD, METRICS, CARD, CHECKSUMS = 'release.json', 'metrics.json', 'README.md', 'checksums.txt'
PREFIX = 'model:'  # before the name of a release, where a path could stand too

_NAME = re.compile(r'[A-Za-z0-9][A-Za-z0-9._-]{0,99}')


def home() -> Path:
    """Returns the folder of all releases."""
    return workspace() / 'models'


def place(name: str, version: str) -> Path:
    """Returns the folder of a new release.

    Raises:
      UserError: name or version is not the name of a folder, or the version exists.
    """
    for flag, value in (('name', name), ('version', version)):
        if not _NAME.fullmatch(value):
            raise UserError(
                f'--{flag}={value}: use letters, digits, dots, dashes and underscores, at most 100; begin '
                'with a letter or a digit.'
            )
    folder = home() / name / version
    if folder.exists():
        raise UserError(taken(folder))
    return folder


def taken(folder: Path) -> str:
    """Returns the message that a version exists already."""
    known = ', '.join(versions(folder.parent.name)) or 'no release'
    return (
        f'{folder} exists already. A release never changes: choose another --version. '
        f'{folder.parent.name} has {known}.'
    )


def versions(name: str) -> list[str]:
    """Returns the versions of a model, the oldest first: numbers in them count as numbers."""
    found = [path.parent.name for path in (home() / name).glob(f'*/{RECORD}')]
    return sorted((name for name in found if not name.startswith('.')), key=_order)


def _order(version: str) -> list[tuple[int, int, str]]:
    """Returns a key by which 1.10 comes after 1.9, and 1.0 after 1.0-rc1."""
    parts = re.findall(r'\d+|[A-Za-z]+', version)
    return [(2, int(part), '') if part.isdecimal() else (0, 0, part) for part in parts] + [(1, 0, '')]


def find(name: str) -> Path:
    """Returns the folder of a release, its files compared with their checksums.

    Args:
      name: '<name>/<version>', or '<name>' for the latest version; 'model:' may stand before it.

    Raises:
      UserError: there is no such release, or a file of it is damaged.
    """
    model, _, version = name.removeprefix(PREFIX).partition('/')
    known = versions(model) if _NAME.fullmatch(model) else []
    if not known:
        models = {path.parents[1].name for path in home().glob(f'*/*/{RECORD}')}
        raise UserError(f'{home()} has no model {model!r}. {did_you_mean(model, models)}')
    if version and version not in known:
        raise UserError(f'{home() / model} has no version {version!r}. {did_you_mean(version, known)}')
    folder = home() / model / (version or known[-1])
    check(folder)
    return folder.resolve()


def record(folder: Path) -> dict[str, Any]:
    """Returns the content of release.json."""
    return files.read_json(folder / RECORD)


def write_checksums(folder: Path) -> None:
    """Writes the sha256 of all files, as `sha256sum --check` reads them."""
    lines = [f'{files.sha256(path)}  {path.name}\n' for path in sorted(folder.iterdir())]
    (folder / CHECKSUMS).write_text(''.join(lines), encoding='utf-8')


def check(folder: Path) -> None:
    """Raises `UserError` if a file of a release is missing or damaged."""
    try:
        lines = (folder / CHECKSUMS).read_text(encoding='utf-8').splitlines()
        pairs = {name: digest for digest, _, name in (line.partition('  ') for line in lines)}
    except (OSError, ValueError) as error:
        raise UserError(f'{folder / CHECKSUMS} cannot be read. {_COPY}') from error
    for name in (VARIABLES, PROGRAM, CONFIG, DATASET, RECORD):
        if name not in pairs:
            raise UserError(f'{folder / CHECKSUMS} does not list {name}. {_COPY}')
    for name, digest in pairs.items():
        path = folder / name
        if Path(name).name != name or not path.is_file() or files.sha256(path) != digest:
            problem = 'is damaged: its sha256 has changed' if path.is_file() else 'is missing'
            raise UserError(f'{path} {problem}. {_COPY}')


_COPY = 'Copy the release again, or release the run under another version.'
