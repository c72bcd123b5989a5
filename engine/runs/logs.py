"""TensorBoard events of one run."""

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any


class Events:
    """TensorBoard events of one run.

    A run that goes on begins a new file; TensorBoard shows the later one where steps overlap. Whoever has
    events writes them: `SummaryWriter` hands them to a thread, and waits for ever when the disk is full.
    """

    def __init__(self, folder: Path, step: int):
        # Slow to import, and only training writes events.
        from tensorboardX import event_file_writer
        from tensorboardX.proto import event_pb2

        folder.mkdir(parents=True, exist_ok=True)
        self._event: Any = getattr(event_pb2, 'Event')  # noqa: B009 (it is made when imported)
        self._writer = event_file_writer.EventsWriter(str(folder / 'events'))
        if step:
            self._add(step=step + 1, session_log={'status': 1})  # a start, before which all stands

    def write(self, group: str, step: int, metrics: Mapping[str, float]) -> None:
        """Adds scalars named `group/metric`."""
        values = [{'tag': f'{group}/{name}', 'simple_value': value} for name, value in metrics.items()]
        self._add(step=step, summary={'value': values})

    def _add(self, **content: Any) -> None:
        self._writer.write_event(self._event(wall_time=time.time(), **content))

    def flush(self) -> None:
        """Shows TensorBoard what was written."""
        self._writer.flush()

    def close(self) -> None:
        """Writes what is left."""
        self._writer.close()
