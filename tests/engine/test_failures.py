"""Failures that no code causes, each in one line."""

import errno

import pytest

from engine.failures import file_system_failure


def test_a_failure_is_recognised_behind_the_exceptions_of_libraries() -> None:
    try:
        try:
            raise OSError(errno.EROFS, 'Read-only file system')
        except OSError as cause:
            raise RuntimeError('cannot save') from cause
    except RuntimeError as error:
        assert file_system_failure(error) == 'the file system failed: Read-only file system'
    assert file_system_failure(ValueError('RESOURCE_EXHAUSTED: ... No space left on device')).endswith(
        'RESOURCE_EXHAUSTED'
    )
    assert file_system_failure(ValueError('shapes do not match')) == ''
    gpu_is_full = RuntimeError('RESOURCE_EXHAUSTED: Out of memory while trying to allocate 8 bytes.')
    assert file_system_failure(gpu_is_full) == ''


@pytest.mark.parametrize(
    ('error', 'message'),
    [
        (OSError(errno.EFBIG, 'File too large'), 'a limit was reached: File too large, see ulimit -f'),
        (OSError(errno.EMFILE, 'Too many open files', 'a'), 'Too many open files (a), see ulimit -n'),
        (RuntimeError("can't start new thread"), "can't start new thread, see ulimit -u and ulimit -v"),
        (
            OSError(errno.ENAMETOOLONG, 'File name too long', 'a'),
            'the file system failed: File name too long (a)',
        ),
        (NotADirectoryError(errno.ENOTDIR, 'Not a directory', 'a/b'), 'Not a directory (a/b)'),
        (OSError(errno.ELOOP, 'Too many levels of symbolic links'), 'Too many levels of symbolic links'),
    ],
)
def test_limits_and_impossible_paths_are_one_line(error: Exception, message: str) -> None:
    assert file_system_failure(error).endswith(message)
