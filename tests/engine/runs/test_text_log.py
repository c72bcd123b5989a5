"""The log for people: plain lines on the terminal, the same with times in the file, libraries silent."""

import logging
import warnings
from pathlib import Path

import pytest

from engine.runs import text_log


def test_the_terminal_gets_plain_lines_and_the_file_their_times(
    loggers: None, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text_log.to_terminal()
    text_log.to_terminal()  # a second program in one process says nothing twice
    text_log.to_file(tmp_path / 'train.log')
    text_log.logger.info('step %d', 3)
    assert capsys.readouterr() == ('step 3\n', '')
    text = (tmp_path / 'train.log').read_text()
    assert text.endswith('Z INFO step 3\n')
    assert len(text.split('Z')[0]) == len('2026-11-22T17:30:05')


def test_libraries_are_silent(loggers: None, capsys: pytest.CaptureFixture[str]) -> None:
    with warnings.catch_warnings():
        text_log.silence_libraries()
        warnings.warn_explicit('noise', DeprecationWarning, 'file.py', 1, module='orbax.checkpoint')
        with pytest.raises(UserWarning):
            warnings.warn_explicit('ours', UserWarning, 'file.py', 1, module='engine')
    for name in ('absl', 'jax', 'orbax'):
        assert not logging.getLogger(name).isEnabledFor(logging.ERROR)  # errors are raised as well
