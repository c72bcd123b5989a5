"""The section of a dataset's page that shows texts."""

from collections import Counter

from engine.datasets.pages.shown_dataset import ShownDataset, spread
from engine.datasets.reading.dataset import Examples
from engine.datasets.text.options import BYTES
from engine.datasets.text.vocabulary import Vocabulary
from engine.render import charts, markup

MAX_TEXTS = 4  # texts of a split
MAX_SHOWN = 700  # tokens of a text
MAX_TOKENS = 24  # bars of the most frequent tokens
SIGNS = {'\n': '⏎', ' ': '␣', '\t': '⇥'}


def texts(dataset: ShownDataset) -> str:
    """Returns some texts of each split, their lengths and the tokens they use, '' if there are no texts."""
    if not dataset.is_text:
        return ''
    vocabulary = Vocabulary.of(dataset.data.spec.notes)
    lengths = {split: examples.arrays['length'] for split, examples in dataset.splits.items()}
    histogram = charts.histogram(lengths, f'length in {_unit(vocabulary)}')
    samples = [
        f'<h3>{markup.escaped(split)}</h3>'
        + ''.join(_text(examples, index, vocabulary) for index in spread(len(examples), MAX_TEXTS))
        for split, examples in dataset.splits.items()
    ]
    legend = charts.legend(list(dataset.splits))
    return markup.section(
        'Texts', legend, markup.cards([histogram, _token_counts(dataset, vocabulary)]), *samples
    )


def _unit(vocabulary: Vocabulary) -> str:
    return 'bytes' if vocabulary.kind == BYTES else 'tokens'


def _text(examples: Examples, index: int, vocabulary: Vocabulary) -> str:
    example, length = examples.example(int(index)), int(examples.arrays['length'][index])
    text = vocabulary.decode(example['text'][: min(length, MAX_SHOWN)].tolist())
    ellipsis = ' ...' if length > MAX_SHOWN else ''
    title = f'{examples.ids[index]}, {length:,} {_unit(vocabulary)}'
    return (
        f'<div class="text"><small>{markup.escaped(title)}</small>'
        f'<pre>{markup.escaped(text)}{ellipsis}</pre></div>'
    )


def _token_counts(dataset: ShownDataset, vocabulary: Vocabulary) -> str:
    """Returns bars of the most frequent tokens of the first split."""
    split = next(iter(dataset.splits))
    counts = Counter[int]()
    for example in dataset.sampled(split):
        counts.update(example['text'][: int(example['length'])].tolist())
    total, most_common = max(counts.total(), 1), counts.most_common(MAX_TOKENS)
    largest = most_common[0][1] if most_common else 1
    bars = ''.join(
        f'<span class="byte" title="{count / total:.2%}"><i style="height:{100 * count / largest:.0f}%"></i>'
        f'<code>{markup.escaped(_token_name(vocabulary.pieces[token]))}</code></span>'
        for token, count in most_common
    )
    title = f'most frequent {_unit(vocabulary)} of {markup.escaped(split)}'
    return f'<h3>{title}</h3><div class="bytes">{bars}</div>'


def _token_name(piece: str | int) -> str:
    """Returns a piece with signs for white space, or a byte that is not a character in hexadecimal digits."""
    if isinstance(piece, int) and not (32 <= piece < 127 or chr(piece) in SIGNS):
        return f'{piece:02x}'
    text = chr(piece) if isinstance(piece, int) else piece
    return ''.join(SIGNS.get(character, character) for character in text)
