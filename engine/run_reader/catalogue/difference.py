"""What differs between two runs: their records, the first step, and the best evaluation."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from engine.run_reader import first_difference as log_differences
from engine.run_reader import plain_files, settings
from engine.run_reader.catalogue.details import environment
from engine.run_reader.catalogue.entry import RunEntry
from engine.run_reader.first_difference import LogDifference
from engine.runs.environment import differences, history
from engine.runs.environment.differences import Changes, Differences

SUBJECTS = ('config', 'data', 'code', 'packages', 'flags', 'machine')


@dataclass(frozen=True)
class RunDifference:
    """What differs between two runs.

    Attributes:
      record: config, data, code, packages, flags and machine.
      known: those of them that both runs have recorded.
      steps: how many steps, and how many evaluations, both logs hold.
      first: the first number in which the logs differ; None if all that both hold are equal.
    """

    record: Differences
    known: Sequence[str]
    steps: tuple[int, int]
    first: LogDifference | None

    def lines(self) -> list[str]:
        """Returns the difference for people, a line each."""
        differing = {*self.record.numeric, *(['machine'] if self.record.machine else [])}
        equal = ', '.join(subject for subject in self.known if subject not in differing)
        unknown = ', '.join(subject for subject in SUBJECTS if subject not in {*self.known, *differing})
        reason = f' ({self.record.unknown})' if self.record.unknown else ''
        return [
            *self.record.lines(),
            *([f'equal: {equal}'] if equal else []),
            *([f'unknown: {unknown}{reason}'] if unknown else []),
            f'logs: {self._logs()}',
        ]

    def _logs(self) -> str:
        if self.first:
            return f'they differ first at {self.first.text}'
        steps, evaluations = (
            plain_files.counted(number, noun)
            for number, noun in zip(self.steps, ('step', 'evaluation'), strict=True)
        )
        if not any(self.steps):
            return 'they have no step in common'
        return f'equal to the bit in all that both have, {steps} and {evaluations}'

    def as_json(self) -> dict[str, Any]:
        """Returns the difference for programs. A subject that is unknown is null."""
        changes = {**self.record.numeric, 'machine': self.record.machine}
        return {
            **{name: changes.get(name) or ({} if name in self.known else None) for name in SUBJECTS},
            'unknown': self.record.unknown or None,
            'common_steps': self.steps[0],
            'common_evaluations': self.steps[1],
            'first_difference': self.first and self.first._asdict(),
        }


def between(one: RunEntry, other: RunEntry) -> RunDifference:
    """Compares two runs as far as their files tell."""
    train, val = log_differences.common_steps(one.folder, other.folder)
    return RunDifference(
        *_records(one, other),
        (len(train), len(val)),
        log_differences.first_difference(one.folder, other.folder),
    )


def _records(one: RunEntry, other: RunEntry) -> tuple[Differences, list[str]]:
    """Returns what differs between the records of two runs, and the subjects that both have recorded."""
    pair = (one, other)
    records = [history.latest(environment(entry.folder)) for entry in pair]
    configs = [plain_files.text(entry.folder / 'config.gin', []) for entry in pair]
    data = [_fingerprints(entry, record) for entry, record in zip(pair, records, strict=True)]
    stated = {'config': all(configs), 'data': all('fingerprint' in known for known in data)}
    config = settings.changes(*configs) if stated['config'] else {}
    known = [name for name, is_stated in stated.items() if is_stated]
    data_changes = _changes(*data) if stated['data'] else {}
    for entry, record in zip(pair, records, strict=True):
        result = differences.between(record, {'python': None, **_EMPTY}, config, data_changes)
        if result.unknown:
            reason = result.unknown.partition(',')[0]
            return Differences(result.numeric, unknown=f'{entry.name}: {reason}'), known
    present = {'python': None, **records[1]}
    return differences.between(records[0], present, config, data_changes), [*known, *SUBJECTS[2:]]


_EMPTY: Mapping[str, Any] = {'code': {}, 'packages': {}, 'flags': {}}


def _fingerprints(entry: RunEntry, record: Mapping[str, Any]) -> dict[str, Any]:
    """Returns name and fingerprint of the dataset, and the fingerprints of what else the run reads."""
    dataset = record.get('dataset')
    known = dataset if isinstance(dataset, dict) else {}
    others = (entry.status.get('evaluated_fingerprints'), entry.status.get('order_files'))
    fingerprint = entry.status.get('dataset_fingerprint') or known.get('fingerprint')
    values = {'dataset': known.get('name'), 'fingerprint': fingerprint}
    for mapping in others:
        values |= mapping if isinstance(mapping, dict) else {}
    return {name: value for name, value in values.items() if value is not None}


def _changes(one: Mapping[str, Any], other: Mapping[str, Any]) -> Changes:
    names = [*dict.fromkeys([*one, *other])]
    return {name: (one.get(name), other.get(name)) for name in names if one.get(name) != other.get(name)}


def best_line(one: RunEntry, other: RunEntry) -> str:
    """Returns the best evaluation of both runs."""
    return f'best: {_best(one)} in a, {_best(other)} in b'


def _best(entry: RunEntry) -> str:
    if not entry.best:
        return 'none'
    step, value = entry.best
    return f'{entry.best_metric[0]} {value:.6g} after step {step:,}'
