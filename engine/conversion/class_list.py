"""Reads the names of classes from a text file, from JSON or from the data.yaml of YOLO."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

from engine.errors import UserError


def read(path: Path) -> list[str]:
    """Reads names in the order of their classes.

    Args:
      path: a text file with one name per line; or a .json, .yaml or .yml file with a list of names, with a
        mapping of numbers to names or of names to numbers, or with one of these as `names`.

    Raises:
      UserError: the file cannot be read, or a number or a name is missing or occurs twice.
    """
    try:
        text = path.read_text(encoding='utf-8-sig')
    except UnicodeDecodeError as error:
        raise UserError(f'{path} is not UTF-8: {error}.') from error
    if path.suffix.lower() not in ('.json', '.yaml', '.yml'):
        return _checked(path, [line.strip() for line in text.splitlines() if line.strip()])
    try:
        content = json.loads(text) if path.suffix.lower() == '.json' else yaml.safe_load(text)
    except (ValueError, yaml.YAMLError, RecursionError) as error:
        raise UserError(f'{path} cannot be read: {error}.') from error
    if isinstance(content, dict) and 'names' in content:
        content = content['names']
    return _checked(path, _in_order(path, content))


def _in_order(path: Path, content: Any) -> Sequence[Any]:
    if isinstance(content, list):
        return content
    if not isinstance(content, dict):
        raise UserError(f'{path} holds no names of classes. Write a list of them, one per line.')
    pairs = {_number(key): name for key, name in content.items()}
    if None in pairs:
        pairs = {_number(value): name for name, value in content.items()}
    if set(pairs) != set(range(len(content))):
        raise UserError(f'{path}: the numbers of the classes are not 0 to {len(content) - 1}.')
    return [pairs[index] for index in range(len(content))]


def _number(value: Any) -> int | None:
    text = str(value)
    return int(text) if text.isascii() and text.isdecimal() else None


def _checked(path: Path, names: Sequence[Any]) -> list[str]:
    texts = [str(name).strip() for name in names]
    repeated = next((name for name in texts if texts.count(name) > 1 or not name), None)
    if repeated is not None:
        raise UserError(f'{path}: the class {repeated!r} occurs twice or has no name.')
    if not texts:
        raise UserError(f'{path} holds no names of classes.')
    return texts
