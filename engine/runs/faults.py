"""Named points at which a test can hit the process.

`FAULT=save@3` kills it at the third passing of `save`, `FAULT=save@3:SIGTERM` sends it another signal there.
"""

import os
import signal
from collections import Counter

_WHERE, _, _SIGNAL = os.environ.get('FAULT', '').partition(':')
_NAME, _, _COUNT = _WHERE.partition('@')
_passed: Counter[str] = Counter()

POINTS = (
    'build',
    'start',
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


def _hit(name: str) -> None:
    _passed[name] += 1
    if name == _NAME and _passed[name] == int(_COUNT or 1):
        os.kill(os.getpid(), signal.Signals[_SIGNAL or 'SIGKILL'])


def _pass(name: str) -> None:
    del name


point = _hit if _NAME else _pass
