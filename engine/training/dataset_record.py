"""What a run records of the dataset that it is trained on: `dataset.json`.

Prediction on other data binds the task to this record. It works without the training data.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import numpy as np

from engine import files
from engine.datasets.reading.dataset import Dataset
from engine.errors import UserError
from engine.interfaces import Spec

FILE, FORMAT = 'dataset.json', 1


def write(run: Path, data: Dataset) -> None:
    """Writes the record into a run folder.

    A note of the dataset that JSON cannot hold is named in the record, which `read` then refuses.

    Args:
      run: the run folder.
      data: the dataset.
    """
    record: dict[str, Any] = {
        'format': FORMAT,
        'name': data.name,
        'version': data.version,
        'fingerprint': data.fingerprint,
        'splits': data.splits,
        'encoded': dict(data.encoded),
    }
    try:
        record['spec'] = _spec_as_json(data.spec)
    except TypeError as error:
        record['unrecorded'] = str(error)
    files.write_json(run / FILE, record)


def read(run: Path) -> Dataset:
    """Returns the dataset of a run without its examples.

    Raises:
      UserError: the record is missing or damaged, or lacks a note that JSON cannot hold.
    """
    path = run / FILE
    record = files.read_json(path)
    if 'unrecorded' in record:
        raise UserError(f'{path} does not describe the whole dataset: {record["unrecorded"]}.')
    try:
        parts = {name: record[name] for name in ('name', 'version', 'fingerprint', 'splits', 'encoded')}
        return Dataset(spec=_spec(record['spec']), folder=run / 'no-examples', **parts)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise UserError(f'{path} is missing or damaged.') from error


def _spec_as_json(spec: Spec) -> dict[str, Any]:
    fields = {
        name: {'shape': list(field.shape), 'dtype': np.dtype(field.dtype).name}
        for name, field in spec.example.items()
    }
    classes = {name: list(names) for name, names in spec.class_names.items()}
    notes = {name: _as_json(name, value) for name, value in spec.notes.items()}
    parts = {name: _spec_as_json(part) for name, part in spec.parts.items()}
    return {
        'example': fields,
        'class_names': classes,
        'notes': notes,
        'parts': parts,
        'multiple': spec.multiple,
    }


def _spec(record: dict[str, Any]) -> Spec:
    fields = {
        name: jax.ShapeDtypeStruct(tuple(field['shape']), np.dtype(field['dtype']))
        for name, field in record['example'].items()
    }
    classes = {name: tuple(names) for name, names in record['class_names'].items()}
    notes = {name: _value(value) for name, value in record['notes'].items()}
    parts = {name: _spec(part) for name, part in record['parts'].items()}
    return Spec(fields, classes, notes, parts, record['multiple'])


# Values that JSON has no form for are objects with one name: {"tuple": [1, 2]}.


def _as_json(note: str, value: Any) -> Any:
    """Returns a note as JSON from which `_value` makes an equal one, of the same type."""
    if value is None or type(value) in (bool, int, float, str):
        return value
    if type(value) is list:
        return [_as_json(note, item) for item in value]
    if type(value) is tuple:
        return {'tuple': [_as_json(note, item) for item in value]}
    if isinstance(value, dict):
        return {'dict': [[_as_json(note, key), _as_json(note, item)] for key, item in value.items()]}
    if isinstance(value, bytes):
        return {'bytes': value.hex()}
    if isinstance(value, (np.ndarray, np.generic)) and value.dtype.kind in 'biuf':
        return {'array': [value.dtype.name, list(value.shape), np.ravel(value).tolist()]}
    raise TypeError(f'its note {note!r} holds a value of type {type(value).__name__}')


def _value(record: Any) -> Any:
    if isinstance(record, list):
        return [_value(item) for item in record]
    if not isinstance(record, dict):
        return record
    ((kind, value),) = record.items()
    return _VALUES[kind](value)


_VALUES: dict[str, Callable[[Any], Any]] = {
    'tuple': lambda items: tuple(map(_value, items)),
    'dict': lambda pairs: {_value(key): _value(item) for key, item in pairs},
    'bytes': bytes.fromhex,
    'array': lambda parts: np.array(parts[2], parts[0]).reshape(parts[1])[()],
}
