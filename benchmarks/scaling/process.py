"""One of several processes that train without a library, as a script would write it.

    python -m benchmarks.scaling.process INDEX COUNT PORT STEPS

The first training compiles. The second one is measured, and the process prints its seconds.
"""

import os
import sys
import tempfile
import time
from contextlib import redirect_stdout
from pathlib import Path

import jax

from benchmarks.scaling.bare import BareSharded
from benchmarks.scaling.layouts import BATCH_SIZE, CONFIG


def main(index: int, count: int, port: int, steps: int) -> None:
    """Trains twice, together with the other processes."""
    jax.distributed.initialize(f'localhost:{port}', count, index)
    training = BareSharded(CONFIG, steps, 'digits', BATCH_SIZE, dropout=0.0)
    seconds = 0.0
    for _ in range(2):
        with (
            tempfile.TemporaryDirectory() as folder,
            Path(os.devnull).open('w') as output,
            redirect_stdout(output),
        ):
            start = time.perf_counter()
            training.run(Path(folder))
            seconds = time.perf_counter() - start
    print(seconds)


if __name__ == '__main__':
    main(*map(int, sys.argv[1:]))
