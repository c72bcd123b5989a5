"""Keeps a page about trainings true: rewrites it when their logs grow."""

import contextlib
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import NoReturn

from engine import files
from engine.errors import UserError
from engine.render.figures import rendered
from engine.render.figures.rendered import RenderedFigure
from engine.run_reader import curves, logs
from engine.run_reader.summary import Runs
from engine.run_reader.watching import page

INTERVAL = 2.0  # seconds between two looks at the logs
MAX_SHARE = 0.1  # of the time that drawing may take: it must not slow a training on the same machine
MAX_AGE = page.STALE_SECONDS / 3  # seconds after which the page is rewritten even if no log has grown

Signature = tuple[tuple[str, int, int], ...]


class WatchedPage:
    """A page about runs.

    Args:
      paths: run folders, or folders of runs; runs that begin later join.
      file: of the page.

    Raises:
      UserError: the file is something else, or cannot be written.
    """

    def __init__(self, paths: Sequence[str], file: Path):
        self._paths, self._file = paths, file
        self._drawn: Signature | None = None
        self._shown: Signature | None = None
        self._figures: list[RenderedFigure] = []
        self._written = 0.0
        if file.is_file() and page.MADE_BY not in file.read_text(encoding='utf-8', errors='replace'):
            raise UserError(f'{file} exists and is another page. Choose another folder by --output.')
        files.check_file(file, overwrite=True)

    def refresh(self) -> bool:
        """Rewrites the page if a log has grown, a state has changed, or the page grows old.

        Returns:
          Whether it was rewritten.
        """
        folders = logs.find(self._paths)
        shown = _signature(folders, ('config.gin', 'status.json', 'logs/*.jsonl'))
        is_young = time.monotonic() - self._written < MAX_AGE
        if shown == self._shown and is_young:
            return False
        self._write(folders, is_live=True)
        self._shown, self._written = shown, time.monotonic()
        return True

    def end(self) -> None:
        """Writes the page for the last time. It no longer reloads itself."""
        self._write(logs.find(self._paths), is_live=False)

    def _write(self, folders: Sequence[Path], is_live: bool) -> None:
        written = datetime.now(UTC)
        drawn = _signature(folders, ('config.gin', 'logs/*.jsonl'))
        runs = dict(zip(files.distinct_names(folders), map(logs.read, folders), strict=True))
        if drawn != self._drawn:
            self._figures, self._drawn = _draw(runs), drawn
        files.user_file(self._file, page.page(runs, self._figures, written, is_live).encode())


def watch(watched: WatchedPage) -> NoReturn:
    """Keeps a page true until Ctrl-C."""
    try:
        while True:
            start = time.monotonic()
            watched.refresh()
            time.sleep(max(INTERVAL, (time.monotonic() - start) / MAX_SHARE))
    except KeyboardInterrupt:
        watched.end()
        raise


def _draw(runs: Runs) -> list[RenderedFigure]:
    return list(rendered.render_all(curves.figures(runs), formats=()).values())


def _signature(folders: Sequence[Path], patterns: Sequence[str]) -> Signature:
    """Returns the sizes and times of files: what differs if one of them has changed."""
    signature = []
    for path in sorted(path for folder in folders for pattern in patterns for path in folder.glob(pattern)):
        with contextlib.suppress(FileNotFoundError):  # it is being replaced
            status = path.stat()
            signature.append((str(path), status.st_size, status.st_mtime_ns))
    return tuple(signature)
