"""Reads environment.json: a record for the first session of a run, and what was different in later ones.

The file may come from anywhere. Values of wrong types count as unknown.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from engine import files
from engine.runs import checksums

FILE = 'environment.json'
# What a session says of itself alone: the next one may know more, or leave out other files.
OF_ONE_SESSION = ('git_problem', 'not_in_diff', 'not_in_sources')
SEAL = 'sha256'  # of everything else in the file


def read(path: Path) -> dict[str, Any]:
    """Returns the content of an environment.json, {} if it is missing or damaged."""
    environment = files.read_json(path)
    return environment if environment.get(SEAL) in (None, _seal(environment)) else {}


def write(path: Path, environment: Mapping[str, Any]) -> None:
    """Replaces an environment.json, with a checksum of its own."""
    files.write_json(path, {**environment, SEAL: _seal(environment)})


def _seal(environment: Mapping[str, Any]) -> str:
    return checksums.of_values({name: value for name, value in environment.items() if name != SEAL})


def sessions(environment: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Returns the whole record of each session, the first one first; none if the file is empty."""
    if not environment:
        return []
    records = [{name: value for name, value in environment.items() if name not in ('continued', SEAL)}]
    for entry in continued(environment):
        records.append(_without_gaps(records[-1]) | (entry if isinstance(entry, dict) else {}))
    return records


def continued(environment: Mapping[str, Any]) -> list[Any]:
    """Returns what was different in each session after the first one."""
    entries = environment.get('continued', [])
    return entries if isinstance(entries, list) else []


def _without_gaps(record: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in record.items() if name not in OF_ONE_SESSION}


def latest(environment: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the whole record of the newest session, {} if there is none."""
    return (sessions(environment) or [{}])[-1]


def part(record: Mapping[str, Any], name: str) -> dict[str, Any]:
    """Returns a part of a record, such as 'flags'; {} if it is missing or damaged."""
    value = record.get(name)
    return value if isinstance(value, dict) else {}


def versions(environment: Mapping[str, Any]) -> list[str]:
    """Returns the version of the code of each session, without repetitions.

    >>> first = {'commit': 'c0ffee0d', 'dirty': True, 'diff_sha256': '1a2b3c'}
    >>> versions(first | {'continued': [{'dirty': False}]})
    ['c0ffee0+1a2b', 'c0ffee0']
    """
    return list(dict.fromkeys(filter(None, map(version, sessions(environment)))))


def version(record: Mapping[str, Any]) -> str:
    """Returns the start of a record's commit, and of the sha256 of its uncommitted changes; '' if unknown.

    The changes are incomplete if the diff leaves files out. Equal versions may then be different code.

    >>> version({'commit': 'c0ffee0d', 'dirty': True, 'diff_sha256': '1a2b3c', 'not_in_diff': ['.env']})
    'c0ffee0+1a2b (incomplete)'
    """
    commit, dirty, diff = (record.get(name) for name in ('commit', 'dirty', 'diff_sha256'))
    if not isinstance(commit, str):
        return ''
    changes = '' if dirty is False else f'+{diff[:4] if isinstance(diff, str) else ""}'
    return f'{commit[:7]}{changes}{" (incomplete)" if left_out(record) else ""}'


def left_out(record: Mapping[str, Any]) -> list[str]:
    """Returns the changed files that the diff of a record leaves out: large ones, and secrets."""
    names = record.get('not_in_diff')
    return [name for name in names if isinstance(name, str)] if isinstance(names, list) else []


def incomplete(record: Mapping[str, Any]) -> str:
    """Returns a sentence on the files that a record's diff lacks, '' if it lacks none."""
    names = left_out(record)
    more = f' and {len(names) - 5} more' if len(names) > 5 else ''
    return (
        f'uncommitted.diff lacks {", ".join(names[:5])}{more}: only the names are recorded.' if names else ''
    )


def modules(record: Mapping[str, Any]) -> list[str]:
    """Returns the modules from which the code of a record was found; none if they are unknown."""
    code = record.get('code')
    names = code.get('modules') if isinstance(code, dict) else None
    return [name for name in names if isinstance(name, str)] if isinstance(names, list) else []


def took_part(environment: Mapping[str, Any]) -> dict[str, list[str]]:
    """Returns the versions of the code and their digests, as a manifest of outputs has them."""
    return {'commits': versions(environment), 'code': code_digests(environment)}


def code_digests(environment: Mapping[str, Any]) -> list[str]:
    """Returns the digest of the code of each session, without repetitions; none if they are unknown."""
    codes = [record.get('code') for record in sessions(environment)]
    digests = [code.get('digest') for code in codes if isinstance(code, dict)]
    return list(dict.fromkeys(digest for digest in digests if isinstance(digest, str)))
