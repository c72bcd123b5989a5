"""What the run that made some outputs tells: read from its folder as far as it goes, for people."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from engine.outputs.outputs import Outputs
from engine.run_reader import logs as training_logs
from engine.run_reader import settings
from engine.run_reader.logs import TrainingLogs
from engine.run_reader.settings import Settings

CONFIG = 'config.gin'
LARGEST = 2**20  # bytes of a file that are read


@dataclass(frozen=True)
class Origin:
    """The run that made outputs.

    Attributes:
      folder: of the run.
      config: its whole config.
      settings: what that says.
      environment: its code, packages and machine, value by name; empty if unknown.
      notes: the researcher's own, Markdown.
      card: what the dataset's README.md said, Markdown.
      logs: of its training.
    """

    folder: Path
    config: str
    settings: Settings
    environment: Mapping[str, str]
    notes: str
    card: str
    logs: TrainingLogs


def of(found: Outputs) -> Origin | None:
    """Returns the run in whose folder outputs lie; None of others."""
    run = found.folder.resolve().parent.parent
    if not (run / CONFIG).is_file():
        return None
    config = _text(run / CONFIG)
    return Origin(
        folder=run,
        config=config,
        settings=settings.parse(config),
        environment=_flat(_json(run / 'environment.json')),
        notes=_text(run / 'notes.md'),
        card=_text(run / 'dataset.md'),
        logs=training_logs.read(run),
    )


def _text(path: Path) -> str:
    """Returns a text, its beginning if it is huge; '' if it cannot be read."""
    if not path.is_file():  # a pipe, say, which one could wait for without end
        return ''
    try:
        with path.open('rb') as file:
            return file.read(LARGEST).decode('utf-8', 'replace')
    except OSError:
        return ''


def _json(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(_text(path))
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _flat(values: Mapping[str, Any]) -> dict[str, str]:
    """Returns values within values by names such as `packages.jax`, all as people read them."""
    flat = {}
    for name, value in values.items():
        if isinstance(value, dict):
            flat |= {f'{name}.{inner}': each for inner, each in _flat(value).items()}
        elif name == 'command' and isinstance(value, list):
            flat[name] = ' '.join(map(str, value))
        else:
            flat[name] = value if isinstance(value, str) else json.dumps(value)
    return flat
