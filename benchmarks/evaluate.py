"""Evaluation of a million examples, bootstrap and comparison: memory, and time against plain NumPy.

The outputs that it writes take 2 GB of the folder for temporary files.
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

from benchmarks.report import show, table
from engine import outputs
from engine.evaluation.results.bootstrap import Bootstrap
from engine.kinds.classification import evaluate
from engine.kinds.classification.class_probabilities import ClassPredictions, read_predictions
from engine.workspace import REPOSITORY

ROWS = 1000  # written at once
BLOCK = 2**18  # numbers at once in a plain pass; with larger blocks it takes up to twice as long


@dataclass(frozen=True)
class Sizes:
    """How much is evaluated: examples, classes and rounds of each part, resamples of the comparison."""

    large: tuple[int, int] = (1_000_000, 1000)
    resampled: tuple[int, int] = (100_000, 10)
    compared: tuple[int, int] = (10_000, 100)
    compared_resamples: int = 10_000
    rounds: int = 5


# What is evaluated.


def write(folder: Path, shape: tuple[int, int], dtype: str, seed: int = 0) -> Path:
    """Writes outputs, block by block, and returns their folder; the labels are the same for any seed."""
    folder.mkdir()
    examples, classes = shape
    random = np.random.default_rng([1, seed])
    labels = np.random.default_rng(0).integers(classes, size=examples).astype(np.int32)
    logits = open_memmap(folder / 'logits.npy', 'w+', dtype, shape)
    for start in range(0, examples, ROWS):
        own = labels[start : start + ROWS]
        block = random.standard_normal((len(own), classes), np.float32)
        block[np.arange(len(own)), own] += 3
        logits[start : start + ROWS] = block
    logits.flush()
    np.save(folder / 'labels.npy', labels)
    (folder / 'ids.txt').write_text(''.join(f'example {index:07}\n' for index in range(examples)))
    seal(folder, {'logits': logits, 'labels': labels})
    return folder


def seal(folder: Path, arrays: dict[str, np.ndarray]) -> None:
    """Writes the manifest, as in docs/outputs.md."""
    manifest = {
        'format': 'outputs',
        'version': 1,
        'kind': 'classification',
        'examples': len(arrays['labels']),
        'arrays': {
            name: {
                'file': f'{name}.npy',
                'dtype': str(array.dtype),
                'shape': list(array.shape),
                'meaning': name,
            }
            for name, array in arrays.items()
        },
        'files': {path.name: outputs.fingerprint(path) for path in sorted(folder.iterdir())},
    }
    (folder / 'manifest.json').write_text(json.dumps(manifest))


# What is measured.


def plain(folder: Path) -> tuple[np.ndarray, np.ndarray]:
    """Returns argmax and log-sum-exp of the logits, each [n]: one pass as anyone would write it."""
    logits = np.load(folder / 'logits.npy', mmap_mode='r')
    predictions, sums = [], []
    rows = max(1, BLOCK // logits.shape[1])
    for start in range(0, len(logits), rows):
        block = logits[start : start + rows].astype(np.float32)
        predictions.append(block.argmax(1))
        highest = block.max(1, keepdims=True)
        sums.append(np.log(np.exp(block - highest).sum(1)) + highest[:, 0])
    return np.concatenate(predictions), np.concatenate(sums)


def ours(folder: Path) -> ClassPredictions:
    """Verifies every file of the outputs and computes every metric."""
    predicted = read_predictions(outputs.read(folder))
    evaluate.measure(predicted, [5], 15)
    return predicted


def check(folder: Path) -> float:
    """Checks that both say the same of the logits; returns the accuracy."""
    predictions, sums = plain(folder)
    predicted = ours(folder)
    np.testing.assert_array_equal(predictions, predicted.predictions)
    highest = np.load(folder / 'logits.npy', mmap_mode='r')[np.arange(len(sums)), predictions]
    np.testing.assert_allclose(np.exp(highest - sums), predicted.confidences, rtol=1e-4)
    return float(predicted.correct.mean())


def interleaved(candidates: Mapping[str, Callable[[], object]], rounds: int) -> dict[str, list[float]]:
    """Returns the seconds of each candidate, one number per round."""
    found: dict[str, list[float]] = {name: [] for name in candidates}
    for _ in range(rounds):
        for name, run in candidates.items():
            start = time.perf_counter()
            run()
            found[name].append(time.perf_counter() - start)
    return found


def program(name: str, *arguments: object) -> subprocess.Popen[bytes]:
    """Starts a program of research/."""
    command = [sys.executable, '-m', f'engine.commands.{name}', *map(str, arguments)]
    return subprocess.Popen(command, cwd=REPOSITORY, stdout=subprocess.DEVNULL)


def ended(process: subprocess.Popen[bytes]) -> None:
    """Waits for a program, which must not fail."""
    if process.wait():
        raise SystemExit(f'error: {process.args} failed.')


def anonymous_peak(process: subprocess.Popen[bytes]) -> float:
    """Returns the most memory, without mapped files, that a process has until it ends, in GB."""
    status, peak = Path(f'/proc/{process.pid}/status'), 0
    while process.poll() is None:
        lines = [line for line in status.read_text().splitlines() if line.startswith('RssAnon')]
        peak = max([peak, *(int(line.split()[1]) for line in lines)])
        time.sleep(0.005)
    ended(process)
    return peak * 1024 / 1e9


def resampled(predicted: ClassPredictions, bootstrap: Bootstrap) -> None:
    """Computes every metric on each resample, and its interval."""
    for resamples in evaluate.resample(predicted, [5], 15, bootstrap).values():
        bootstrap.interval(resamples)


def drawn(examples: int, bootstrap: Bootstrap) -> None:
    """Draws the examples of each resample, and does nothing with them."""
    random = np.random.default_rng(bootstrap.seed)
    for _ in range(bootstrap.resamples):
        random.integers(examples, size=examples)


# The parts.


def large(folder: Path, sizes: Sizes) -> dict[str, Any]:
    """Measures memory and time of evaluating many examples."""
    written = write(folder / 'large', sizes.large, 'float16')
    accuracy = check(written)
    passes = table(
        f'{sizes.large[0]:,} x {sizes.large[1]:,}',
        'seconds',
        interleaved({'a plain pass': lambda: plain(written), 'ours': lambda: ours(written)}, sizes.rounds),
    )
    predicted = ours(written)
    (resamples,) = interleaved({'': lambda: resampled(predicted, Bootstrap(1000, 0.95, 0))}, 1)['']
    start = time.perf_counter()
    peak = anonymous_peak(program('evaluate', written))
    return {
        'passes': passes,
        'accuracy': accuracy,
        'resamples_seconds': resamples,
        'evaluation_seconds': time.perf_counter() - start,
        'evaluation_peak_gb': peak,
    }


def bootstrap(folder: Path, sizes: Sizes) -> dict[str, Any]:
    """Measures a thousand resamples, with another seed each time."""
    examples, _ = sizes.resampled
    predicted = ours(write(folder / 'resampled', sizes.resampled, 'float32'))
    mine, theirs = ((Bootstrap(1000, 0.95, seed) for seed in range(sizes.rounds)) for _ in range(2))
    candidates = {
        'drawing alone': lambda: drawn(examples, next(theirs)),
        'ours': lambda: resampled(predicted, next(mine)),
    }
    return table(f'1,000 resamples of {examples:,}', 'seconds', interleaved(candidates, sizes.rounds))


def comparison(folder: Path, sizes: Sizes) -> dict[str, Any]:
    """Measures `scripts/compare.sh` on one folder and on three, from its start to its end."""
    folders = [write(folder / f'compared {seed}', sizes.compared, 'float32', seed) for seed in range(3)]
    resamples = f'--resamples={sizes.compared_resamples}'
    candidates = {
        'one folder': lambda: ended(program('compare', folders[0], resamples)),
        'three folders': lambda: ended(program('compare', *folders, resamples)),
    }
    return table('compare.sh', 'seconds', interleaved(candidates, sizes.rounds))


def main(sizes: Sizes = Sizes()) -> None:
    """Measures all three parts and says which of the promises hold."""
    with tempfile.TemporaryDirectory() as name:
        found = {part.__name__: part(Path(name), sizes) for part in (large, bootstrap, comparison)}
    promises = {
        'GB of an evaluation': (found['large']['evaluation_peak_gb'], -1),
        'metrics and hashes over a pass': (found['large']['passes']['ratios']['ours'], -2),
        'seconds of 1,000 resamples': (found['bootstrap']['medians']['ours'], -5),
    }
    show(promises)
    bounds = {name: [number, bound] for name, (number, bound) in promises.items()}
    print(json.dumps({'benchmark': 'evaluate', **found, 'promises': bounds}))


if __name__ == '__main__':
    main()
