"""Trainings with the template, with a loop in plain PyTorch and with Lightning, in turn, on the CPU.

    scripts/benchmark.sh peers
    scripts/benchmark.sh peers --pairs=5 --only=digits_mlp
    scripts/benchmark.sh peers --text=input.txt

All sides have the same model, data, batch size, number of steps, optimizer, schedule and augmentation. Each
logs the loss of every step, evaluates at the end of each epoch, and saves its best and its last state. Speeds
count from the first step to the end of the training. The time to the first step counts from the command.
PyTorch runs with one thread or one per core, whichever is faster in a short training before.

--text names tiny Shakespeare or another text. The template and plain PyTorch then train nanoGPT's setting for
laptops on it: tokens per second count the training without its evaluations.
"""

import argparse
import gc
import json
import os
import platform
import subprocess
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import overhead, startup
from benchmarks.overhead import Case
from benchmarks.peers import environment
from benchmarks.report import Bound, median_interval, pair_ratios, print_bounds, print_table
from engine.datasets.load import load
from engine.workspace import REPOSITORY

PAIRS, TEXT_PAIRS = 15, 3
PLAIN, LIGHTNING = 'plain PyTorch', 'Lightning'
PROGRAMS = {PLAIN: 'plain', LIGHTNING: 'lightning_training'}


@dataclass(frozen=True)
class Limits:
    """Lower limits of the speed of the template, divided by that of the peer."""

    plain: float
    lightning: float


DIGITS = {
    'digits_mlp': (Case('digits_mlp', 1000, 1.3), Limits(plain=1.3, lightning=3.0)),
    'digits_cnn': (Case('digits_cnn', 500, 1.0), Limits(plain=1.0, lightning=1.5)),
}
GPT2 = 'research.models.gpt2.GPT2'
TEXT = Case(
    'shakespeare_transformer',
    2000,
    1.0,
    (
        'LEARNING_RATE = 1e-3',
        f'language.Language.model = @{GPT2}',
        f'{GPT2}.width = 128',
        f'{GPT2}.depth = 4',
        f'{GPT2}.heads = 4',
        f'{GPT2}.use_bias = False',
    ),
    batch_size=12,
)
TOKENS = 12 * 64  # per step
LARGEST_LOSS = 1.886  # of nanoGPT's setting in plain PyTorch


@dataclass(frozen=True)
class Measured:
    """A training.

    Attributes:
      seconds: from its first step to its end.
      first_step: seconds from the command to the end of the first step.
      numbers: what else it measured.
    """

    seconds: float
    first_step: float
    numbers: dict[str, float]


def peer(program: str, *arguments: object) -> Measured:
    """Trains with a program of this folder, in the environment of the peers."""
    with tempfile.TemporaryDirectory() as folder:
        command = [environment.python(), '-m', f'benchmarks.peers.{program}', *arguments]
        command = [str(argument).replace('FOLDER', folder) for argument in command]
        start = time.time()
        output = subprocess.run(
            command,
            cwd=REPOSITORY,
            env=os.environ | {'PYTHONPATH': str(REPOSITORY)},
            stdout=subprocess.PIPE,
            text=True,
            check=True,
        ).stdout
    numbers: dict[str, float] = {}
    for line in output.splitlines():
        numbers |= json.loads(line)
    first_step = numbers.pop('first_step')
    return Measured(numbers.pop('end') - first_step, first_step - start, numbers)


def fastest(train: Callable[[int], Measured]) -> int:
    """Returns the number of threads with which a short training is fastest, 1 or one per core."""
    return min({1, len(os.sched_getaffinity(0))}, key=lambda threads: train(threads).seconds)


