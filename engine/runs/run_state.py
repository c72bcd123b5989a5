"""The states of a run, and how its heartbeat tells a living process from a dead one."""

import hashlib
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

STATUS_FILE = 'status.json'
HEARTBEAT_SECONDS = 5.0  # between two heartbeats
HEARTBEAT_TIMEOUT = 60.0  # seconds without a heartbeat after which a running process counts as dead


class RunState(StrEnum):
    """What a run is doing, or how it ended."""

    RUNNING = 'running'
    PAUSED = 'paused'  # at the step of --until
    FINISHED = 'finished'
    INTERRUPTED = 'interrupted'
    FAILED = 'failed'


# The types of the values in status.json. A value of another type is damaged.
_TYPES: dict[str, type] = dict.fromkeys(('format', 'step', 'pid'), int)
_TYPES |= dict.fromkeys(('id', 'started', 'heartbeat', 'state', 'host', 'dataset_fingerprint'), str)
_TYPES |= dict.fromkeys(('config_sha256', 'next_config_sha256', 'seal'), str)
_TYPES |= dict.fromkeys(('stopped', 'evaluated_fingerprints', 'order_files'), dict)
# Values that refuse a resume if something else differs from them. A damaged one must not, nor a damaged id.
_SEALED = (
    *('id', 'config_sha256', 'next_config_sha256'),
    *('dataset_fingerprint', 'evaluated_fingerprints', 'order_files'),
)


def undamaged(status: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the values of status.json that have their type, and fingerprints only if their seal fits.

    >>> undamaged({'state': 'running', 'step': None, 'pid': 12.5})
    {'state': 'running'}
    """
    broken = _SEALED if status.get('seal') not in (None, seal(status)) else ()
    return {
        name: value
        for name, value in status.items()
        if isinstance(value, _TYPES.get(name, object)) and not isinstance(value, bool) and name not in broken
    }


def describe_stop(status: Mapping[str, Any]) -> str:
    """Returns where and why a finished training stopped before its last step; '' if it did not.

    >>> describe_stop({'state': 'finished', 'stopped': {'step': 12, 'reason': 'no better val loss'}})
    'stopped at step 12: no better val loss'
    """
    stopped = status.get('stopped')
    if status.get('state') != RunState.FINISHED or not isinstance(stopped, dict):
        return ''
    return f'stopped at step {stopped.get("step")}: {stopped.get("reason")}'


def seal(status: Mapping[str, Any]) -> str:
    """Returns a checksum of the fingerprints in status.json, so that damage to them is noticed."""
    values = [status.get(name) for name in _SEALED]
    return hashlib.sha256(json.dumps(values).encode()).hexdigest()[:16]


def seconds_since(heartbeat: Any) -> float | None:
    """Returns the seconds since a heartbeat, negative for one in the future; None if it is not a time.

    >>> seconds_since('soon') is None
    True
    """
    try:
        return (datetime.now(UTC) - datetime.fromisoformat(heartbeat)).total_seconds()
    except (TypeError, ValueError, OverflowError):  # TypeError: not text, or a time without its zone
        return None


def is_recent(heartbeat: Any) -> bool:
    """Whether a process on another machine is alive by its heartbeat. One that is not a time counts as old.

    The clocks of two machines differ, so the sign is dropped.

    >>> is_recent('soon')
    False
    """
    silence = seconds_since(heartbeat)
    return silence is not None and abs(silence) < HEARTBEAT_TIMEOUT
