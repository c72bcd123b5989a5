"""Joins this process with the others of its run, if there are any."""

from collections.abc import Iterator
from contextlib import contextmanager

import jax

from engine.errors import UserError
from engine.processes.address import Address
from engine.processes.kv_store import KeyValueStore
from engine.processes.process_group import DistributedGroup, ProcessGroup
from engine.processes.watch import LOSS_SECONDS
from engine.runs.signals import Signals

JOIN_SECONDS = 300  # to wait for all processes at the start
SHUTDOWN_SECONDS = 10


@contextmanager
def joined(address: Address | None, signals: Signals) -> Iterator[ProcessGroup]:
    """Yields the group of this process, and tells the others how it ends.

    Args:
      address: of this process; None if it trains alone.
      signals: the signals that this process receives.

    Raises:
      UserError: the other processes cannot be reached.
    """
    if address is None:
        yield ProcessGroup()
        return
    group = DistributedGroup(_connect(address), signals)
    try:
        yield group
    except BaseException as error:
        group.end(error)
        raise
    group.end(None)


def _connect(address: Address) -> KeyValueStore:
    """Connects this process with the others."""
    from jax._src import distributed  # the key-value store has no public name; Orbax imports it likewise

    jax.config.update('jax_enable_preemption_service', False)  # this project handles the signals itself
    try:
        jax.distributed.initialize(
            address.coordinator,
            address.count,
            address.index,
            address.gpus,
            cluster_detection_method='deactivate',  # JAX would take one GPU per process
            initialization_timeout=JOIN_SECONDS,
            heartbeat_timeout_seconds=int(4 * LOSS_SECONDS),
            shutdown_timeout_seconds=SHUTDOWN_SECONDS,
        )
    except (RuntimeError, ValueError) as error:
        reason = str(error).splitlines()[0]
        raise UserError(
            f'the other processes cannot be reached at {address.coordinator}: {reason}. Start all '
            f'{address.count} within {JOIN_SECONDS} seconds. To train alone, pass --processes=1.'
        ) from None
    state = distributed.global_state
    return KeyValueStore(state.client, state.process_id or 0, state.num_processes or 1)
