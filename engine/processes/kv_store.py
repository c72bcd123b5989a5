"""The key-value store through which the processes of a run exchange messages.

The store is that of `jax.distributed`. It lives in the first process and ends with it.
"""

import time
from typing import Any

POLL_SECONDS = 0.25  # between two looks at the messages
_PREFIX = 'run/'


class KeyValueStore:
    """Messages of all processes, by name.

    Args:
      client: the client of `jax.distributed`.
      index: the number of this process.
      count: the number of processes.
    """

    def __init__(self, client: Any, index: int, count: int):
        self._client, self.index, self.count = client, index, count

    def set(self, name: str, value: str) -> None:
        """Writes a message, or replaces it."""
        self._client.key_value_set(f'{_PREFIX}{name}', value, allow_overwrite=True)

    def messages(self) -> dict[str, str]:
        """Returns all messages by name."""
        entries = dict(self._client.key_value_dir_get(_PREFIX))
        return {name.removeprefix(_PREFIX): value for name, value in entries.items()}

    def wait_for(self, name: str) -> str:
        """Waits until a message is there and returns it."""
        while True:
            messages = self.messages()
            if name in messages:
                return messages[name]
            time.sleep(POLL_SECONDS / 5)

    def barrier(self, name: str) -> None:
        """Returns when all processes have called this with the same name."""
        self.set(f'{name}/{self.index}', 'here')
        for index in range(self.count):
            self.wait_for(f'{name}/{index}')

    def announce_exit(self, code: int) -> None:
        """Tells the other processes that this one ends with an exit code."""
        self.set(f'exit/{self.index}', str(code))
        self.let_others_read()

    def let_others_read(self) -> None:
        """Waits a moment in the first process, because the store ends with it."""
        if self.index == 0:
            time.sleep(4 * POLL_SECONDS)
