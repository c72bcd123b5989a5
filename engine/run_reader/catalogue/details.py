"""All that is known of one run."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from engine.render.durations import duration
from engine.run_reader.catalogue.entry import RunEntry
from engine.run_reader.catalogue.fields import Fields, progress
from engine.run_reader.catalogue.liveness import ShownState
from engine.run_reader.plain_files import counted, printable
from engine.runs.environment import history

_MAX_NOTE_LINES = 20


def document(entry: RunEntry) -> dict[str, Any]:
    """Returns what the table knows of a run, and its origin, checkpoints and outputs, for programs."""
    recorded = environment(entry.folder)
    record = history.latest(recorded)
    files = [path for path in entry.folder.rglob('*') if path.is_file() and not path.is_symlink()]
    return Fields([entry]).as_json(entry) | {
        'remaining_seconds': remaining(entry),
        'heartbeat': entry.status.get('heartbeat'),
        'pid': entry.status.get('pid'),
        'error': entry.status.get('error'),
        'command': record.get('command'),
        'versions': history.versions(recorded),
        'accelerator': record.get('accelerator'),
        'devices': record.get('devices'),
        'dataset_fingerprint': entry.status.get('dataset_fingerprint'),
        'checkpoints': {kind: _steps(entry.folder / 'checkpoints' / kind) for kind in ('latest', 'best')},
        'outputs': _with_file(entry.folder / 'outputs', 'manifest.json'),
        'evaluations': _with_file(entry.folder / 'outputs', 'evaluation/metrics.json'),
        'bytes': sum(_size(path) for path in files),
    }


def lines(entry: RunEntry) -> list[str]:
    """Returns the same for people, a line each, and the beginning of notes.md."""
    known = document(entry)
    state, reason = entry.liveness
    shown = {
        'state': f'{state}{": " * bool(reason)}{reason}',
        'step': _progress(entry),
        'best': _best(entry),
        'metrics': ', '.join(
            f'{name} {value:.6g}' for name, value in entry.metrics.items() if value is not None
        ),
        'time': '' if entry.seconds is None else duration(entry.seconds),
        'remaining': ''
        if known['remaining_seconds'] is None
        else f'about {duration(known["remaining_seconds"])}',
        'started': known['started'],
        'heartbeat': known['heartbeat'],
        'host': ', '.join(map(str, filter(None, [known['host'], known['accelerator']]))),
        'command': _command(known['command']),
        'code': ', '.join(known['versions']),
        'dataset': known['dataset'],
        'seed': known['seed'],
        'checkpoints': _checkpoints(known['checkpoints']),
        'outputs': ', '.join(
            f'{name}{" (evaluated)" * (name in known["evaluations"])}' for name in known['outputs']
        ),
        'size': f'{known["bytes"] / 1e6:,.1f} MB',
    }
    rows = [f'{name:12}{printable(str(value))}' for name, value in shown.items() if value]
    return [*rows, *(f'note        {printable(note)}' for note in entry.notes), *_notes(entry.folder)]


def remaining(entry: RunEntry) -> float | None:
    """Returns the seconds that a running training still needs, by its pace so far; None if unknown."""
    done, state = progress(entry), entry.liveness.state
    if state != ShownState.RUNNING or not done or done >= 1 or not entry.seconds or not entry.evaluations:
        return None
    return entry.seconds / max(entry.evaluations) * ((entry.steps or 0) - entry.step)


def environment(folder: Path) -> dict[str, Any]:
    """Returns the content of environment.json, {} if it is missing, damaged or not a file."""
    try:
        return history.read(folder / history.FILE)
    except OSError:
        return {}


def _progress(entry: RunEntry) -> str:
    done = progress(entry)
    return f'{entry.step:,}' if done is None else f'{entry.step:,} of {entry.steps:,} ({100 * done:.0f} %)'


def _best(entry: RunEntry) -> str:
    if not entry.best:
        return ''
    step, value = entry.best
    return f'{entry.best_metric[0]} {value:.6g} after step {step:,}'


def _command(command: Any) -> str:
    return ' '.join(map(str, command)) if isinstance(command, list) else ''


def _checkpoints(steps: Mapping[str, list[int]]) -> str:
    return '; '.join(f'{kind}: {", ".join(map(str, known))}' for kind, known in steps.items() if known)


def _steps(folder: Path) -> list[int]:
    return sorted(int(path.name) for path in _entries(folder) if path.name.isdecimal())


def _with_file(folder: Path, file: str) -> list[str]:
    """Returns the names of the folders in a folder that hold a file."""
    return sorted(path.name for path in _entries(folder) if (path / file).is_file())


def _entries(folder: Path) -> list[Path]:
    try:
        return [*folder.iterdir()]
    except OSError:
        return []


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:  # it was deleted meanwhile
        return 0


def _notes(folder: Path) -> list[str]:
    """Returns the first lines of notes.md."""
    try:
        text = (folder / 'notes.md').read_text(encoding='utf-8', errors='replace').strip()
    except OSError:
        return []
    said = text.splitlines()
    more = [f'({counted(len(said) - _MAX_NOTE_LINES, "more line")})'] if len(said) > _MAX_NOTE_LINES else []
    return ['', 'notes.md:', *(printable(line) for line in said[:_MAX_NOTE_LINES]), *more] if said else []
