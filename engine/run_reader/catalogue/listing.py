"""The table of runs, and the sentences below it."""

from collections import Counter
from collections.abc import Callable, Sequence

from engine.render.durations import duration
from engine.render.table import Cell, Table
from engine.run_reader import settings
from engine.run_reader.catalogue import fields as catalogue_fields
from engine.run_reader.catalogue.entry import RunEntry
from engine.run_reader.catalogue.fields import DURATIONS, Fields
from engine.run_reader.plain_files import counted, printable

DEFAULT_COLUMNS = ('state', 'progress', 'best', 'time', 'age')
DIFFERS = 'differs'
MAX_PARTS = 4  # parameters in the column `differs`
MAX_VALUE = 32  # characters of a value there
MAX_NOTES = 10


def table(entries: Sequence[RunEntry], columns: Sequence[str], fields: Fields) -> Table:
    """Returns a row per run.

    Args:
      entries: the runs.
      columns: full names of fields, or 'differs'; by default those of `DEFAULT_COLUMNS`, dataset and seed if
        they differ, and what else differs between the configs.
      fields: all fields.
    """
    differing = differences(entries)
    shown = columns or [*DEFAULT_COLUMNS, *_differing_columns(entries), *[DIFFERS] * any(differing)]
    rows = []
    for entry, differs in zip(entries, differing, strict=True):
        cells = [Cell(differs) if name == DIFFERS else _cell(entry, name, fields) for name in shown]
        rows.append([Cell(entry.name), *cells])
    return Table.of(['run', *shown], rows)


def _differing_columns(entries: Sequence[RunEntry]) -> list[str]:
    read = {name: catalogue_fields.FIXED[name] for name in ('dataset', 'seed')}
    return [name for name, value in read.items() if len({value(entry) for entry in entries}) > 1]


def differences(entries: Sequence[RunEntry]) -> list[str]:
    """Returns for each run the parameters in which the configs differ, macros first, such as 'RATE=0.1'."""
    columns = settings.differences([entry.settings for entry in entries])
    columns = {name: values for name, values in columns.items() if not name.endswith('Trainer.dataset')}
    ends = Counter(name.rpartition('.')[2] for name in columns)
    short = {name: end if ends[end := name.rpartition('.')[2]] == 1 else name for name in columns}
    return [
        _parts([(short[name], values[place]) for name, values in columns.items()])
        for place in range(len(entries))
    ]


def _parts(pairs: Sequence[tuple[str, str]]) -> str:
    stated = [f'{name}={_shortened(value)}' for name, value in pairs if value]
    more = f', and {len(stated) - MAX_PARTS} more' if len(stated) > MAX_PARTS else ''
    return ', '.join(stated[:MAX_PARTS]) + more


def _shortened(value: str) -> str:
    return value if len(value) <= MAX_VALUE else f'{value[:MAX_VALUE]}...'


def _cell(entry: RunEntry, name: str, fields: Fields) -> Cell:
    value = fields.value(entry, name)
    if value is None:
        return Cell(None)
    if name in _SHOWN:
        return Cell(value, _SHOWN[name](entry))
    return Cell(value, f'{duration(float(value))}' if name in DURATIONS else '')


def _progress(entry: RunEntry) -> str:
    done = catalogue_fields.progress(entry) or 0.0
    return f'{entry.step:,} of {entry.steps:,}' + f' ({100 * done:.0f} %)' * (done < 1)


def _best(entry: RunEntry) -> str:
    step, value = entry.best or (0, 0.0)
    return f'{entry.best_metric[0]} {value:.4g} at {step:,}'


def _age(entry: RunEntry) -> str:
    seconds = float(catalogue_fields.FIXED['age'](entry) or 0.0)
    return f'{seconds / 86400:,.0f} d' if seconds >= 2 * 86400 else duration(max(0.0, seconds))


_SHOWN: dict[str, Callable[[RunEntry], str]] = {'progress': _progress, 'best': _best, 'age': _age}


def summary(entries: Sequence[RunEntry]) -> str:
    """Returns how many runs are in each state, such as '3 runs: 1 running, 2 finished'."""
    counts = Counter(str(entry.liveness.state) for entry in entries)
    states = ', '.join(f'{count:,} {state}' for state, count in counts.items())
    return f'{counted(len(entries), "run")}: {states}'


def notes(entries: Sequence[RunEntry], problems: Sequence[str]) -> list[str]:
    """Returns what is wrong with some runs, and the folders that cannot be read, a sentence each."""
    said = [f'{entry.name}: {note}' for entry in entries for note in (*_reason(entry), *entry.notes)]
    said = [*problems, *map(printable, said)]
    more = len(said) - MAX_NOTES
    return [*said[:MAX_NOTES], f'and {more:,} more notes: scripts/runs.sh show RUN'] if more > 0 else said


def _reason(entry: RunEntry) -> list[str]:
    """Returns why a run is dead, silent or has failed."""
    state, reason = entry.liveness
    wanted = state in (state.DEAD, state.STALLED, state.FAILED)
    return [f'{state}: {reason}'] if wanted and reason else []
