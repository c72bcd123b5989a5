"""The folder of a new release: whole or not there, and never in place of another one. This needs no JAX."""

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from engine import files
from engine.errors import RunError, UserError
from engine.failures import file_system_failure
from engine.runs import lock
from engine.stored_trees import release_folder

LOCK = '.lock'  # of a model, held while a version of it is written


@contextmanager
def new_folder(folder: Path) -> Iterator[Path]:
    """Yields an empty folder, which becomes a release with its checksums when the block ends.

    A release is whole or not there, even if the process is killed. The next release of the model deletes
    what a killed one has left.

    Args:
      folder: as `release_folder.place` returns it.

    Raises:
      UserError: another process has released this version meanwhile.
      RunError: the disk is full, or something else is wrong with the file system.
    """
    try:
        with lock.held(folder.parent / LOCK) as is_alone:
            if is_alone:
                files.remove_all_leftovers(folder.parent)
            with files.atomic_folder(folder, replaces=False) as temporary:
                yield temporary
                release_folder.write_checksums(temporary)
    except Exception as error:  # libraries word failures of the file system as they like
        is_taken = isinstance(error, OSError) and error.errno in (errno.EEXIST, errno.ENOTEMPTY)
        if is_taken and folder.exists():
            raise UserError(release_folder.taken(folder)) from None
        if failure := file_system_failure(error):
            raise RunError(f'{folder} was not released: {failure}.') from error
        raise
