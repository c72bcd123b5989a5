"""Evaluation of a million examples, bootstrap and comparison: memory, and time compared with plain NumPy.

    scripts/benchmark.sh evaluate

The benchmark writes 2 GB of outputs to the folder for temporary files.
"""

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.lib.format import open_memmap

from benchmarks.report import Bound, pair_ratios, print_bounds, print_table
from engine import outputs
from engine.evaluation.results.bootstrap import Bootstrap
from engine.kinds.classification import measuring
from engine.kinds.classification.class_probabilities import ClassPredictions, read_predictions
from engine.outputs.manifest import ArrayEntry, Manifest
from engine.workspace import REPOSITORY

ROWS = 1000  # examples written at a time
BLOCK_SIZE = 2**18  # logits in a block of the plain pass; larger blocks take up to twice as long


@dataclass(frozen=True)
class Sizes:
    """The sizes of the parts.

    Attributes:
      large: (examples, classes) of the evaluation.
      resampled: (examples, classes) of the bootstrap.
      compared: (examples, classes) of the comparison.
      compared_resamples: bootstrap resamples of the comparison.
      rounds: measurements of each candidate.
    """

    large: tuple[int, int] = (1_000_000, 1000)
    resampled: tuple[int, int] = (100_000, 10)
    compared: tuple[int, int] = (10_000, 100)
    compared_resamples: int = 10_000
    rounds: int = 5


def write_outputs(folder: Path, shape: tuple[int, int], dtype: str, seed: int = 0) -> Path:
    """Writes outputs of a classification with random logits.

    Args:
      folder: to make for the outputs.
      shape: (examples, classes) of the logits.
      dtype: of the logits.
      seed: of the logits. The labels are the same for every seed.

    Returns:
      The folder.
    """
    folder.mkdir()
    examples, classes = shape
    random = np.random.default_rng([1, seed])
    labels = np.random.default_rng(0).integers(classes, size=examples).astype(np.int32)
    logits = open_memmap(folder / 'logits.npy', 'w+', dtype, shape)
    for start in range(0, examples, ROWS):
        batch = labels[start : start + ROWS]
        block = random.standard_normal((len(batch), classes), np.float32)
        block[np.arange(len(batch)), batch] += 3
        logits[start : start + ROWS] = block
    logits.flush()
    np.save(folder / 'labels.npy', labels)
    (folder / 'ids.txt').write_text(''.join(f'example {index:07}\n' for index in range(examples)))
    write_manifest(folder, {'logits': logits, 'labels': labels})
    return folder


def write_manifest(folder: Path, arrays: dict[str, np.ndarray]) -> None:
    """Writes the manifest that docs/outputs.md describes."""
    manifest = Manifest(
        'classification',
        examples=len(arrays['labels']),
        arrays={name: ArrayEntry.of(name, array, name) for name, array in arrays.items()},
        files={path.name: outputs.fingerprint(path) for path in sorted(folder.iterdir())},
    )
    (folder / outputs.MANIFEST).write_text(json.dumps(manifest.as_json()))


