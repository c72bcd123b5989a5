"""The contact sheets of a dataset's page: images of each split, with masks, boxes and classes."""

import numpy as np

from engine.datasets.pages.shown_dataset import ShownDataset, spread
from engine.datasets.reading.dataset import Examples
from engine.render import markup, pictures

MAX_IMAGES = 60  # images of a split
MAX_PAIRS = 24  # images of a split, if each has a mask or boxes
MAX_ROWS = 20  # classes that get a row each. More classes share one sheet.
IMAGES_IN_LINE = 6  # images of a class. Up to three classes get three lines each.


def contact_sheets(dataset: ShownDataset) -> str:
    """Returns the section with a sheet of images for each split, '' if there are no images."""
    if not dataset.field('Image'):
        return ''
    sheets = [
        f'<h3>{markup.escaped(split)}</h3>{_sheet(dataset, examples)}'
        for split, examples in dataset.splits.items()
    ]
    body = [markup.cards(sheets)] if _has_rows(dataset) else sheets
    return markup.section('Contact sheets', _legend(dataset), *body)


def _legend(dataset: ShownDataset) -> str:
    """Returns the colours of the classes, if masks or boxes show them."""
    names = dataset.shown_classes
    if not (dataset.field('LabeledImage') or dataset.has_boxes) or len(names) > MAX_ROWS:
        return ''
    chips = [(name, pictures.css(index, len(names))) for index, name in enumerate(names)]
    return f'<p class="legend">{markup.chips(chips)}</p>'


def _has_rows(dataset: ShownDataset) -> bool:
    """Whether each class gets a row of images."""
    return 0 < len(dataset.classes(dataset.field('ClassLabel'))) <= MAX_ROWS


def _sheet(dataset: ShownDataset, examples: Examples) -> str:
    if _has_rows(dataset):
        return _rows_by_class(dataset, examples, examples.arrays[str(dataset.field('ClassLabel'))])
    has_mask = dataset.field('LabeledImage')
    maximum = MAX_PAIRS if has_mask or dataset.has_boxes else MAX_IMAGES
    figures = (_figure(dataset, examples, index, True) for index in spread(len(examples), maximum))
    return f'<div class="{"sheet pairs" if has_mask else "sheet"}">{"".join(figures)}</div>'


def _rows_by_class(dataset: ShownDataset, examples: Examples, labels: np.ndarray) -> str:
    """Returns a row of images for each class."""
    classes = dataset.classes(dataset.field('ClassLabel'))
    count = IMAGES_IN_LINE if len(classes) > 3 else 3 * IMAGES_IN_LINE
    rows = []
    for label, name in enumerate(classes):
        indices = np.flatnonzero(labels == label)
        indices = indices[spread(len(indices), count)]
        figures = ''.join(_figure(dataset, examples, index, False) for index in indices)
        rows.append(f'<div class="row"><b>{markup.escaped(name)}</b><div class="sheet">{figures}</div></div>')
    return ''.join(rows)


def _figure(dataset: ShownDataset, examples: Examples, index: int, captioned: bool) -> str:
    """Returns one example: its image with boxes, and its mask beside it."""
    example, identity = examples.whole(int(index)), examples.ids[index]
    image, mask, label = (dataset.field(kind) for kind in ('Image', 'LabeledImage', 'ClassLabel'))
    count = len(dataset.shown_classes)
    images = [pictures.picture(example[str(image)], pictures.boxes(example, count))]
    if mask:
        images.append(pictures.mask(example[mask], count))
    name = dict(enumerate(dataset.classes(label))).get(int(example[label]), '') if label else ''
    return pictures.figure(images, (name or identity) if captioned else '', f'{identity}  {name}'.strip())
