"""Results that the workspace keeps for later programs, by a digest of everything that they depend on.

A file that is damaged, or made by other code or another Python, counts as empty. If the workspace cannot be
written, nothing is kept.
"""

import hashlib
import json
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

from engine import files, workspace

MAX_KEPT = 5000  # results in a file; beyond that, only those in use are kept


class DiskCache:
    """A file of results that JSON can hold.

    Args:
      module: whose code makes the results, and after which the file is named.
    """

    def __init__(self, module: ModuleType):
        code = Path(str(module.__file__))
        self._path = workspace.workspace() / 'cache' / f'{code.stem}.json'
        self._maker = hashlib.sha256(code.read_bytes() + sys.version.encode()).hexdigest()
        self._known = self._read()
        self._used: dict[str, Any] = {}

    def result(self, key: bytes, make: Callable[[], Any]) -> Any:
        """Returns the result of a key, and makes it unless it is known."""
        digest = hashlib.sha256(key).hexdigest()
        if digest not in self._used:
            self._used[digest] = self._known[digest] if digest in self._known else make()
        return self._used[digest]

    def save(self) -> None:
        """Keeps the results that were made."""
        if self._used.keys() <= self._known.keys():
            return
        kept = self._known | self._used
        body = json.dumps(kept if len(kept) <= MAX_KEPT else self._used, separators=(',', ':'))
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            files.write_text(self._path, f'{self._checksum(body)}\n{body}')
        except OSError:
            pass

    def _read(self) -> dict[str, Any]:
        try:
            checksum, _, body = self._path.read_text(encoding='utf-8').partition('\n')
            return json.loads(body) if checksum == self._checksum(body) else {}
        except (OSError, ValueError):
            return {}

    def _checksum(self, body: str) -> str:
        return hashlib.sha256(f'{self._maker}{body}'.encode()).hexdigest()
