"""The thread that watches the other processes: their exits, their requests to stop, their heartbeats."""

import os
import sys
import threading
import time
from collections.abc import Callable, Mapping
from typing import NoReturn

import jax

from engine.errors import EXIT_FAILED, EXIT_INTERRUPTED, EXIT_MISTAKE
from engine.processes.kv_store import POLL_SECONDS, KeyValueStore
from engine.processes.stop_agreement import StopAgreement
from engine.runs.signals import Signals

LOSS_SECONDS = 15.0  # without a heartbeat, after which a process counts as lost


class Watch:
    """Watches the other processes in a thread, and ends this process when another one is gone.

    The main thread cannot do that: it may be waiting for the lost process inside XLA.

    Args:
      store: the messages of all processes.
      agreement: on the step at which all stop.
      signals: the signals that this process receives.
      on_loss: called with the reason before this process ends.
    """

    def __init__(
        self,
        store: KeyValueStore,
        agreement: StopAgreement,
        signals: Signals,
        on_loss: Callable[[str], None],
    ):
        self._store, self._agreement = store, agreement
        self._signals, self._on_loss = signals, on_loss
        self._ended = threading.Event()
        self._heartbeats: dict[int, tuple[str, float]] = dict.fromkeys(
            range(store.count), ('', 0.0)
        )  # and the seconds since

    def start(self) -> None:
        """Starts the thread."""
        threading.Thread(target=self._watch, name='processes', daemon=True).start()

    def stop(self) -> None:
        """Stops watching: the exits of other processes no longer matter."""
        self._ended.set()

    def _watch(self) -> None:
        while not self._ended.wait(POLL_SECONDS):
            try:
                self._store.set(f'alive/{self._store.index}', str(time.monotonic()))
                messages = self._store.messages()
            except jax.errors.JaxRuntimeError:
                if self._agreement.is_announced:
                    self._exit('', EXIT_INTERRUPTED)
                self._exit('the first process cannot be reached: it ended, or its machine is down')
            self._check_exits(messages)
            self._agreement.update(messages, self._signals.received())
            self._check_heartbeats(messages)

    def _check_exits(self, messages: Mapping[str, str]) -> None:
        for index in range(self._store.count):
            code = int(messages.get(f'exit/{index}', '0'))
            if code == EXIT_INTERRUPTED:
                self._exit('', code)
            if code:
                self._exit(f'process {index} of {self._store.count} ended with exit code {code}', code)

    def _check_heartbeats(self, messages: Mapping[str, str]) -> None:
        for index, (last, seconds) in self._heartbeats.items():
            heartbeat = messages.get(f'alive/{index}', '')
            # Its own turns count, no clock: after a sleep of this process, the others need a moment too.
            self._heartbeats[index] = (heartbeat, seconds + POLL_SECONDS if heartbeat == last else 0.0)
            is_lost = self._heartbeats[index][1] > LOSS_SECONDS
            if is_lost and f'exit/{index}' not in messages:
                self._exit(
                    f'process {index} of {self._store.count} has sent no heartbeat for {LOSS_SECONDS:g} '
                    'seconds: it was killed, it hangs, or its machine is down',
                )

    def _exit(self, message: str, code: int = EXIT_FAILED) -> NoReturn:
        """Ends this process at once."""
        if message:
            self._on_loss(message)
        elif code == EXIT_INTERRUPTED:
            self._signals.before_exit()
        # The first process reports a user's mistake for all.
        if message and (self._store.index == 0 or code != EXIT_MISTAKE):
            print(f'error: {message}. To resume, run the same command again.', file=sys.stderr, flush=True)
        self._store.let_others_read()
        os._exit(code)
