"""The sections of a dataset's page with statistics of classes, images and numbers."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from engine.datasets.pages.shown_dataset import ShownDataset
from engine.render import charts, markup
from engine.render import table as tables
from engine.render.pictures import Picture
from engine.render.table import Cell, Table

MAX_COLUMNS = 16  # columns of a field that get a histogram each
MAX_CLASSES = 100  # classes that get a row in the table
MAX_PIXELS = 1024  # pixels of an image that enter the statistics of intensities


def classes(dataset: ShownDataset) -> str:
    """Returns the frequency of each class in each split, a section for each field of classes."""
    return '\n'.join(_field_classes(dataset, field) for field in dataset.data.spec.class_names)


def _field_classes(dataset: ShownDataset, field: str) -> str:
    """Returns the frequency of each class of a field in each split."""
    counts = {split: _class_counts(dataset, split, field) for split in dataset.splits}
    unit, names = _counted_unit(dataset, field), dataset.classes(field)
    more = len(names) - MAX_CLASSES
    note = f'<p>and {more:,} more classes</p>' if more > 0 else ''
    table = Table.of(['class', *counts], _class_rows(names[:MAX_CLASSES], counts, unit))
    title = f'Classes of {field}: {unit} of each' if len(dataset.data.spec.class_names) > 1 else ''
    return markup.section(
        title or f'Classes: {unit} of each',
        tables.html(table, title or f'{unit} of each class', 'bars', sortable=False),
        note,
    )


def _counted_unit(dataset: ShownDataset, field: str) -> str:
    """Returns what `_class_counts` counts."""
    axes = len(dataset.data.spec.example[field].shape)
    return ('examples', 'boxes' if dataset.has_boxes else 'labels', 'pixels')[min(axes, 2)]


def _class_rows(names: Sequence[str], counts: Mapping[str, np.ndarray], unit: str) -> list[list[Cell | str]]:
    """Returns a row for each class: its name, and a bar for each split."""
    shares = {split: count / max(count.sum(), 1) for split, count in counts.items()}
    largest = max(share.max() for share in shares.values()) or 1.0
    rows: list[list[Cell | str]] = []
    for index, name in enumerate(names):
        bars = []
        for place, split in enumerate(counts):
            share = shares[split][index]
            text = f'{share:.1%}' if unit == 'pixels' else f'{counts[split][index]:,}'
            bars.append(Cell(share, markup=charts.bar(share / largest, place, text)))
        rows.append([name, *bars])
    return rows


def _class_counts(dataset: ShownDataset, split: str, field: str) -> np.ndarray:
    """Returns the number of examples, pixels or boxes of each class of a field, int [classes]."""
    classes = len(dataset.classes(field))
    if not dataset.data.spec.example[field].shape:
        return _count(dataset.splits[split].arrays[field], classes)
    counts = (_count(example[field].ravel(), classes) for example in dataset.sampled(split))
    return sum(counts, np.zeros(classes, int))


def _count(labels: np.ndarray, classes: int) -> np.ndarray:
    """Returns the number of labels of each class, int [classes]. Negative labels do not count."""
    return np.bincount(labels[labels >= 0], minlength=classes)[:classes]


@dataclass(frozen=True)
class ImageStatistics:
    """Statistics of the images of a split.

    Attributes:
      heights, widths: the size of each image, int [n].
      pixels: some pixels of each image, f32 [m, channels].
      mean: the mean image, [H, W, channels], None if the images vary in size.
    """

    heights: np.ndarray
    widths: np.ndarray
    pixels: np.ndarray
    mean: np.ndarray | None


def _image_statistics(dataset: ShownDataset, split: str, field: str) -> ImageStatistics:
    """Measures the images of a split, one at a time, because all may exceed memory."""
    shapes, pixels, total, dtype = [], [], None, np.dtype(np.uint8)
    for example in dataset.sampled(split):
        image = example[field]
        if not shapes or image.shape == shapes[0]:
            total = (np.zeros(image.shape) if total is None else total) + image
        shapes.append(image.shape)
        dtype = image.dtype
        pixels.append(_some_pixels(image))
    mean = None
    if total is not None and len(set(shapes)) == 1:
        mean = (total / len(shapes)).round().astype(dtype)
    heights, widths = (np.array([shape[axis] for shape in shapes]) for axis in (0, 1))
    return ImageStatistics(heights, widths, np.concatenate(pixels), mean)


def images(dataset: ShownDataset) -> str:
    """Returns sizes, intensities and the mean image of each split, '' if there are no images."""
    field = dataset.field('Image')
    if not field:
        return ''
    measured = {split: _image_statistics(dataset, split, field) for split in dataset.splits}
    rows = [
        [split, _range(stats.heights), _range(stats.widths), *_moments(stats.pixels)]
        for split, stats in measured.items()
    ]
    titles = ['split', 'height', 'width', 'mean', 'standard deviation', 'range']
    table = tables.html(Table.of(titles, rows), 'Images of each split', sortable=False)
    legend = charts.legend(list(dataset.splits))
    return markup.section('Images', table, legend, markup.cards(_image_cards(measured)))


def _image_cards(measured: Mapping[str, ImageStatistics]) -> Iterator[str]:
    """Yields histograms of intensities, of heights and widths that vary, and the mean image of each split."""
    intensities = {split: stats.pixels.mean(1) for split, stats in measured.items()}
    yield charts.histogram(intensities, 'intensity of a pixel, averaged over channels')
    for name in ('heights', 'widths'):
        sizes = {split: getattr(stats, name) for split, stats in measured.items()}
        if len(np.unique(np.concatenate([*sizes.values()]))) > 1:
            yield charts.histogram(sizes, f'{name} in pixels')
    for split, stats in measured.items():
        if stats.mean is not None:
            picture = Picture(f'mean image of {split}', stats.mean).markup
            yield f'<h3>mean of {markup.escaped(split)}</h3><div class="mean">{picture}</div>'


def _some_pixels(image: np.ndarray) -> np.ndarray:
    """Returns at least MAX_PIXELS evenly spaced pixels of an image, or all of them, f32 [n, channels]."""
    pixels = image.reshape(-1, image.shape[-1]).astype(np.float32)
    return pixels[:: max(1, len(pixels) // MAX_PIXELS)]


def _moments(pixels: np.ndarray) -> list[str]:
    """Returns mean and standard deviation of each channel, and the range of all, as cells of the table."""
    means, deviations = (
        ', '.join(f'{value:.1f}' for value in values) for values in (pixels.mean(0), pixels.std(0))
    )
    return [means, deviations, f'{markup.number(pixels.min())} to {markup.number(pixels.max())}']


def _range(values: np.ndarray) -> str:
    low, high = values.min(), values.max()
    return f'{low}' if low == high else f'{low} to {high}'


def numbers(dataset: ShownDataset) -> str:
    """Returns a histogram of each column of each field of numbers, '' if there are none."""
    cards = [card for field in dataset.numbers for card in _field_cards(dataset, field)]
    legend = charts.legend(list(dataset.splits)) if cards else ''
    return markup.section('Numbers', legend, markup.cards(cards))


def _field_cards(dataset: ShownDataset, field: str) -> Iterator[str]:
    """Yields a histogram of each column of a field."""
    columns = {
        split: np.reshape(examples.arrays[field], (len(examples), -1))
        for split, examples in dataset.splits.items()
    }
    width = next(iter(columns.values())).shape[1]
    for column in range(min(width, MAX_COLUMNS)):
        values = {split: _plain(array[:, column]) for split, array in columns.items()}
        name = f'{field}[{column}]' if width > 1 else field
        yield charts.histogram(values, name) + _summary(values, name)
    if width > MAX_COLUMNS:
        yield f'<h3>{markup.escaped(field)}</h3><p>and {width - MAX_COLUMNS:,} more columns</p>'


def _plain(values: np.ndarray) -> np.ndarray:
    """Returns truth values as 0 and 1, which a histogram can count. Numbers come back unchanged."""
    return values.astype(np.uint8) if values.dtype == bool else values


def _summary(values: Mapping[str, np.ndarray], name: str) -> str:
    """Returns mean, standard deviation and number of missing values of each split, as a table."""
    rows = []
    for split, array in values.items():
        finite = array[np.isfinite(array)].astype(np.float64)
        moments = [markup.number(finite.mean()), markup.number(finite.std())] if finite.size else ['-', '-']
        rows.append([split, *moments, f'{array.size - finite.size:,}'])
    return tables.html(
        Table.of(['split', 'mean', 'std', 'missing'], rows), f'Statistics of {name}', sortable=False
    )
