"""Named points at which a test can kill the process: `FAULT=save@3` does at the third passing of `save`."""

import os
import signal
from collections import Counter

_NAME, _, _COUNT = os.environ.get('FAULT', '').partition('@')
_passed: Counter[str] = Counter()

POINTS = (
    'start',
    'build',
    'compile',
    'step',
    'evaluation',
    'log',
    'save',
    'seal',
    'sealed',
    'outputs',
    'finish',
)


def _kill(name: str) -> None:
    _passed[name] += 1
    if name == _NAME and _passed[name] == int(_COUNT or 1):
        os.kill(os.getpid(), signal.SIGKILL)


def _pass(name: str) -> None:
    del name


point = _kill if _NAME else _pass
