"""Copies payloads to the devices before the loop asks for them, if the devices have memory of their own."""

import queue
import threading
import weakref
from collections.abc import Callable
from concurrent.futures import Future
from functools import partial
from typing import Any

import jax
from jax.sharding import Mesh

from engine import sharding
from engine.training.batches.source import BatchSource

EXIT_SECONDS = 5.0  # the longest that an ending process waits for a copy in progress

Group = Callable[[int], int]
Tasks = queue.SimpleQueue[tuple[Future[Any], int, int] | None]


def ahead(source: BatchSource, mesh: Mesh, group: Group) -> BatchSource:
    """Returns a source whose payloads are on the devices before the loop asks for them.

    CPUs read arrays of the host directly, so a copy would only take time. Their source is returned unchanged.
    """
    return CopiedAhead(source, partial(_copy, mesh), group) if has_own_memory(mesh) else source


def has_own_memory(mesh: Mesh) -> bool:
    """Whether the devices read arrays from memory of their own."""
    return mesh.devices.flat[0].platform != 'cpu'


def _copy(mesh: Mesh, payload: Any) -> Any:
    """Begins to copy a payload to the devices. Several processes already do so when they make the payload."""
    rows = sharding.batch_sharding(mesh, axis=1)
    return jax.device_put(payload, rows) if jax.process_count() == 1 else payload


class CopiedAhead:
    """Lets a thread make and copy the next payload of a source while the devices compute.

    Only one payload is made in advance, so memory stays bounded. An error in making it, such as a damaged
    image, is raised when the loop asks for that payload, and not before.

    Args:
      source: makes the payloads.
      copy: begins to copy a payload to the devices.
      group: returns how many steps the call after a step runs; 0 at the end of the training. If the loop asks
        for another payload than the one predicted, it is made then.
    """

    def __init__(self, source: BatchSource, copy: Callable[[Any], Any], group: Group):
        self._source, self._copy, self._group = source, copy, group
        self._tasks: Tasks = queue.SimpleQueue()
        self._ahead: dict[tuple[int, int], Future[Any]] = {}  # by step and count; at most one
        self._thread: threading.Thread | None = None

    def inputs(self, step: int, count: int) -> Any:
        """Returns the payload of the steps, on the devices, and lets the thread make the next one."""
        payload = (self._ahead.pop((step, count), None) or self._begin(step, count)).result()
        following = step + count
        self._ahead.clear()
        if group := self._group(following):
            self._ahead[following, group] = self._begin(following, group)
        return payload

    def shapes(self, count: int) -> Any:
        """Returns the shapes of the payload."""
        return self._source.shapes(count)

    def batch(self, payload: Any, index: int | jax.Array) -> dict[str, jax.Array]:
        """Returns, inside the program, the batch of step number `index` of the payload."""
        return self._source.batch(payload, index)

    def _begin(self, step: int, count: int) -> Future[Any]:
        """Lets the thread make a payload. Only the thread calls the source, one call after another."""
        if self._thread is None:
            make, tasks = self._make(), self._tasks
            # A daemon, so that an image that hangs does not keep the process from ending.
            self._thread = threading.Thread(target=_work, args=(tasks, make), name='copy-ahead', daemon=True)
            self._thread.start()
            weakref.finalize(self, _end, tasks, self._thread)
        future: Future[Any] = Future()
        self._tasks.put((future, step, count))
        return future

    def _make(self) -> Callable[[int, int], Any]:
        source, copy = self._source, self._copy  # a thread that held `self` would keep it alive
        return lambda step, count: jax.block_until_ready(copy(source.inputs(step, count)))


def _work(tasks: Tasks, make: Callable[[int, int], Any]) -> None:
    """Makes payloads until there is no further task."""
    while task := tasks.get():
        future, step, count = task
        try:
            future.set_result(make(step, count))
        except BaseException as error:  # without it, the loop would wait for the payload for ever
            future.set_exception(error)
        del task, future  # or the thread would keep the payload while it waits


def _end(tasks: Tasks, thread: threading.Thread) -> None:
    """Ends the thread, so that it does not copy to devices while Python shuts down."""
    tasks.put(None)
    thread.join(EXIT_SECONDS)
