"""Joins this process with the others of its run, if there are any."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import jax

from engine.errors import UserError
from engine.processes.kv_store import KeyValueStore
from engine.processes.process_group import DistributedGroup, ProcessGroup
from engine.processes.watch import LOSS_SECONDS
from engine.runs.signals import Signals

JOIN_SECONDS = 300  # to wait for all processes at the start
SHUTDOWN_SECONDS = 10


@dataclass(frozen=True)
class Address:
    """The place of a process among those of its run.

    Attributes:
      index: its number, from 0.
      count: the number of processes.
      coordinator: where the first process can be reached, as host:port.
    """

    index: int
    count: int
    coordinator: str


@contextmanager
def joined(address: Address | None, signals: Signals) -> Iterator[ProcessGroup]:
    """Yields the group of this process, and tells the others how it ends.

    Args:
      address: of this process; None asks the environment of Slurm.
      signals: the signals that this process receives.

    Raises:
      UserError: the other processes cannot be reached.
    """
    if address is None and int(os.environ.get('SLURM_NTASKS', '1')) == 1:
        yield ProcessGroup()
        return
    group = DistributedGroup(_connect(address), signals)
    try:
        yield group
    except BaseException as error:
        group.end(error)
        raise
    group.end(None)


def _connect(address: Address | None) -> KeyValueStore:
    """Connects this process with the others."""
    from jax._src import distributed  # the key-value store has no public name; Orbax imports it likewise

    jax.config.update('jax_enable_preemption_service', False)  # this project handles the signals itself
    place = (address.coordinator, address.count, address.index) if address else (None, None, None)
    try:
        jax.distributed.initialize(
            *place,
            initialization_timeout=JOIN_SECONDS,
            heartbeat_timeout_seconds=int(4 * LOSS_SECONDS),
            shutdown_timeout_seconds=SHUTDOWN_SECONDS,
        )
    except (RuntimeError, ValueError) as error:
        reason = str(error).splitlines()[0]
        raise UserError(f'the other processes cannot be reached at {place[0] or "Slurm"}: {reason}') from None
    state = distributed.global_state
    return KeyValueStore(state.client, state.process_id or 0, state.num_processes or 1)
