"""Reads environment.json: a record for the first session of a run, and what was different in later ones.

The file may come from anywhere. Values of wrong types count as unknown.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from engine import files
from engine.runs import checksums

FILE = 'environment.json'
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
    """Leaves out what a session says of itself alone."""
    own = ('git_problem', 'not_in_diff', 'not_in_sources')
    return {name: value for name, value in record.items() if name not in own}


def latest(environment: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the whole record of the newest session, {} if there is none."""
    return (sessions(environment) or [{}])[-1]


def versions(environment: Mapping[str, Any]) -> list[str]:
    """Returns the version of the code of each session, without repetitions.

    >>> first = {'commit': 'c0ffee0d', 'dirty': True, 'diff_sha256': '1a2b3c'}
    >>> versions(first | {'continued': [{'dirty': False}]})
    ['c0ffee0+1a2b', 'c0ffee0']
    """
    return list(dict.fromkeys(filter(None, map(version, sessions(environment)))))


def version(record: Mapping[str, Any]) -> str:
    """Returns the start of a record's commit, and of the sha256 of its uncommitted changes; '' if unknown."""
    commit, dirty, diff = (record.get(name) for name in ('commit', 'dirty', 'diff_sha256'))
    if not isinstance(commit, str):
        return ''
    return f'{commit[:7]}+{diff[:4] if isinstance(diff, str) else ""}' if dirty is not False else commit[:7]


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
