"""Parts of the JSON documents of several programs."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from engine.run_reader.catalogue import details
from engine.run_reader.catalogue import entry as entries

if TYPE_CHECKING:
    from engine.training.cost.memory import ProgramMemory


def of_run(folder: Path) -> dict[str, Any]:
    """Returns what `runs.sh show` knows of a run, with its folder as `run`."""
    return details.document(entries.read(folder)) | {'run': folder}


def of_memory(needed: 'Sequence[ProgramMemory]', limit: int | None, of: str) -> dict[str, Any]:
    """Returns the bytes of a device that programs need.

    Args:
      needed: by the programs, the largest first.
      limit: bytes that a device has; None if that is unknown.
      of: what has that memory, or why it is unknown.
    """
    programs = [{'program': each.program, 'parts': each.parts, 'total': each.total} for each in needed]
    fits = None if limit is None else needed[0].total <= limit
    return {'programs': programs, 'limit': limit, 'limit_of': of, 'fits': fits}
