"""Runs `fitting` in a process of its own, because one that ran out of memory may be unable to compile.

It prints a line of JSON for what the experiment needs, and one for each remedy.
"""

import json
import os
import sys
from collections.abc import Mapping
from typing import Any

from engine.commands import fitting
from engine.runs import text_log
from engine.training import steps
from engine.training.trainer import Trainer


def main(task: Mapping[str, Any]) -> None:
    """Prints the lines, as long as the process that asked for them lives."""
    parent = os.getppid()
    text_log.silence_libraries()
    steps.use_compilation_cache()
    for line in fitting.lines(task, Trainer):
        print(json.dumps(line), flush=True)
        if os.getppid() != parent:
            return


if __name__ == '__main__':
    main(json.loads(sys.argv[1]))
