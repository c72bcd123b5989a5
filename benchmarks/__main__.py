"""Runs a benchmark by its name, or lists them all.

scripts/benchmark.sh overhead
"""

import os
import sys

from engine.errors import did_you_mean

BENCHMARKS = {
    'all': 'runs those for a laptop, writes benchmarks/results/<device>.json and prints a table',
    'table': 'prints the table of all results and puts it into README.md',
    'overhead': 'whole trainings, compared with a loop written by hand',
    'startup': 'time to the first step, compared with a bare script',
    'peers': 'the same trainings in PyTorch and Lightning, and the setting of nanoGPT',
    'scaling': '8 simulated devices and 2 processes, compared with one device',
    'checkpoint': 'what saving costs, by size',
    'inputs': 'batches, compared with tf.data and Grain',
    'large_data': 'a dataset of 1.3 million images: built, killed, opened, read, checked',
    'evaluate': 'evaluation of a million examples, compared with plain NumPy',
    'accelerator': 'everything that needs a GPU, in 8 minutes',
    'loading': 'memory for loading trained variables',
    'logs': 'writing and reading logs of a million steps',
    'random_cases': 'more of the random cases that tests draw',
    'sweeps': 'sweeps whose workers are killed, compared with unbroken ones',
}


def main(arguments: list[str]) -> None:
    """Runs the benchmark that the first argument names, with the other arguments."""
    name = arguments[0] if arguments else ''
    if name in ('', '--help', '-h'):
        print('scripts/benchmark.sh <name>\n')
        for benchmark, purpose in BENCHMARKS.items():
            print(f'  {benchmark:14}{purpose}')
        return
    if name not in BENCHMARKS:
        sys.exit(f'error: there is no benchmark {name!r}. {did_you_mean(name, BENCHMARKS)}')
    os.execv(sys.executable, [sys.executable, '-m', f'benchmarks.{name}', *arguments[1:]])


if __name__ == '__main__':
    main(sys.argv[1:])
