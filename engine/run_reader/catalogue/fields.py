"""What the table knows of a run by name: for its columns, for filters and for sorting."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from engine.errors import UserError, did_you_mean
from engine.run_reader.catalogue.entry import RunEntry

Value = str | float | None

# The names that win over metrics and parameters of the same name.
FIXED: Mapping[str, Callable[[RunEntry], Value]] = {
    'run': lambda entry: entry.name,
    'state': lambda entry: str(entry.liveness.state),
    'step': lambda entry: entry.step,
    'steps': lambda entry: entry.steps,
    'progress': lambda entry: progress(entry),
    'best': lambda entry: entry.best[1] if entry.best else None,
    'best_step': lambda entry: entry.best[0] if entry.best else None,
    'metric': lambda entry: entry.best_metric[0] or None,
    'time': lambda entry: entry.seconds,
    'started': lambda entry: entry.started.isoformat(timespec='seconds') if entry.started else None,
    'age': lambda entry: (datetime.now(UTC) - entry.started).total_seconds() if entry.started else None,
    'dataset': lambda entry: (
        entry.settings.trainer('dataset').strip('\'"') or None if entry.settings else None
    ),
    'seed': lambda entry: entry.settings.seed or None if entry.settings else None,
    'host': lambda entry: entry.status.get('host'),
}
DURATIONS = ('time', 'age')


def progress(entry: RunEntry) -> float | None:
    """Returns the share of the steps that are done; None if the number of steps is unknown."""
    return entry.step / entry.steps if entry.steps else None


class Fields:
    """The names by which runs can be filtered, sorted and shown.

    Args:
      entries: the runs.
    """

    def __init__(self, entries: Sequence[RunEntry]):
        self._is_empty = not entries
        self._metrics = {name for entry in entries for name in entry.metrics}
        configs = [entry.settings for entry in entries if entry.settings]
        self._parameters = {name for config in configs for name in (*config.macros, *config.values)}
        ends = Counter(end for name in self._parameters for end in _ends(name))
        self._short = {end: name for name in self._parameters for end in _ends(name) if ends[end] == 1}

    def full(self, name: str, flag: str) -> str:
        """Returns the full name of a field, of which users may write an end.

        Args:
          name: as the user wrote it.
          flag: the flag, for the message.

        Raises:
          UserError: there are runs, and none has such a field.
        """
        if self._is_empty or name in FIXED or name in self._metrics or name in self._parameters:
            return name
        if name.lower() in FIXED:
            return name.lower()
        if name not in self._short:
            known = [*FIXED, *self._metrics, *self._parameters, *self._short]
            raise UserError(f'{flag}: no run has {name!r}. {did_you_mean(name, known)}')
        return self._short[name]

    def value(self, entry: RunEntry, name: str) -> Value:
        """Returns the value of a field, by its full name; None if the run lacks it."""
        if name in FIXED:
            return FIXED[name](entry)
        if name in self._metrics:
            return entry.metrics.get(name)
        if not entry.settings:
            return None
        return entry.settings.macros.get(name, entry.settings.values.get(name))

    def as_json(self, entry: RunEntry) -> dict[str, Any]:
        """Returns all that is known of a run, for programs."""
        config = entry.settings
        return {
            'folder': entry.folder,
            **{name: value(entry) for name, value in FIXED.items()},
            'reason': entry.liveness.reason or None,
            'metrics': entry.metrics,
            'parameters': {**config.values, **config.macros} if config else {},
            'notes': entry.notes,
        }


def _ends(name: str) -> list[str]:
    """Returns the shorter names of a parameter.

    >>> _ends('mlp.MLP.width')
    ['MLP.width', 'width']
    """
    parts = name.split('.')
    return ['.'.join(parts[start:]) for start in range(1, len(parts))]
