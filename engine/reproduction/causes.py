"""What differs between the record of a run and that of its repetition."""

import difflib
import hashlib
import platform
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from engine import files
from engine.reproduction.worktree import DIFF, SOURCES
from engine.run_reader import settings
from engine.runs import json_lines
from engine.runs.environment import code, differences, history, packages, variables
from engine.runs.environment.differences import Changes, Differences
from engine.runs.run_folder import Run, RunData

MAX_LINES = 8  # of the changes of one file
DETERMINISTIC = '--xla_gpu_deterministic_ops=true'  # set by Trainer.deterministic


def first_session(run: Run) -> dict[str, Any]:
    """Returns the record of the first session of a run, {} if there is none."""
    return next(iter(history.sessions(run.environment())), {})


def between(run: Run, repeated: Run) -> Differences:
    """Compares the record of a run with that of its repetition.

    Args:
      run: the run.
      repeated: its repetition.
    """
    status, record = repeated.status(), first_session(repeated)
    dataset = history.part(record, 'dataset')
    data = RunData(
        name=dataset.get('name', ''),
        check_name=dataset.get('name', 'dataset'),
        slug='',
        cards=(),
        fingerprint=status.get('dataset_fingerprint') or dataset.get('fingerprint', ''),
        evaluated=status.get('evaluated_fingerprints', {}),
        order_files=status.get('order_files', {}),
        members=dataset.get('members') or {},
    )
    texts = (one.config.read_text(encoding='utf-8') for one in (run, repeated))
    changes, recorded = settings.changes(*texts), first_session(run)
    loaded = _loaded_changes(*(history.part(session, 'init_from') for session in (recorded, record)))
    return differences.between(recorded, record, changes, {**run.data_changes(data), **loaded})


def _loaded_changes(old: Mapping[str, Any], new: Mapping[str, Any]) -> Changes:
    """Compares the trained variables from which two runs began."""
    pair = (old.get('sha256'), new.get('sha256'))
    return {f'{old.get("source")} (Trainer.init_from)': pair} if pair[0] != pair[1] else {}


def before_training(run: Run, record: Mapping[str, Any], root: Path) -> Differences:
    """Compares code, packages and variables of a record with the present ones, before anything is trained.

    Args:
      run: the run.
      record: of its first session.
      root: the folder of the code that is to train.
    """
    recorded = {name: history.part(record, name) for name in ('packages', 'flags')}
    if not all(recorded.values()):
        return Differences()
    of_shell = _of_shell(run, recorded['flags'])
    old = {**record, 'flags': of_shell, 'code': history.part(record, 'code')}
    return Differences(differences.between(old, present(record, root), {}, {}).numeric)


def _of_shell(run: Run, flags: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the recorded variables of the shell, without what the trainer adds to them."""
    values = {name: value for name, value in flags.items() if name.isupper()}
    config = settings.parse(run.config.read_text(encoding='utf-8', errors='replace'))
    if config.trainer('deterministic') == 'True':
        options = str(values.pop('XLA_FLAGS', '')).split()
        kept = ' '.join(option for option in options if option != DETERMINISTIC)
        values |= {'XLA_FLAGS': kept} if kept else {}
    return values


def present(record: Mapping[str, Any], root: Path) -> dict[str, Any]:
    """Returns the present Python, packages, variables of the shell and code, as a run records them.

    Args:
      record: of a run, which names the modules that train.
      root: the folder of the code that is to train.
    """
    used = code.of(history.modules(record), root)
    return {
        'python': platform.python_version(),
        'packages': packages.used(used.external),
        'flags': variables.numeric(),
        'code': {'files': used.files},
    }


def tampered(run: Run, record: Mapping[str, Any]) -> list[str]:
    """Returns a line for each recorded file of a run that has changed since it was recorded."""
    status, lines = run.status(), []
    configs = {status.get('config_sha256'), status.get('next_config_sha256')} - {None}
    if configs and files.sha256(run.config) not in configs:
        lines.append('config: config.gin has changed since the run recorded it')
    diff, digest = run.folder / DIFF, record.get('diff_sha256')
    if digest and diff.is_file() and hashlib.sha256(diff.read_bytes()).hexdigest() != digest:
        lines.append(f'code: {DIFF} has changed since the run recorded it')
    return lines


def notes(run: Run, record: Mapping[str, Any]) -> list[str]:
    """Returns what the record of a run cannot tell, a sentence each."""
    sentences = []
    for place, key in ((DIFF, 'not_in_diff'), (SOURCES, 'not_in_sources')):
        if left_out := record.get(key):
            names = ', '.join(map(str, left_out))
            sentences.append(
                f'{place} leaves out {names}, taken from this repository if it has the recorded content'
            )
    later = history.sessions(run.environment())[1:]
    compared = [
        name for name in ('packages', 'flags', 'python') if any(_is_other(record, s, name) for s in later)
    ]
    if any(_digest(session) != _digest(record) for session in later):
        compared.insert(0, 'code')
    if compared:
        sentences.append(
            f'the run resumed with other {" and ".join(compared)} (changes.jsonl); '
            'its first session is repeated'
        )
    changes = json_lines.read(run.folder / differences.CHANGES_FILE)
    if any(line.get('program') == 'train' and line.get('config') for line in changes):
        sentences.append(
            f'the run resumed with another config ({differences.CHANGES_FILE}); '
            'its last one is trained from the start'
        )
    return sentences


def untrained(record: Mapping[str, Any]) -> str:
    """Returns a sentence on the code of this repository that differs from a record; '' if none does."""
    old, new = history.part(history.part(record, 'code'), 'files'), code.of(history.modules(record)).files
    names = sorted(name for name in old.keys() | new.keys() if old.get(name) != new.get(name))
    if not names or not old:
        return ''
    more = f' and {len(names) - 3} more' if len(names) > 3 else ''
    return f'this repository has other code now, which --code=present trains: {", ".join(names[:3])}{more}'


def _is_other(record: Mapping[str, Any], session: Mapping[str, Any], name: str) -> bool:
    return session.get(name) != record.get(name)


def _digest(record: Mapping[str, Any]) -> Any:
    return history.part(record, 'code').get('digest')


def changed_lines(differing: Differences, old: Path, new: Path) -> list[str]:
    """Returns the lines that differ in the files of code that differ, removed ones with -, added ones with +.

    Args:
      differing: what differs.
      old: the folder of the recorded code.
      new: the folder of the code of the repetition.
    """
    lines = []
    for name in differing.numeric.get('code', {}) if old != new else ():
        changes = list(_changes(old / name, new / name))
        more = [f'... and {len(changes) - MAX_LINES} more lines'] if len(changes) > MAX_LINES else []
        lines += [f'{name}: {line}' for line in [*changes[:MAX_LINES], *more]]
    return lines


def _changes(old: Path, new: Path) -> Iterator[str]:
    before, after = (
        path.read_text(encoding='utf-8', errors='replace').splitlines() if path.is_file() else []
        for path in (old, new)
    )
    for line in list(difflib.unified_diff(before, after, n=0, lineterm=''))[2:]:
        if not line.startswith('@@'):
            yield line