def template(case: Case) -> tuple[float, dict[str, Any]]:
    """Trains by the template; returns the seconds from its first step to its end, and its last evaluation.

    The evaluation comes with the seconds that all evaluations took, `evaluation_seconds`.
    """
    with tempfile.TemporaryDirectory() as folder, overhead.terminal():
        gc.collect()
        seconds = overhead.template(case, Path(folder)).seconds
        logs = Path(folder) / 'run' / 'logs'
        evaluation, *_ = reversed(lines(logs / 'val.jsonl'))
        times = lines(logs / 'performance.jsonl')
    return seconds, evaluation | {
        'evaluation_seconds': sum(line['seconds'].get('evaluation', 0.0) for line in times)
    }


def lines(file: Path) -> list[dict[str, Any]]:
    """Returns the lines of a log."""
    return [json.loads(line) for line in file.read_text(encoding='utf-8').splitlines()]


def digits_data(folder: Path, dataset: str = 'digits') -> Path:
    """Writes the digits as arrays, from which PyTorch trains; returns the file."""
    arrays = {}
    for split in ('train', 'val'):
        for name, array in load(dataset).split(split).arrays.items():
            arrays[f'{split}_{name}'] = np.asarray(array)
    np.savez(file := folder / 'digits.npz', **arrays)
    return file


def text_data(folder: Path, dataset: str) -> Path:
    """Writes a text as arrays: the tokens of the training split in order, and the windows of validation.

    The vocabulary is the characters that the text has. The template's also holds the other bytes.
    """
    data = load(dataset)
    train, val = (data.split(split).arrays for split in ('train', 'val'))
    windows = zip(np.asarray(train['text']), train['length'], strict=True)
    tokens = np.concatenate([train['text'][0][:1], *(window[1:length] for window, length in windows)])
    val_windows = np.asarray(val['text'])
    vocabulary = max(int(tokens.max()), int(val_windows.max())) + 1
    np.savez(
        file := folder / 'text.npz',
        train=tokens,
        val=val_windows,
        val_lengths=np.asarray(val['length']),
        vocabulary=vocabulary,
    )
    return file


def in_turn(sides: dict[str, Callable[[], Any]], rounds: int) -> dict[str, list[Any]]:
    """Returns what each side measures in each round. The side that begins changes from round to round."""
    measured: dict[str, list[Any]] = {name: [] for name in sides}
    for number in range(rounds):
        for name in reversed(sides) if number % 2 else iter(sides):
            measured[name].append(sides[name]())
    return measured


