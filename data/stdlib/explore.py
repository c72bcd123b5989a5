"""Prints the baselines of `stdlib` that README.md states: `python -m data.stdlib.explore`.

A count model predicts each byte from its frequency in train after the previous bytes. xz compresses test
alone.
"""

import lzma
import math
from collections import Counter
from collections.abc import Iterator

from engine.datasets.load import load
from engine.datasets.reading.dataset import Examples

ORDERS = range(5)  # previous bytes that a model sees
BYTE_VALUES = 256
PRIOR_COUNT = 4.0  # count at which a longer context weighs as much as the next shorter one


def texts(examples: Examples) -> list[bytes]:
    """Returns the text of each window of a split, without padding."""
    fields = examples.arrays['text'], examples.arrays['length']
    return [text[:length].tobytes() for text, length in zip(*fields, strict=True)]


def bits_per_byte(train: list[bytes], test: list[bytes], order: int) -> float:
    """Returns the bits per byte of `test` under a model that counts the bytes of `train`.

    The model sees at most `order` previous bytes. Shorter contexts smooth the counts of longer ones: MacKay
    and Peto, A Hierarchical Dirichlet Language Model, 1995.
    """
    counts = Counter(suffix for text in train for suffixes in _suffixes(text, order) for suffix in suffixes)
    contexts = Counter[bytes]()
    for suffix, count in counts.items():
        contexts[suffix[:-1]] += count
    total = 0.0
    for text in test:
        for suffixes in _suffixes(text, order):
            probability = 1 / BYTE_VALUES
            for suffix in suffixes:
                weighted = counts[suffix] + PRIOR_COUNT * probability
                probability = weighted / (contexts[suffix[:-1]] + PRIOR_COUNT)
            total -= math.log2(probability)
    return total / sum(map(len, test))


def _suffixes(text: bytes, order: int) -> Iterator[list[bytes]]:
    """Yields for each byte: the byte alone, the byte after one previous byte, ..., after `order` of them."""
    for end in range(1, len(text) + 1):
        yield [text[start:end] for start in range(end - 1, max(-1, end - 2 - order), -1)]


def xz_bits_per_byte(test: list[bytes]) -> float:
    """Returns the bits per byte of the concatenated texts, compressed by xz."""
    concatenated = b''.join(test)
    return 8 * len(lzma.compress(concatenated, preset=9 | lzma.PRESET_EXTREME)) / len(concatenated)


if __name__ == '__main__':
    dataset = load('stdlib')
    train, test = texts(dataset.split('train')), texts(dataset.split('test'))
    for order in ORDERS:
        print(f'{order} previous bytes: {bits_per_byte(train, test, order):.3f} bits per byte')
    print(f'xz: {xz_bits_per_byte(test):.3f} bits per byte')
