"""Compares the present environment of a run with its record.

| differs                                                    | then                                        |
|------------------------------------------------------------|---------------------------------------------|
| config, data, code, packages, flags that change numbers    | refused, unless --accept_changes is given   |
| host, CPUs, devices, driver, paths of libraries            | one warning; with --strict refused          |

Both are recorded in changes.jsonl.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

CHANGES_FILE = 'changes.jsonl'
MACHINE = (
    *('system', 'host', 'cpus', 'threads', 'library_paths'),
    *('accelerator', 'driver', 'devices', 'processes'),
)
_MAX_LINES = 12  # of one subject in a message
_MAX_VALUE = 80  # characters of a value in a message

Change = tuple[Any, Any]  # the recorded value and the present one; None where there is none
Changes = Mapping[str, Change]


@dataclass(frozen=True)
class Differences:
    """What differs between the record of a run and the present, by subject; each by name.

    Attributes:
      numeric: what may change numbers: config, data, code, packages, flags.
      machine: host, CPUs and devices.
      unknown: why code, packages, flags and machine cannot be compared; '' if they can.
    """

    numeric: Mapping[str, Changes] = field(default_factory=dict)
    machine: Changes = field(default_factory=dict)
    unknown: str = ''

    def __bool__(self) -> bool:
        """Whether anything differs."""
        return bool(self.numeric or self.machine)

    def only(self, subject: str) -> 'Differences':
        """Returns the differences of one subject that may change numbers."""
        return Differences({name: changes for name, changes in self.numeric.items() if name == subject})

    def lines(self) -> list[str]:
        """Returns a line for each difference, what may change numbers first."""
        return [*_lines(self.numeric), *_lines({'machine': self.machine} if self.machine else {})]

    def append_to(self, folder: Path, program: str, step: int) -> None:
        """Appends a line to changes.jsonl in a run folder, if anything differs.

        Args:
          folder: the run folder.
          program: what the changes are for, 'train' or 'predict'.
          step: the step of the run.
        """
        if self:
            now = datetime.now(UTC).isoformat(timespec='seconds')
            subjects = dict(self.numeric) | ({'machine': self.machine} if self.machine else {})
            line = {'time': now, 'program': program, 'step': step} | subjects
            with (folder / CHANGES_FILE).open('a', encoding='utf-8') as file:
                file.write(json.dumps(line) + '\n')


def between(
    recorded: Mapping[str, Any], present: Mapping[str, Any], config: Changes, data: Changes
) -> Differences:
    """Compares a record with the present environment.

    Args:
      recorded: the newest record of the run.
      present: the present environment.
      config: the parameters that differ.
      data: what differs in the dataset.
    """
    known: dict[str, Changes] = {'config': config, 'data': data}
    if not all(isinstance(recorded.get(name), dict) for name in ('code', 'packages', 'flags')):
        return Differences(_present_subjects(known), unknown=_unknown(recorded))
    known['code'] = _changed(_files(recorded), _files(present))
    known['packages'] = {
        **_changed({'python': recorded.get('python')}, {'python': present['python']}),
        **_changed(recorded['packages'], present['packages']),
    }
    known['flags'] = _changed_flags(recorded, present)
    machines = [{name: record.get(name) for name in MACHINE} for record in (recorded, present)]
    return Differences(_present_subjects(known), _changed(*machines))


def _changed_flags(recorded: Mapping[str, Any], present: Mapping[str, Any]) -> Changes:
    """Compares flags. If the versions of JAX differ, flags of JAX that only one of them has do not count."""
    old, new = recorded['flags'], present['flags']
    changed = _changed(old, new)
    if recorded['packages'].get('jax') == present['packages'].get('jax'):
        return changed
    return {
        name: change for name, change in changed.items() if name.isupper() or (name in old and name in new)
    }


def _unknown(recorded: Mapping[str, Any]) -> str:
    reason = 'has no record of code, packages and flags' if recorded else 'is missing or damaged'
    return f'environment.json {reason}, so they cannot be compared with the present ones'


def _present_subjects(subjects: Mapping[str, Changes]) -> dict[str, Changes]:
    return {subject: changes for subject, changes in subjects.items() if changes}


def _files(record: Mapping[str, Any]) -> Mapping[str, Any]:
    files = record['code'].get('files')
    return files if isinstance(files, dict) else {}


def _changed(old: Mapping[str, Any], new: Mapping[str, Any]) -> dict[str, Change]:
    pairs = {name: (old.get(name), new.get(name)) for name in sorted(old.keys() | new.keys())}
    return {name: (one, other) for name, (one, other) in pairs.items() if one != other}


def _lines(subjects: Mapping[str, Changes]) -> Iterator[str]:
    for subject, changes in subjects.items():
        describe = _code_line if subject == 'code' else _line
        for name, change in list(changes.items())[:_MAX_LINES]:
            yield f'{subject}: {describe(name, *change)}'
        if len(changes) > _MAX_LINES:
            yield f'{subject}: and {len(changes) - _MAX_LINES} more'


def _code_line(name: str, old: Any, new: Any) -> str:
    return f'{name} {"was added" if old is None else "was removed" if new is None else "has changed"}'


def _line(name: str, old: Any, new: Any) -> str:
    return f'{name}: {_shown(old)} -> {_shown(new)}'


def _shown(value: Any) -> str:
    """Returns a value as one short line."""
    if isinstance(value, dict):
        value = ', '.join(f'{name}={part}' for name, part in value.items())
    text = 'none' if value is None or value == '' else ' '.join(str(value).split())
    return text if len(text) <= _MAX_VALUE else f'{text[:_MAX_VALUE]}...'
