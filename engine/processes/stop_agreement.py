"""The agreement of all processes on the step at which they stop."""

import threading
from collections.abc import Mapping

from engine.processes.kv_store import KeyValueStore


class StopAgreement:
    """Lets all processes stop at the same step after one of them has received a signal.

    All processes ask `should_stop` equally often, once or more per step. When one receives a signal, each
    process announces how often it has asked so far. All stop at the first question after the largest of these
    numbers. That question belongs to the same step in all processes.

    Attributes:
      is_announced: whether this process has announced a stop, on its own or with the others.
    """

    def __init__(self, store: KeyValueStore):
        self._store = store
        self._lock = threading.Lock()
        self._questions = self._last_question = 0
        self.is_announced, self._is_agreed = False, threading.Event()

    def should_stop(self) -> bool:
        """Whether this process stops now; waits for the agreement once a signal has been announced."""
        with self._lock:
            self._questions += 1
            is_announced = self.is_announced
        if is_announced:
            self._is_agreed.wait()
        return is_announced and self._questions > self._last_question

    def update(self, messages: Mapping[str, str], signal_received: bool) -> None:
        """Takes part in the agreement; called by the watching thread.

        Args:
          messages: all messages in the store.
          signal_received: whether this process has received a signal.
        """
        names = [f'stop/{index}' for index in range(self._store.count)]
        if signal_received or any(name in messages for name in names):
            self._announce(names[self._store.index])
        if all(name in messages for name in names):
            self._last_question = max(int(messages[name]) for name in names)
            self._is_agreed.set()

    def _announce(self, name: str) -> None:
        """Announces once how often this process has asked."""
        with self._lock:
            if not self.is_announced:
                self.is_announced = True
                self._store.set(name, str(self._questions))
