"""What is measured so far, in `<folder>/<device>.json`: the file is written anew with each figure."""

import threading
import time
from pathlib import Path
from typing import Any

from benchmarks import results
from benchmarks.accelerator import summary
from engine import files

BENCHMARK = 'accelerator'


class Record:
    """The sections of one device. Those of earlier calls stay until they are measured again.

    Args:
      folder: of the file.
      device: its name.
      is_small: whether sizes are small, so that no figure says anything.

    Attributes:
      sections: the figures of each section, by its name.
    """

    def __init__(self, folder: Path, device: str, is_small: bool):
        self._folder, self._device, self._is_small = folder, device, is_small
        self._lock = threading.Lock()
        earlier = files.read_json(self.path).get('benchmarks', {}).get(BENCHMARK, {})
        self.sections: dict[str, dict[str, Any]] = earlier.get('result', {}).get('sections', {})
        folder.mkdir(parents=True, exist_ok=True)

    @property
    def path(self) -> Path:
        """The file."""
        return results.path(self._device, self._folder)

    def begin(self, section: str) -> None:
        """Forgets the earlier figures of a section."""
        self.sections[section] = {'at': time.strftime('%Y-%m-%d %H:%M UTC', time.gmtime())}
        self.add(section, {})

    def add(self, section: str, figures: dict[str, Any]) -> None:
        """Adds figures of a section, and writes the file."""
        with self._lock:
            self.sections[section] |= figures
            bounds = {} if self._is_small else summary.bounds(self.sections, self._device)
            result = {'benchmark': BENCHMARK, 'sections': self.sections, 'bounds': bounds}
            results.add(self._device, BENCHMARK, result, self._folder)
