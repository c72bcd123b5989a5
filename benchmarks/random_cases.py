"""Tries many random cases of the tests that draw them: configs, lists, images, environments and outputs.

    scripts/benchmark.sh random_cases --cases=5000

The cases come in blocks: a test with a seed of its own. Each finished block is a line of `results.jsonl`. The
same command continues after an interruption, and a larger `--cases` adds blocks. The exit code is 1 if any
block failed; the file then holds the end of its output.
"""

import argparse
import itertools
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from engine.workspace import REPOSITORY, workspace

MAX_SECONDS = 1800  # of one block; a test that hangs fails
MAX_TAIL = 4000  # characters of the output of a failed block


def main() -> int:
    """Runs the blocks that are missing, and prints a table; returns the exit code."""
    arguments = _parser().parse_args()
    results = Path(arguments.folder or workspace() / 'random_cases') / 'results.jsonl'
    results.parent.mkdir(parents=True, exist_ok=True)
    finished = _read(results)
    for test, seed in _blocks(arguments.match):
        if sum(block['cases'] for block in finished) >= arguments.cases:
            break
        if any((block['test'], block['seed']) == (test, seed) for block in finished):
            continue
        finished.append(_run(test, seed, arguments.block))
        with results.open('a') as file:
            file.write(json.dumps(finished[-1]) + '\n')
        print(*(finished[-1][name] for name in ('test', 'seed', 'cases', 'passed', 'seconds')), flush=True)
    return _summarise(finished)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else '')
    parser.add_argument('--cases', type=int, default=5000, help='cases of all tests together')
    parser.add_argument('--block', type=int, default=50, help='cases of one test with one seed')
    parser.add_argument('--match', default='', help='only tests whose name contains this')
    parser.add_argument('--folder', help='where results.jsonl is; workspace/random_cases by default')
    return parser


def _read(results: Path) -> list[dict]:
    """Returns the finished blocks. An interruption may have torn the last line."""
    blocks = []
    for line in results.read_text().splitlines() if results.exists() else []:
        try:
            blocks.append(json.loads(line))
        except ValueError:
            continue
    return blocks


def _blocks(match: str) -> Iterator[tuple[str, int]]:
    """Yields tests and seeds without end: all tests with the seed 1, then all with 2."""
    command = [sys.executable, '-m', 'pytest', '--collect-only', '-n0', '-m', 'random_cases', 'tests']
    listed = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=True).stdout
    tests = [line for line in listed.splitlines() if '::' in line and match in line]
    if not tests:
        raise SystemExit(f'No test that draws random cases matches {match!r}.')
    return ((test, seed) for seed in itertools.count(1) for test in tests)


def _run(test: str, seed: int, cases: int) -> dict:
    """Runs one block and returns its line of the results."""
    start = time.monotonic()
    environment = os.environ | {'FUZZ': str(cases), 'FUZZ_SEED': str(seed)}
    command = [sys.executable, '-m', 'pytest', '-n0', '-m', 'random_cases', test]
    try:
        ended = subprocess.run(
            command, cwd=REPOSITORY, env=environment, capture_output=True, text=True, timeout=MAX_SECONDS
        )
        passed, output = ended.returncode == 0, ended.stdout + ended.stderr
    except subprocess.TimeoutExpired:
        passed, output = False, f'still running after {MAX_SECONDS} s'
    seconds = round(time.monotonic() - start, 1)
    tail = '' if passed else output[-MAX_TAIL:]
    return {'test': test, 'seed': seed, 'cases': cases, 'passed': passed, 'seconds': seconds, 'tail': tail}


def _summarise(blocks: list[dict]) -> int:
    """Prints cases and failures of each test."""
    failed = 0
    for test in sorted({block['test'] for block in blocks}):
        its = [block for block in blocks if block['test'] == test]
        bad = [block['seed'] for block in its if not block['passed']]
        failed += len(bad)
        print(f'{sum(block["cases"] for block in its):6} cases, failed with seeds {bad or "none"}: {test}')
    print(f'{sum(block["cases"] for block in blocks):6} cases in all, {failed} blocks failed')
    return 1 if failed else 0


if __name__ == '__main__':
    sys.exit(main())
