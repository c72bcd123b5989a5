"""Failures that no code causes: of the file system, or by a limit of the shell.

This module imports the standard library alone.
"""

import errno
import re

# What a full, read-only or vanished file system raises, a path that cannot exist, or a limit of the shell.
FILE_SYSTEM_ERRORS = {
    errno.EEXIST,
    errno.EFBIG,
    errno.EISDIR,
    errno.ELOOP,
    errno.EMFILE,
    errno.ENAMETOOLONG,
    errno.ENFILE,
    errno.ENOTDIR,
    errno.ENOSPC,
    errno.EDQUOT,
    errno.EROFS,
    errno.EACCES,
    errno.EPERM,
    errno.EIO,
    errno.ENOENT,
    errno.ESTALE,
}
# How libraries word the same failures in exceptions of their own.
_FILE_SYSTEM_MESSAGES = re.compile(
    r'RESOURCE_EXHAUSTED(?!.*([Mm]emory|allocat))|No space left|Read-only file system|[Pp]ermission denied|'
    r'PERMISSION_DENIED|No such file or directory|Stale file handle|Input/output error|File too large|'
    r"Too many open files|File name too long|Not a directory|can't start new thread"
)
_LIMITS = {  # and the command of a shell that shows each
    'File too large': 'ulimit -f',
    'Too many open files': 'ulimit -n',
    "can't start new thread": 'ulimit -u and ulimit -v',
}


def file_system_failure(error: BaseException) -> str:
    """Describes the failure of the file system that caused `error`; returns '' if none did.

    Libraries wrap such failures in their own exceptions, so the causes of `error` are searched too.

    >>> file_system_failure(OSError(errno.ENOSPC, 'No space left on device', '/data/file'))
    'the file system failed: No space left on device (/data/file)'
    """
    cause: BaseException | None = error
    while cause is not None:
        if failure := _failure(cause):
            return _in_words(failure)
        cause = cause.__cause__ or cause.__context__
    return ''


def _in_words(failure: str) -> str:
    limit = next((limit for text, limit in _LIMITS.items() if text in failure), '')
    return f'a limit was reached: {failure}, see {limit}' if limit else f'the file system failed: {failure}'


def _failure(error: BaseException) -> str:
    if isinstance(error, OSError):
        where = f' ({error.filename})' if error.filename else ''
        return f'{error.strerror}{where}' if error.errno in FILE_SYSTEM_ERRORS else ''
    matched = _FILE_SYSTEM_MESSAGES.search(str(error))
    return matched[0] if matched else ''
