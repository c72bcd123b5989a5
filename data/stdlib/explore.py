"""Prints what plain models make of `stdlib`, for README.md: `python -m data.stdlib.explore`.

Each foretells a byte from how often it came, in train, after the few before it; xz compresses test alone.
"""

import lzma
import math
from collections import Counter
from collections.abc import Iterator

from engine.datasets.load import load
from engine.datasets.reading.dataset import Examples

ORDERS = range(5)  # bytes that are looked back
BYTES = 256
TRUST = 4.0  # counts that a longer context needs to outweigh the shorter one


def texts(examples: Examples) -> list[bytes]:
    """Returns the windows of a split."""
    fields = examples.arrays['text'], examples.arrays['length']
    return [text[:length].tobytes() for text, length in zip(*fields, strict=True)]


def bits_per_byte(train: list[bytes], test: list[bytes], order: int) -> float:
    """Returns the bits per byte of `test` after at most `order` bytes, by counts of `train`.

    Counts of longer contexts are smoothed by shorter ones: MacKay and Peto, A Hierarchical Dirichlet Language
    Model, 1995.
    """
    counts = Counter(part for text in train for parts in _parts(text, order) for part in parts)
    contexts = Counter[bytes]()
    for part, count in counts.items():
        contexts[part[:-1]] += count
    total = 0.0
    for text in test:
        for parts in _parts(text, order):
            probability = 1 / BYTES
            for part in parts:
                probability = (counts[part] + TRUST * probability) / (contexts[part[:-1]] + TRUST)
            total -= math.log2(probability)
    return total / sum(map(len, test))


def _parts(text: bytes, order: int) -> Iterator[list[bytes]]:
    """Yields for each byte itself, itself with the one before it, and so on, at most `order` before it."""
    for end in range(1, len(text) + 1):
        yield [text[start:end] for start in range(end - 1, max(-1, end - 2 - order), -1)]


def compressed(test: list[bytes]) -> float:
    """Returns the bits per byte of all of `test`, one after another, by xz."""
    whole = b''.join(test)
    return 8 * len(lzma.compress(whole, preset=9 | lzma.PRESET_EXTREME)) / len(whole)


if __name__ == '__main__':
    dataset = load('stdlib')
    train, test = texts(dataset.split('train')), texts(dataset.split('test'))
    for order in ORDERS:
        print(f'{order} bytes before: {bits_per_byte(train, test, order):.3f} bits per byte')
    print(f'xz: {compressed(test):.3f} bits per byte')
