"""JSON files that are replaced atomically."""

import json
from pathlib import Path
from typing import Any

from engine import files


def write(path: Path, values: Any) -> None:
    """Replaces a JSON file atomically."""
    files.write_text(path, json.dumps(values, indent=2) + '\n')


def read(path: Path) -> dict[str, Any]:
    """Returns the object in a JSON file; an empty one if the file is missing or damaged."""
    try:
        values = json.loads(path.read_text(encoding='utf-8'))
    except (FileNotFoundError, ValueError):
        return {}
    return values if isinstance(values, dict) else {}
