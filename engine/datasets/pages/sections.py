"""The sections of a page: markup made from the dataset, empty where it has nothing to show."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from engine.datasets.pages.subject import Subject, spread
from engine.datasets.reading.dataset import Examples
from engine.render import charts, markup, pictures
from engine.render import table as tables
from engine.render.table import Cell, Table

SHEET = 60  # images of a split on its contact sheet
PAIRS = 24  # where each comes with a mask or boxes
ROWS = 20  # more classes than these share one sheet instead of a row each
IN_ROW = 6  # images of a class; three lines of them where classes are few
TEXTS, TEXT = 4, 700  # of a split, and the bytes of each that are shown
COLUMNS = 16  # of numbers that get a histogram each
CLASSES = 100  # that get a line in the table
BYTES = 24  # the most frequent, that get a line


def contact_sheets(subject: Subject) -> str:
    """Returns a sheet of images for each split, with masks and boxes, by class where they have one."""
    if not subject.field('Image'):
        return ''
    is_mapped = subject.field('LabeledImage') or 'boxes' in subject.dataset.spec.example
    chips = [(name, pictures.css(place, len(subject.classes))) for place, name in enumerate(subject.classes)]
    legend = f'<p class="legend">{markup.chips(chips)}</p>' if is_mapped and len(chips) <= ROWS else ''
    sheets = [
        f'<h3>{markup.escaped(split)}</h3>{_sheet(subject, examples)}'
        for split, examples in subject.splits.items()
    ]
    body = [markup.cards(sheets)] if _has_rows(subject) else sheets
    return markup.section('Contact sheets', legend, *body)


def _has_rows(subject: Subject) -> bool:
    """Whether each class gets a row of images."""
    return subject.field('ClassLabel') is not None and len(subject.classes) <= ROWS


def _sheet(subject: Subject, examples: Examples) -> str:
    if _has_rows(subject):
        return _by_class(subject, examples, examples.arrays[str(subject.field('ClassLabel'))])
    most = PAIRS if subject.field('LabeledImage') or 'boxes' in subject.dataset.spec.example else SHEET
    kind = 'sheet pairs' if subject.field('LabeledImage') else 'sheet'
    figures = (_figure(subject, examples, place, True) for place in spread(len(examples), most))
    return f'<div class="{kind}">{"".join(figures)}</div>'


def _by_class(subject: Subject, examples: Examples, labels: np.ndarray) -> str:
    """Returns a row of images for each class."""
    each = IN_ROW if len(subject.classes) > 3 else 3 * IN_ROW
    rows = []
    for index, name in enumerate(subject.classes):
        places = np.flatnonzero(labels == index)
        shown = places[spread(len(places), each)]
        figures = ''.join(_figure(subject, examples, place, False) for place in shown)
        rows.append(f'<div class="row"><b>{markup.escaped(name)}</b><div class="sheet">{figures}</div></div>')
    return ''.join(rows)


def _figure(subject: Subject, examples: Examples, place: int, captioned: bool) -> str:
    """Returns one example: its image with boxes, its mask beside it."""
    example, identity = examples.whole(int(place)), examples.ids[place]
    image, mask, label = (subject.field(kind) for kind in ('Image', 'LabeledImage', 'ClassLabel'))
    shown = [pictures.picture(example[str(image)], pictures.boxes(example, len(subject.classes)))]
    if mask:
        shown.append(pictures.mask(example[mask], len(subject.classes)))
    name = subject.classes[int(example[label])] if label else ''
    caption = name or identity
    return pictures.figure(shown, caption if captioned else '', f'{identity}  {name}'.strip())


def classes(subject: Subject) -> str:
    """Returns how often each class is there, in each split."""
    counts = {split: _class_counts(subject, split) for split in subject.splits}
    if not subject.classes or any(each is None for each in counts.values()):
        return ''
    whole = {split: each for split, each in counts.items() if each is not None}
    what = (
        'pixels'
        if subject.field('LabeledImage')
        else 'boxes'
        if subject.field('ClassLabel') is None
        else 'examples'
    )
    largest = max((each / max(each.sum(), 1)).max() for each in whole.values()) or 1.0
    rows = []
    for index, name in enumerate(subject.classes[:CLASSES]):
        cells = []
        for place, each in enumerate(whole.values()):
            share = each[index] / max(each.sum(), 1)
            text = f'{share:.1%}' if what == 'pixels' else f'{each[index]:,}'
            cells.append(Cell(share, markup=charts.bar(share / largest, place, text)))
        rows.append([name, *cells])
    rest = len(subject.classes) - CLASSES
    more = f'<p>and {rest:,} more classes</p>' if rest > 0 else ''
    bars = tables.html(Table.of(['class', *whole], rows), 'bars', sortable=False)
    return markup.section(f'Classes: {what} of each', bars, more)


def _class_counts(subject: Subject, split: str) -> np.ndarray | None:
    """Returns how many examples, pixels or boxes are of each class, [classes]."""
    count = len(subject.classes)
    if label := subject.field('ClassLabel'):
        labels = subject.splits[split].arrays[label]
        return np.bincount(labels[labels >= 0], minlength=count)[:count]
    field = subject.field('LabeledImage') or (
        'classes' if 'classes' in subject.dataset.spec.example else None
    )
    if field is None:
        return None
    values = (example[field].ravel() for example in subject.sampled(split))
    return sum(
        (np.bincount(each[each >= 0], minlength=count)[:count] for each in values), np.zeros(count, int)
    )


@dataclass(frozen=True)
class Measured:
    """What statistics keep of the images of a split.

    Attributes:
      heights, widths: of each image, [n].
      pixels: some of each image, f32 [m, channels].
      mean: of all images, uint8 [H, W, channels]; None where they differ in size.
    """

    heights: np.ndarray
    widths: np.ndarray
    pixels: np.ndarray
    mean: np.ndarray | None


def _measure(subject: Subject, split: str, field: str) -> Measured:
    """Goes through the images of a split, one at a time, for all may be larger than memory."""
    shapes, pixels, total = [], [], None
    for example in subject.sampled(split):
        image = example[field]
        same = not shapes or image.shape == shapes[0]
        total = (np.zeros(image.shape) if total is None else total) + image if same else total
        shapes.append(image.shape)
        pixels.append(_thinned(image))
    mean = None
    if total is not None and len(set(shapes)) == 1:
        mean = (total / len(shapes)).round().astype(np.uint8)
    heights, widths = (np.array([shape[axis] for shape in shapes]) for axis in (0, 1))
    return Measured(heights, widths, np.concatenate(pixels), mean)


def images(subject: Subject) -> str:
    """Returns sizes and intensities of the images of each split, and the mean of all where sizes agree."""
    field = subject.field('Image')
    if not field:
        return ''
    measured = {split: _measure(subject, split, field) for split in subject.splits}
    rows = [
        [split, _range(each.heights), _range(each.widths), *_moments(each.pixels)]
        for split, each in measured.items()
    ]
    titles = ['split', 'height', 'width', 'mean', 'standard deviation', 'range']
    table = tables.html(Table.of(titles, rows), sortable=False)
    legend = charts.legend(list(subject.splits))
    return markup.section('Images', table, legend, markup.cards(_image_cards(measured)))


def _image_cards(measured: dict[str, Measured]) -> Iterator[str]:
    """Yields histograms of intensities, and of sides where they vary, and the mean image of each split."""
    intensities = {split: each.pixels.mean(1) for split, each in measured.items()}
    yield charts.histogram(intensities, 'intensity of a pixel, channels averaged')
    for name in ('heights', 'widths'):
        sides = {split: getattr(each, name) for split, each in measured.items()}
        if _varies(sides):
            yield charts.histogram(sides, f'{name} in pixels')
    for split, each in measured.items():
        if each.mean is not None:
            shown = pictures.picture(each.mean)
            yield f'<h3>mean of {markup.escaped(split)}</h3><div class="mean">{shown}</div>'


def _thinned(image: np.ndarray, most: int = 1024) -> np.ndarray:
    """Returns pixels of an image, [n, channels], about `most` of them evenly spaced if there are more."""
    pixels = image.reshape(-1, image.shape[-1]).astype(np.float32)
    return pixels[:: max(1, len(pixels) // most)]


def _moments(pixels: np.ndarray) -> list[str]:
    """Returns mean and standard deviation of each channel, and the range of all, for the table."""
    means, deviations = (
        ', '.join(f'{each:.1f}' for each in values) for values in (pixels.mean(0), pixels.std(0))
    )
    return [means, deviations, f'{markup.number(pixels.min())} to {markup.number(pixels.max())}']


def _range(values: np.ndarray) -> str:
    low, high = values.min(), values.max()
    return f'{low}' if low == high else f'{low} to {high}'


def _varies(samples: dict[str, np.ndarray]) -> bool:
    return len(np.unique(np.concatenate([*samples.values()]))) > 1


def texts(subject: Subject) -> str:
    """Returns some texts of each split, how long they are, and which bytes they use."""
    if not subject.is_text:
        return ''
    lengths = {split: examples.arrays['length'] for split, examples in subject.splits.items()}
    length = charts.histogram(lengths, 'length in bytes')
    samples = [
        f'<h3>{markup.escaped(split)}</h3>'
        + ''.join(_text(examples, place) for place in spread(len(examples), TEXTS))
        for split, examples in subject.splits.items()
    ]
    parts = [charts.legend(list(subject.splits)), markup.cards([length, _bytes(subject)])]
    return markup.section('Texts', *parts, *samples)


def _text(examples: Examples, place: int) -> str:
    example, length = examples.example(int(place)), int(examples.arrays['length'][place])
    text = example['text'][: min(length, TEXT)].tobytes().decode('utf-8', 'replace')
    more = ' ...' if length > TEXT else ''
    return (
        f'<div class="text"><small>{markup.escaped(examples.ids[place])}, {length:,} bytes</small>'
        f'<pre>{markup.escaped(text)}{more}</pre></div>'
    )


def _bytes(subject: Subject) -> str:
    """Returns the most frequent bytes of the first split."""
    split = next(iter(subject.splits))
    counts = Counter[int]()
    for example in subject.sampled(split):
        counts.update(example['text'][: int(example['length'])].tolist())
    total, most = max(counts.total(), 1), counts.most_common(BYTES)
    largest = most[0][1] if most else 1
    bars = ''.join(
        f'<span class="byte" title="{count / total:.2%}"><i style="height:{100 * count / largest:.0f}%"></i>'
        f'<code>{markup.escaped(_named(byte))}</code></span>'
        for byte, count in most
    )
    return f'<h3>most frequent bytes of {markup.escaped(split)}</h3><div class="bytes">{bars}</div>'


def _named(byte: int) -> str:
    return {10: '⏎', 32: '␣', 9: '⇥'}.get(byte, chr(byte) if 32 < byte < 127 else f'{byte:02x}')


def numbers(subject: Subject) -> str:
    """Returns how the columns of each field of numbers are spread."""
    cards = []
    for field in subject.numbers:
        columns = {
            split: np.reshape(examples.arrays[field], (len(examples), -1))
            for split, examples in subject.splits.items()
        }
        width = next(iter(columns.values())).shape[1]
        for column in range(min(width, COLUMNS)):
            values = {split: each[:, column] for split, each in columns.items()}
            name = f'{field}[{column}]' if width > 1 else field
            cards.append(charts.histogram(values, name) + _summary(values))
        if width > COLUMNS:
            cards.append(f'<h3>{markup.escaped(field)}</h3><p>and {width - COLUMNS:,} more columns</p>')
    return markup.section(
        'Numbers', charts.legend(list(subject.splits)) if cards else '', markup.cards(cards)
    )


def _summary(values: dict[str, np.ndarray]) -> str:
    """Returns mean and standard deviation of each split, and how many values are missing."""
    rows = []
    for split, each in values.items():
        finite = each[np.isfinite(each)].astype(np.float64)
        moments = [markup.number(finite.mean()), markup.number(finite.std())] if finite.size else ['-', '-']
        rows.append([split, *moments, f'{each.size - finite.size:,}'])
    return tables.html(Table.of(['split', 'mean', 'std', 'missing'], rows), sortable=False)
