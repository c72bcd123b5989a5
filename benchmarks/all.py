"""Runs the benchmarks that a laptop can run, one after the other, and writes their results.

    scripts/benchmark.sh all
    scripts/benchmark.sh all --only=overhead,startup
    scripts/benchmark.sh all --text=input.txt

Each result goes into `benchmarks/results/<device>.json` as soon as its benchmark has ended, in place of an
earlier one. A benchmark that fails is named at the end, and the others run all the same.
"""

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Sequence
from typing import Any

from benchmarks import results, table
from benchmarks.results import SUITE
from engine.workspace import REPOSITORY

_DEVICE_KIND = 'import jax; print(jax.devices()[0].device_kind)'


def run(command: Sequence[str]) -> dict[str, Any] | None:
    """Runs a benchmark and shows what it prints.

    Returns:
      Its line of JSON, None if it failed.
    """
    result = None
    environment = os.environ | {'PYTHONUNBUFFERED': '1'}
    with subprocess.Popen(
        command, cwd=REPOSITORY, env=environment, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout
        for line in process.stdout:
            if line.startswith('{"benchmark"'):
                result = json.loads(line)
            else:
                print(line, end='', flush=True)
    return None if process.returncode else result


def device() -> str:
    """Returns the name of the device. Another process asks JAX, which would keep an accelerator to itself."""
    done = subprocess.run([sys.executable, '-c', _DEVICE_KIND], capture_output=True, text=True, check=True)
    return results.device(done.stdout.strip())


def chosen(only: str) -> list[str]:
    """Returns the benchmarks to run, in the order of the suite.

    Args:
      only: their names, separated by commas; '' for all.
    """
    names = only.split(',') if only else [*SUITE]
    if unknown := [name for name in names if name not in SUITE]:
        sys.exit(f'error: there is no benchmark {unknown[0]!r} in the suite. Choose from {", ".join(SUITE)}.')
    return [name for name in SUITE if name in names]


def main() -> None:
    """Runs the suite, writes the results and prints the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument('--only', default='', help='names of benchmarks, separated by commas')
    parser.add_argument('--text', metavar='FILE', help="the text of nanoGPT's setting, for peers")
    arguments = parser.parse_args()
    names, name = chosen(arguments.only), device()
    extra = {'peers': ['--text', arguments.text]} if arguments.text else {}
    file, failed = results.path(name), []
    for benchmark in names:
        print(f'\n== {benchmark}\n', flush=True)
        if (
            result := run([sys.executable, '-m', f'benchmarks.{benchmark}', *extra.get(benchmark, [])])
        ) is None:
            failed.append(benchmark)
            continue
        file = results.add(name, benchmark, result)
    if file.is_file():
        print(f'\n== {name}: {file}\n\n{table.terminal(file)}', end='')
    if failed:
        sys.exit(f'error: these benchmarks failed: {", ".join(failed)}. Their messages are above.')


if __name__ == '__main__':
    main()
