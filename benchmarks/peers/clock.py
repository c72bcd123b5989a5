"""What a process that trains reports: one line of JSON for its first step, one for its end."""

import json
import time
from typing import Any


def first_step() -> None:
    """Reports that the first step has ended."""
    print(json.dumps({'first_step': time.time()}), flush=True)


def end(**numbers: Any) -> None:
    """Reports that the training has ended, and what it measured."""
    print(json.dumps({'end': time.time(), **numbers}), flush=True)
