"""The section of a dataset's page that shows texts."""

from collections import Counter

from engine.datasets.pages.shown_dataset import ShownDataset, spread
from engine.datasets.reading.dataset import Examples
from engine.render import charts, markup

MAX_TEXTS = 4  # texts of a split
MAX_TEXT_BYTES = 700  # bytes of a text
MAX_BYTE_VALUES = 24  # bars of the most frequent bytes


def texts(dataset: ShownDataset) -> str:
    """Returns some texts of each split, their lengths and the bytes they use, '' if there are no texts."""
    if not dataset.is_text:
        return ''
    lengths = {split: examples.arrays['length'] for split, examples in dataset.splits.items()}
    histogram = charts.histogram(lengths, 'length in bytes')
    samples = [
        f'<h3>{markup.escaped(split)}</h3>'
        + ''.join(_text(examples, index) for index in spread(len(examples), MAX_TEXTS))
        for split, examples in dataset.splits.items()
    ]
    legend = charts.legend(list(dataset.splits))
    return markup.section('Texts', legend, markup.cards([histogram, _byte_counts(dataset)]), *samples)


def _text(examples: Examples, index: int) -> str:
    example, length = examples.example(int(index)), int(examples.arrays['length'][index])
    text = example['text'][: min(length, MAX_TEXT_BYTES)].tobytes().decode('utf-8', 'replace')
    ellipsis = ' ...' if length > MAX_TEXT_BYTES else ''
    return (
        f'<div class="text"><small>{markup.escaped(examples.ids[index])}, {length:,} bytes</small>'
        f'<pre>{markup.escaped(text)}{ellipsis}</pre></div>'
    )


def _byte_counts(dataset: ShownDataset) -> str:
    """Returns bars of the most frequent bytes of the first split."""
    split = next(iter(dataset.splits))
    counts = Counter[int]()
    for example in dataset.sampled(split):
        counts.update(example['text'][: int(example['length'])].tolist())
    total, most_common = max(counts.total(), 1), counts.most_common(MAX_BYTE_VALUES)
    largest = most_common[0][1] if most_common else 1
    bars = ''.join(
        f'<span class="byte" title="{count / total:.2%}"><i style="height:{100 * count / largest:.0f}%"></i>'
        f'<code>{markup.escaped(_byte_name(byte))}</code></span>'
        for byte, count in most_common
    )
    return f'<h3>most frequent bytes of {markup.escaped(split)}</h3><div class="bytes">{bars}</div>'


def _byte_name(byte: int) -> str:
    return {10: '⏎', 32: '␣', 9: '⇥'}.get(byte, chr(byte) if 32 < byte < 127 else f'{byte:02x}')
