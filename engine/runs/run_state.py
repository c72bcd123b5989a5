"""The states of a run, and how its heartbeat tells a living process from a dead one."""

from enum import StrEnum

HEARTBEAT_SECONDS = 5.0  # between two heartbeats
HEARTBEAT_TIMEOUT = 60.0  # seconds without a heartbeat after which a running process counts as dead


class RunState(StrEnum):
    """What a run is doing, or how it ended."""

    RUNNING = 'running'
    FINISHED = 'finished'
    INTERRUPTED = 'interrupted'
    FAILED = 'failed'
