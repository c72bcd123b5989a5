"""Everything that is measured on an accelerator, in one call.

    scripts/benchmark.sh accelerator                        on a GPU: 8 minutes, the most important sections
    scripts/benchmark.sh accelerator --only=vit_b,vit_b.    all of ViT-B
    scripts/benchmark.sh accelerator --small                runs all of the code with small sizes, on a CPU

Each section has a process and a time limit of its own, so a failure costs only the rest of its section. The
file of results is rewritten with each figure. A section that does not fit into the remaining time is skipped.
A later call with `--only` measures it and keeps the other sections of the file.

section          what                                                            seconds expected on an H100
device           rate of a matrix product and of a copy                          15
exactness        kill, resume, verify, restore on the CPU, PMap                  100
vit_b            ViT-B/16 at 224: template, bare loop                            70
vit_b.pytorch    the same in PyTorch                                             30
gpt2             GPT-2 124M, 1,024 tokens                                        70, PyTorch 30
resnet50         ResNet-50 at 224                                                70, PyTorch 30
vit_s            ViT-S/16 at 224                                                 70, PyTorch 30
cifar10          ResNet-18 on CIFAR-10, with --cifar10                           75
*.attention      kinds of attention                                              40
vit_s.arrays     images that the host holds                                      50
vit_s.groups     several steps in one call                                       50
vit_s.pmap       PMap                                                            50
*.sizes          other batch sizes                                               30 each
vit_b.flags.*    flags of XLA, one by one                                        40 each

While `exactness` runs, which measures no speed, PyTorch already compiles its models.
"""

import argparse
import importlib.util
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any, TextIO

from benchmarks import results, table
from benchmarks.accelerator import children, plan
from benchmarks.accelerator.plan import Section
from benchmarks.accelerator.record import Record
from benchmarks.peers import environment
from engine.workspace import REPOSITORY, workspace

SLOWER = 4  # so much longer may small sizes take on a CPU
LANES = 2  # of PyTorch compiling beside `exactness`; all models at once would not fit into memory


class Campaign:
    """The measurements of one call.

    Args:
      arguments: of the command line.
      record: gets the figures.
      log: gets what the processes print.

    Attributes:
      failed: names of the sections that failed.
    """

    def __init__(self, arguments: argparse.Namespace, record: Record, log: TextIO):
        self._arguments, self._record, self._log = arguments, record, log
        self._end = time.monotonic() + 60 * arguments.minutes
        self._peer_python: str | None = None
        self.failed: list[str] = []

    def run(self, sections: Sequence[Section]) -> None:
        """Measures sections, one after another, as long as there is time."""
        peers = [section for section in sections if section.is_peer]
        if peers:
            self._peer_python = peer_python(has_gpu=bool(shutil.which('nvidia-smi')))
        for section in sections:
            if section.name == 'exactness':
                deadline = time.monotonic() + section.expected
                with ThreadPoolExecutor(LANES) as lanes:
                    lanes.map(partial(self._warm, deadline), peers)
                    self._measure(section)
            else:
                self._measure(section)

    def _measure(self, section: Section) -> None:
        left = self._end - time.monotonic()
        if left < section.expected and not self._arguments.small:
            print(f'{section.name:28}skipped: it takes {section.expected:.0f} s, {left:.0f} s are left')
            return
        if section.is_peer and not self._peer_python:
            print(f'{section.name:28}skipped: no Python with PyTorch')
            return
        self._record.begin(section.name)
        start = time.monotonic()
        limit = section.limit * (SLOWER if self._arguments.small else 1)
        failure = self._run(section, (), min(limit, left), section.name)
        seconds = time.monotonic() - start
        self.failed += [section.name] * bool(failure)
        outcome = {'seconds': round(seconds, 1)} | ({'failure': failure} if failure else {})
        self._record.add(section.name, outcome)
        print(f'{section.name:28}{seconds:6.0f} s  {failure or "done"}', flush=True)

    def _warm(self, deadline: float, section: Section) -> None:
        """Has PyTorch compile the model of a section before a time; it keeps the result on the disk."""
        left = deadline - time.monotonic()
        if self._peer_python and left > 0:
            self._run(section, ('--warm',), left, '')

    def _run(self, section: Section, arguments: Sequence[str], limit: float, name: str) -> str:
        """Runs the program of a section; returns why it failed, '' if it did not."""
        python = self._peer_python if section.is_peer else sys.executable
        command = [str(python), '-m', f'benchmarks.accelerator.{section.module}']
        command += [*section.arguments, *arguments, *(['--small'] if self._arguments.small else [])]
        if section.module == 'train_cifar10':
            command.append(f'--cifar10={self._arguments.cifar10}')

        def on_figure(figures: dict[str, Any]) -> None:
            print(f'{section.name:28}{figures}', flush=True)
            if name:
                self._record.add(name, figures)

        def on_line(line: str) -> None:
            print(f'{section.name}: {line}', file=self._log, flush=True)

        environment = {'PYTHONPATH': str(REPOSITORY)} if section.is_peer else {}
        return children.run(command, limit, environment | dict(section.environment), on_figure, on_line)