def numpy_pass(folder: Path) -> tuple[np.ndarray, np.ndarray]:
    """Returns argmax, int64 [n], and log-sum-exp, float32 [n], of the logits, in one plain pass."""
    logits = np.load(folder / 'logits.npy', mmap_mode='r')
    predictions, sums = [], []
    rows = max(1, BLOCK_SIZE // logits.shape[1])
    for start in range(0, len(logits), rows):
        block = logits[start : start + rows].astype(np.float32)
        predictions.append(block.argmax(1))
        highest = block.max(1, keepdims=True)
        sums.append(np.log(np.exp(block - highest).sum(1)) + highest[:, 0])
    return np.concatenate(predictions), np.concatenate(sums)


def engine_pass(folder: Path) -> ClassPredictions:
    """Verifies every file of the outputs and computes every metric."""
    saved = outputs.read(folder)
    predicted = read_predictions(saved)
    measuring.measure(predicted, measuring.ranked_classes(saved), [5], 15)
    return predicted


def check_agreement(folder: Path) -> float:
    """Checks that plain pass and engine agree on predictions and confidences; returns the accuracy."""
    predictions, sums = numpy_pass(folder)
    predicted = engine_pass(folder)
    np.testing.assert_array_equal(predictions, predicted.predictions)
    highest = np.load(folder / 'logits.npy', mmap_mode='r')[np.arange(len(sums)), predictions]
    assert predicted.probable
    np.testing.assert_allclose(np.exp(highest - sums), predicted.probable.confidences, rtol=1e-4)
    return float(predicted.correct.mean())


def measure_seconds(candidates: Mapping[str, Callable[[], object]], rounds: int) -> dict[str, list[float]]:
    """Returns the seconds of each candidate in each round. In a round, the candidates run in turn."""
    seconds: dict[str, list[float]] = {name: [] for name in candidates}
    for _ in range(rounds):
        for name, run in candidates.items():
            start = time.perf_counter()
            run()
            seconds[name].append(time.perf_counter() - start)
    return seconds


def start_program(name: str, *arguments: object) -> subprocess.Popen[bytes]:
    """Starts a program of engine/commands/."""
    command = [sys.executable, '-m', f'engine.commands.{name}', *map(str, arguments)]
    return subprocess.Popen(command, cwd=REPOSITORY, stdout=subprocess.DEVNULL)


def wait_for_success(process: subprocess.Popen[bytes]) -> None:
    """Waits for a program; exits with an error if it fails."""
    if process.wait():
        raise SystemExit(f'error: {process.args} failed.')


def peak_anonymous_memory(process: subprocess.Popen[bytes]) -> float:
    """Waits for a program; returns its peak memory without mapped files, in GB."""
    status, peak = Path(f'/proc/{process.pid}/status'), 0
    while process.poll() is None:
        lines = [line for line in status.read_text().splitlines() if line.startswith('RssAnon')]
        peak = max([peak, *(int(line.split()[1]) for line in lines)])
        time.sleep(0.005)
    wait_for_success(process)
    return peak * 1024 / 1e9


def compute_intervals(predicted: ClassPredictions, bootstrap: Bootstrap) -> None:
    """Computes the metrics that are sums over examples on each resample, and their intervals."""
    for resamples in measuring.resample(predicted, None, [5], 15, bootstrap).values():
        bootstrap.interval(resamples)


def draw_resamples(examples: int, bootstrap: Bootstrap) -> None:
    """Draws the examples of each resample and computes nothing."""
    random = np.random.default_rng(bootstrap.seed)
    for _ in range(bootstrap.resamples):
        random.integers(examples, size=examples)


def measure_large(folder: Path, sizes: Sizes) -> dict[str, Any]:
    """Measures the memory and the time of an evaluation of many examples."""
    outputs_folder = write_outputs(folder / 'large', sizes.large, 'float16')
    accuracy = check_agreement(outputs_folder)
    candidates = {
        'plain pass': lambda: numpy_pass(outputs_folder),
        'engine': lambda: engine_pass(outputs_folder),
    }
    seconds = measure_seconds(candidates, sizes.rounds)
    passes = print_table(f'{sizes.large[0]:,} x {sizes.large[1]:,}', 'seconds', seconds)
    predicted = engine_pass(outputs_folder)
    start = time.perf_counter()
    compute_intervals(predicted, Bootstrap(1000, 0.95, 0))
    resamples = time.perf_counter() - start
    start = time.perf_counter()
    peak = peak_anonymous_memory(start_program('evaluate', outputs_folder))
    return {
        'passes': passes,
        'ratio': pair_ratios(seconds['engine'], seconds['plain pass']),
        'accuracy': accuracy,
        'resamples_seconds': resamples,
        'evaluation_seconds': time.perf_counter() - start,
        'evaluation_peak_gb': peak,
    }


def measure_bootstrap(folder: Path, sizes: Sizes) -> dict[str, Any]:
    """Measures 1,000 resamples, with a new seed in each round."""
    examples, _ = sizes.resampled
    predicted = engine_pass(write_outputs(folder / 'resampled', sizes.resampled, 'float32'))
    engine_bootstraps, drawing_bootstraps = (
        (Bootstrap(1000, 0.95, seed) for seed in range(sizes.rounds)) for _ in range(2)
    )
    candidates = {
        'drawing only': lambda: draw_resamples(examples, next(drawing_bootstraps)),
        'engine': lambda: compute_intervals(predicted, next(engine_bootstraps)),
    }
    seconds = measure_seconds(candidates, sizes.rounds)
    return print_table(f'1,000 resamples of {examples:,}', 'seconds', seconds)


def measure_comparison(folder: Path, sizes: Sizes) -> dict[str, Any]:
    """Measures the whole of `scripts/compare.sh` on one folder and on three."""
    folders = [
        write_outputs(folder / f'compared {seed}', sizes.compared, 'float32', seed) for seed in range(3)
    ]
    resamples = f'--resamples={sizes.compared_resamples}'
    candidates = {
        'one folder': lambda: wait_for_success(start_program('compare', folders[0], resamples)),
        'three folders': lambda: wait_for_success(start_program('compare', *folders, resamples)),
    }
    return print_table('compare.sh', 'seconds', measure_seconds(candidates, sizes.rounds))


def main(sizes: Sizes = Sizes()) -> None:
    """Measures all three parts and checks their bounds."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        large = measure_large(folder, sizes)
        bootstrap = measure_bootstrap(folder, sizes)
        comparison = measure_comparison(folder, sizes)
    bounds = {
        'GB of an evaluation': Bound(large['evaluation_peak_gb'], at_most=1),
        'metrics and hashes: times plain pass': Bound.of(large.pop('ratio'), at_most=2),
        'seconds of 1,000 resamples': Bound(bootstrap['medians']['engine'], at_most=5),
    }
    parts = {'large': large, 'bootstrap': bootstrap, 'comparison': comparison}
    print(json.dumps({'benchmark': 'evaluate', **parts, 'bounds': print_bounds(bounds)}))


if __name__ == '__main__':
    main()
