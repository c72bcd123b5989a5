"""Runs a module in a process of its own, on 8 simulated devices."""

import os
import subprocess
import sys

from engine.workspace import REPOSITORY


def printed_lines(module: str, *arguments: str) -> list[str]:
    """Runs a module, asserts that it succeeds, and returns the lines that it prints."""
    done = subprocess.run(
        [sys.executable, '-m', module, *arguments],
        cwd=REPOSITORY,
        env=os.environ | {'JAX_NUM_CPU_DEVICES': '8'},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()
