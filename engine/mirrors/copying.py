"""Copies a run to a destination: all of it at first, later only what is new."""

from dataclasses import dataclass

from engine.mirrors import mark
from engine.mirrors.destination import Destination
from engine.mirrors.mirrored_run import MirroredRun, Tables


@dataclass(frozen=True)
class CopiedRun:
    """What a copy has done.

    Attributes:
      name: of the run.
      numbers: how many numbers were written.
      replaced: whether an earlier copy was replaced: it was unfinished, or the logs of the run have changed.
    """

    name: str
    numbers: int
    replaced: bool

    def __str__(self) -> str:
        """Returns a line about the copy."""
        written = f'{self.numbers:,} numbers' if self.numbers else 'nothing new'
        return f'{self.name}: {written}{", earlier copy replaced" * self.replaced}'


def copy(run: MirroredRun, destination: Destination) -> CopiedRun:
    """Copies a run. A second copy of the same files writes nothing.

    A copy that was killed leaves no mark, so the next one replaces it.
    """
    before, now = destination.mark(run), mark.of(run)
    if before == now:
        return CopiedRun(run.name, 0, False)
    replace = not mark.fits(before, run)
    rows = run.tables if replace else mark.rows_after(before, run)
    destination.write(run, rows, now, replace)
    return CopiedRun(run.name, _count(rows), replace and bool(before))


def _count(rows: Tables) -> int:
    return sum(int(table.count().sum()) for table in rows.values())
