"""The states of a run, and how its heartbeat tells a living process from a dead one."""

from collections.abc import Mapping
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

HEARTBEAT_SECONDS = 5.0  # between two heartbeats
HEARTBEAT_TIMEOUT = 60.0  # seconds without a heartbeat after which a running process counts as dead


class RunState(StrEnum):
    """What a run is doing, or how it ended."""

    RUNNING = 'running'
    FINISHED = 'finished'
    INTERRUPTED = 'interrupted'
    FAILED = 'failed'


# The types of the values in status.json. A value of another type is damaged.
_TYPES: dict[str, type] = dict.fromkeys(('format', 'step', 'pid'), int)
_TYPES |= dict.fromkeys(('started', 'heartbeat', 'state', 'host', 'dataset_fingerprint'), str)
_TYPES |= dict.fromkeys(('config_sha256', 'next_config_sha256'), str)


def undamaged(status: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the values of status.json that have their type.

    >>> undamaged({'state': 'running', 'step': None, 'pid': 12.5})
    {'state': 'running'}
    """
    return {
        name: value
        for name, value in status.items()
        if isinstance(value, _TYPES.get(name, object)) and not isinstance(value, bool)
    }


def seconds_since(heartbeat: Any) -> float | None:
    """Returns the seconds since a heartbeat, negative for one in the future; None if it is not a time.

    >>> seconds_since('soon') is None
    True
    """
    try:
        return (datetime.now(UTC) - datetime.fromisoformat(heartbeat)).total_seconds()
    except (TypeError, ValueError, OverflowError):  # TypeError: not text, or a time without its zone
        return None