def report_digits(
    name: str, data: Path, rounds: int, case: Case, limits: Limits
) -> tuple[dict[str, Any], dict[str, Bound]]:
    """Measures a training of the digits, prints tables and returns the numbers and their bounds."""

    def train(program: str, threads: int, steps: int = case.steps) -> Measured:
        return peer(program, case.config, data, 'FOLDER', steps, case.batch_size, threads)

    def trained() -> Measured:
        first_step = startup.template(case.config)
        seconds, numbers = template(case)
        return Measured(seconds, first_step, numbers)

    trained()  # compiles
    short = max(case.steps // 4, 1)
    threads = {name: fastest(partial(train, program, steps=short)) for name, program in PROGRAMS.items()}
    sides = {name: partial(train, program, threads[name]) for name, program in PROGRAMS.items()}
    measured = in_turn({'template': trained, **sides}, rounds)
    seconds = {side: [run.seconds for run in runs] for side, runs in measured.items()}
    first_steps = {side: [run.first_step for run in runs] for side, runs in measured.items()}
    summary = print_table(name, 'seconds', seconds)
    starts = print_table(f'{name}, first step', 'seconds', first_steps)
    bounds = {
        f'{name}: speed, {side} = 1': Bound.of(pair_ratios(seconds[side], seconds['template']), at_least)
        for side, at_least in {PLAIN: limits.plain, LIGHTNING: limits.lightning}.items()
    }
    earlier = pair_ratios(first_steps['template'], first_steps[LIGHTNING])
    bounds[f'{name}: time to the first step, {LIGHTNING} = 1'] = Bound.of(earlier, at_most=1.0)
    return summary | {'first_step': starts, 'threads': threads}, bounds


def report_text(data: Path, rounds: int, case: Case = TEXT) -> tuple[dict[str, Any], dict[str, Bound]]:
    """Measures nanoGPT's setting, prints a table and returns the numbers and their bounds."""

    def train(threads: int, compiled: bool = False, steps: int = case.steps) -> Measured:
        return peer('text', data, 'FOLDER', steps, threads, int(compiled))

    def rate(seconds: float, numbers: dict[str, float]) -> float:
        return TOKENS * case.steps / (seconds - numbers['evaluation_seconds'])

    def trained() -> tuple[float, float]:
        seconds, numbers = template(case)
        return rate(seconds, numbers), numbers['nats_per_token']

    def plain() -> tuple[float, float]:
        run = train(threads, is_compiled)
        return rate(run.seconds, run.numbers), run.numbers['val_loss']

    short = max(case.steps // 20, 1)
    threads = fastest(partial(train, steps=short))
    is_compiled = faster_compiled(partial(train, threads, steps=short))
    measured = in_turn({'template': trained, PLAIN: plain}, rounds)
    rates, losses = ({side: [run[i] for run in runs] for side, runs in measured.items()} for i in (0, 1))
    summary = print_table('nanoGPT', 'tokens/s', rates)
    loss_summary = print_table('nanoGPT, validation', 'nats/token', losses)
    bounds = {
        f'nanoGPT: tokens/s, {PLAIN} = 1': Bound.of(pair_ratios(rates['template'], rates[PLAIN]), 1.0),
        'nanoGPT: validation loss': Bound.of(median_interval(losses['template']), at_most=LARGEST_LOSS),
    }
    details = {'loss': loss_summary, 'threads': threads, 'compiled': is_compiled}
    return summary | details, bounds


def faster_compiled(train: Callable[[bool], Measured]) -> bool:
    """Returns whether `torch.compile` works and makes a short training faster after its first step."""
    try:
        return train(True).seconds < train(False).seconds
    except subprocess.CalledProcessError:  # such as without a C++ compiler
        return False


def versions() -> str:
    """Returns the Pythons and the packages of both sides in words."""
    code = (
        'import platform; from importlib.metadata import version; '
        'print(platform.python_version(), version("torch"), version("lightning"))'
    )
    output = subprocess.run([environment.python(), '-c', code], stdout=subprocess.PIPE, text=True, check=True)
    python, torch, lightning = output.stdout.split()
    return (
        f'template: Python {platform.python_version()}, JAX {version("jax")}; '
        f'peers: Python {python}, PyTorch {torch}, Lightning {lightning}'
    )


def main() -> None:
    """Measures the cases, prints tables and their bounds, then the same numbers as JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument('--pairs', type=int, default=PAIRS, help='trainings of each side on the digits (15)')
    parser.add_argument(
        '--text_pairs', type=int, default=TEXT_PAIRS, help='trainings of each side on text (3)'
    )
    parser.add_argument('--only', default='', help='only the cases whose names contain this')
    parser.add_argument(
        '--text', metavar='FILE', help='the text of nanoGPT; without it, the case is left out'
    )
    arguments = parser.parse_args()
    print(environments := versions())
    cases: dict[str, Any] = {}
    bounds: dict[str, Bound] = {}
    with tempfile.TemporaryDirectory() as folder:
        for name, (case, limits) in DIGITS.items():
            if arguments.only in name:
                data = digits_data(Path(folder))
                cases[name], new = report_digits(name, data, arguments.pairs, case, limits)
                bounds |= new
        if arguments.only in 'nanogpt' and arguments.text:
            text = replace(TEXT, dataset=f'text:{Path(arguments.text).resolve()}?length=64')
            data = text_data(Path(folder), text.dataset)
            cases['nanogpt'], new = report_text(data, arguments.text_pairs, text)
            bounds |= new
    results = {'benchmark': 'peers', 'environments': environments, 'cases': cases}
    print(json.dumps(results | {'bounds': print_bounds(bounds)}))


if __name__ == '__main__':
    main()
