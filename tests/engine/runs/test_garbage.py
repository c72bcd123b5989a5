"""Garbage is collected again when a training begins."""

import gc
import subprocess
import sys

import pytest

from engine.runs import garbage
from engine.workspace import REPOSITORY


def test_a_pause_ends_whatever_happens() -> None:
    assert gc.isenabled()
    with pytest.raises(ValueError), garbage.collection_paused():
        assert not gc.isenabled()
        with garbage.collection_paused():
            pass
        assert not gc.isenabled()
        raise ValueError
    assert gc.isenabled()


def test_what_is_not_paused_is_not_resumed() -> None:
    """In a notebook or a test, that would keep all garbage of earlier trainings."""
    kept = gc.get_freeze_count()
    garbage.resume_collection()
    assert (gc.get_freeze_count(), gc.isenabled()) == (kept, True)


def test_libraries_are_looked_at_no_more() -> None:
    program = (
        'import gc; from engine.runs import garbage; garbage.pause_collection(); import json; '
        'garbage.resume_collection(); print(gc.isenabled(), gc.get_freeze_count() > 1000)'
    )
    command = [sys.executable, '-c', program]
    assert subprocess.check_output(command, cwd=REPOSITORY, text=True) == 'True True\n'
