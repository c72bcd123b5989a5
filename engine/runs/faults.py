"""Named points at which a test can kill the process.

`FAULT=save@3` kills the process when it passes `save` for the third time. `FAULT=save@3:SIGTERM` sends it
SIGTERM instead.
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
    'config',
    'config_saved',
    'compile',
    'step',
    'evaluation',
    'pictures',
    'log',
    'save',
    'checksums',
    'checksums_written',
    'outputs',
    'finish',
)


def _pass_and_kill(name: str) -> None:
    _passed[name] += 1
    if name == _NAME and _passed[name] == int(_COUNT or 1):
        os.kill(os.getpid(), signal.Signals[_SIGNAL or 'SIGKILL'])


def _pass(name: str) -> None:
    del name


point = _pass_and_kill if _NAME else _pass
