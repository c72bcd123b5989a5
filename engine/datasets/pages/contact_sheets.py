"""The contact sheets of a dataset's page: images of each split, with masks, boxes and classes."""

from collections.abc import Mapping

import numpy as np

from engine.datasets.pages.shown_dataset import ShownDataset, spread
from engine.datasets.reading.dataset import Examples
from engine.render import markup, palette, pictures
from engine.render.pictures import OutlinedBox, Picture

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
        rows.append(f'<div class="row"><b>{markup.name(name)}</b><div class="sheet">{figures}</div></div>')
    return ''.join(rows)


def _figure(dataset: ShownDataset, examples: Examples, index: int, captioned: bool) -> str:
    """Returns one example: its image with boxes, and its mask beside it."""
    example, identity = examples.whole(int(index)), examples.ids[index]
    image, mask, label = (dataset.field(kind) for kind in ('Image', 'LabeledImage', 'ClassLabel'))
    name = dict(enumerate(dataset.classes(label))).get(int(example[label]), '') if label else ''
    hint = f'{identity}  {name}'.strip()
    shown = [Picture(hint, example[str(image)], boxes=_boxes(dataset, example))]
    if mask:
        shown.append(Picture(f'mask of {hint}', palette.painted(example[mask])))
    return pictures.figure(shown, (name or identity) if captioned else '', hint)


def _boxes(dataset: ShownDataset, example: Mapping[str, np.ndarray]) -> list[OutlinedBox]:
    """Returns the boxes of an example: `boxes` f32 [n, 4] and `classes` int [n], -1 for padding."""
    if 'boxes' not in example:
        return []
    names, count = dict(enumerate(dataset.shown_classes)), len(dataset.shown_classes)
    labels = example.get('classes', np.zeros(len(example['boxes']), int))
    return [
        OutlinedBox(corners, _box_colour(label, count), str(names.get(label, label)))
        for corners, label in zip(example['boxes'].tolist(), map(int, labels), strict=True)
        if label >= 0
    ]


def _box_colour(label: int, classes: int) -> str:
    """Returns the colour of a box: its class's, with white for black, which is hard to see on images."""
    return pictures.css(label, classes) if label else '#ffffff'