def peer_python(has_gpu: bool) -> str | None:
    """Returns a Python that has PyTorch; None if there is none.

    It is this one, or that of the environment of the peers. By itself, that has no PyTorch for a GPU.

    Args:
      has_gpu: whether PyTorch must run on a GPU.
    """
    if importlib.util.find_spec('torch'):
        return sys.executable
    if has_gpu and not os.environ.get('PEERS_PYTHON'):
        return None
    try:
        return str(environment.python())
    except SystemExit:
        return None


def device_name() -> str:
    """Returns the name of the device. Another process asks JAX, which would keep the device's memory."""
    query = ['nvidia-smi', '--query-gpu=name', '--format=csv,noheader']
    ask_jax = [sys.executable, '-c', 'import jax; print(jax.devices()[0].device_kind)']
    for command in (query, ask_jax):
        try:
            done = subprocess.run(command, capture_output=True, text=True, check=True)
            return results.device(done.stdout.splitlines()[0].strip())
        except (OSError, subprocess.CalledProcessError, IndexError):
            continue
    sys.exit('error: JAX finds no device.')


def parser() -> argparse.ArgumentParser:
    """Returns the parser of the command line."""
    parser = argparse.ArgumentParser(
        prog='scripts/benchmark.sh accelerator',
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument('--minutes', type=float, default=None, help='for all sections; 8 by default')
    parser.add_argument('--only', default='', help="names of sections; 'vit_b.' is all that begins so")
    parser.add_argument('--without', default='', help='names of sections that are left out')
    parser.add_argument('--cifar10', help='a tar archive of <split>/<class>/<image>, for the section cifar10')
    parser.add_argument('--results', type=Path, help='the folder of the file; benchmarks/results by default')
    parser.add_argument('--log', type=Path, help='gets what the programs print')
    parser.add_argument('--small', action='store_true', help='small sizes, which measure nothing')
    return parser


def main() -> None:
    """Measures what the command line chooses, and prints a table."""
    arguments = parser().parse_args()
    arguments.minutes = arguments.minutes or (60 if arguments.small else 8)
    scratch = workspace() / 'benchmarks'
    folder = arguments.results or (scratch if arguments.small else results.FOLDER)
    log = arguments.log or scratch / 'accelerator.log'
    log.parent.mkdir(parents=True, exist_ok=True)
    if arguments.cifar10 and not Path(arguments.cifar10).is_file():
        parser().error(f'--cifar10={arguments.cifar10}: there is no such file')
    try:
        sections = plan.chosen(plan.sections(bool(arguments.cifar10)), arguments.only, arguments.without)
    except ValueError as error:
        parser().error(str(error))
    signal.signal(signal.SIGTERM, lambda *_: sys.exit('ended by SIGTERM'))  # its processes end, too
    record = Record(folder, device_name(), arguments.small)
    with log.open('a') as file:
        campaign = Campaign(arguments, record, file)
        campaign.run(sections)
    print(f'\n{table.terminal(record.path)}results: {record.path}\nlog: {log}')
    if campaign.failed:
        sys.exit(f'error: these sections failed: {", ".join(campaign.failed)}.')


if __name__ == '__main__':
    main()
