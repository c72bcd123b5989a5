"""The run that made some outputs: config, environment, notes and logs, as far as they can be read."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from engine.errors import UserError
from engine.outputs.outputs import Outputs
from engine.run_reader import logs as training_logs
from engine.run_reader import settings
from engine.run_reader.logs import TrainingLogs
from engine.run_reader.settings import Settings
from engine.runs.environment import history

CONFIG, ENVIRONMENT = 'config.gin', 'environment.json'
MAX_TEXT_BYTES = 2**20  # of a file; the rest is left out


@dataclass(frozen=True)
class Origin:
    """The run that made outputs.

    Attributes:
      folder: the run's folder.
      config: the text of its config.gin.
      settings: the settings in it.
      environment: its code, packages and machine, value by name; empty if unknown.
      notes: the researcher's notes, Markdown.
      card: the README.md of its dataset, Markdown.
      logs: its training logs.
    """

    folder: Path
    config: str
    settings: Settings
    environment: Mapping[str, str]
    notes: str
    card: str
    logs: TrainingLogs


def of(outputs: Outputs) -> Origin | None:
    """Returns the run that outputs belong to; None if they belong to none."""
    run = outputs.folder.resolve().parent.parent
    if not (run / CONFIG).is_file():
        return None
    config = _text(run / CONFIG)
    return Origin(
        folder=run,
        config=config,
        settings=settings.parse(config),
        environment=_flat(_json(run / ENVIRONMENT)),
        notes=_text(run / 'notes.md'),
        card=_text(run / 'dataset.md'),
        logs=training_logs.read(run),
    )


def versions(run: Path) -> tuple[list[str], list[str]]:
    """Returns each version of the code that trained a run, and the digest of each; none if they are unknown.

    Raises:
      UserError: environment.json is damaged.
    """
    path = run / ENVIRONMENT
    try:
        environment = json.loads(path.read_text(encoding='utf-8')) if path.is_file() else {}
    except (OSError, ValueError, RecursionError) as error:
        raise UserError(f'{path} is damaged: {error}. Restore or delete it.') from error
    if not isinstance(environment, dict):
        raise UserError(f'{path} is damaged: it holds no JSON object. Restore or delete it.')
    return history.versions(environment), history.code_digests(environment)


def order_files(run: Path) -> dict[str, str]:
    """Returns the sha256 of each file that the order of a run's training examples reads, by its name."""
    recorded = history.latest(_json(run / ENVIRONMENT)).get('order')
    files = recorded if isinstance(recorded, dict) else {}
    return {name: sha256 for name, sha256 in files.items() if isinstance(sha256, str)}


def _text(path: Path) -> str:
    """Returns the text of a file, cut if it is huge; '' if it cannot be read."""
    if not path.is_file():  # reading a pipe could wait forever
        return ''
    try:
        with path.open('rb') as file:
            return file.read(MAX_TEXT_BYTES).decode('utf-8', 'replace')
    except OSError:
        return ''


def _json(path: Path) -> dict[str, Any]:
    try:
        values = json.loads(_text(path))
    except (ValueError, RecursionError):
        return {}
    return values if isinstance(values, dict) else {}


def _flat(values: Mapping[str, Any]) -> dict[str, str]:
    """Returns nested values as text, by names such as `packages.jax`."""
    flat = {}
    for name, value in values.items():
        if isinstance(value, dict):
            flat |= {f'{name}.{inner}': text for inner, text in _flat(value).items()}
        elif name == 'command' and isinstance(value, list):
            flat[name] = ' '.join(map(str, value))
        else:
            flat[name] = value if isinstance(value, str) else json.dumps(value)
    return flat
