"""Examples to look at: what was predicted beside what was true, drawn on what it was predicted from."""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
import pandas as pd

from engine.evaluation.results.report import Report
from engine.outputs.outputs import Outputs
from engine.render import markup, pictures
from engine.render.pictures import visible

SHOWN = 24  # examples of a sort
NAMED = 40  # more classes have no legend
SAMPLES = 96  # generated pictures, the first ones: whoever chose would show the good ones
SHRUNK = 'inputs_shrunk'  # the detail of outputs that says how many pixels of a side are one of `inputs`

_LEGENDS = {
    'segmentation': 'Left the target, right the prediction. Point at a picture to see it without its mask.',
    'detection': 'Dashed the targets; solid the surest boxes, as many as there are targets.',
    'image': 'From left to right: the input, if it was saved, the prediction, the target.',
}

Row = Mapping[str, Any]


def galleries(report: Report) -> list[str]:
    """Returns markup: a heading and pictures for each sort of example that the kind tells apart."""
    kind = report.outputs.kind
    shown = _KINDS[kind](report) if kind in _KINDS else {}
    words = f'<p class="soft">{_LEGENDS[kind]}</p>' if kind in _LEGENDS and any(shown.values()) else ''
    return [words + _colours(report.outputs)] + [
        f'<h3>{markup.escaped(title)}</h3><div class="sheet examples">{"".join(figures)}</div>'
        for title, figures in shown.items()
        if figures
    ]


def _colours(found: Outputs) -> str:
    """Returns which colour is which class, where classes are drawn in colours and are few."""
    first = {'segmentation': 0, 'detection': 1}.get(found.kind)  # boxes are never black
    if first is None or not 0 < len(found.class_names) <= NAMED:
        return ''
    chips = ((name, pictures.css(place + first, 256)) for place, name in enumerate(found.class_names))
    return f'<p class="legend">{markup.chips(chips)}</p>'


def example(found: Outputs, place: int) -> list[str]:
    """Returns pictures of one example: what is known of it, then what was predicted."""
    arrays = found.arrays
    if found.kind == 'segmentation':
        return [_mask(found, name, place) for name in ('targets', 'masks') if name in arrays]
    if found.kind == 'detection':
        return [_detected(found, place)]
    names = {'image': ('inputs', 'images', 'targets'), 'generation': ('samples',)}.get(
        found.kind, ('inputs',)
    )
    shown = (_pixels(found, name, place) for name in names)
    return [pictures.picture(each) for each in shown if each is not None]


def samples(found: Outputs, count: int) -> list[str]:
    """Returns a figure for each of the first generated pictures, at most `count`."""
    shown = enumerate(found.ids[:count])
    return [pictures.figure(example(found, place), '', name) for place, name in shown]


def _classified(report: Report) -> dict[str, list[str]]:
    table = report.tables['per_example']
    wrong = table.loc[table['rank'] > 0].sort_values(by='confidence', ascending=False, kind='stable')
    return {
        'Mistakes, the most confident first': _cards(report, wrong, _of_class),
        'Hardest: the least probability for the label': _cards(report, table, _of_class),
    }


def _of_class(row: Row) -> str:
    right = row['label'] == row['prediction']
    said = f'✓ {row["label"]}' if right else f'{row["label"]} → {row["prediction"]}'
    return f'{said}\n{100 * row["confidence"]:.1f} %'


def _worst_and_typical(report: Report, column: str, caption: Callable[[Row], str]) -> dict[str, list[str]]:
    """Returns the worst examples and some around the median, by a column of which more is better."""
    table = report.tables['per_example'].dropna(subset=column)
    middle = max(SHOWN // 2, len(table) // 2 - SHOWN // 4)
    return {
        'Worst': _cards(report, table.head(SHOWN // 2), caption),
        'Typical: around the median': _cards(report, table.iloc[middle : middle + SHOWN // 2], caption),
    }


def _cards(report: Report, table: pd.DataFrame, caption: Callable[[Row], str]) -> list[str]:
    """Returns a figure for each of the first rows of `per_example`."""
    found, shown = report.outputs, table.head(SHOWN)
    return [
        pictures.figure(example(found, found.ids.index(name)), f'{name}\n{caption(row)}', name)
        for name, row in zip(shown.index, shown.to_dict('records'), strict=True)
    ]


def _generated(report: Report) -> dict[str, list[str]]:
    shown = samples(report.outputs, SAMPLES)
    return {f'The first {len(shown)} samples': shown}


def _of_numbers(report: Report) -> dict[str, list[str]]:
    found = report.outputs
    table = report.tables['per_example'].head(SHOWN)
    places = {name: found.ids.index(str(name)) for name in table.index}

    def caption(name: str) -> str:
        predicted, true = found.arrays['values'][places[name]], found.arrays['targets'][places[name]]
        return f'{_numbers(true)} → {_numbers(predicted)}'

    cards = [pictures.figure(example(found, place), caption(name), name) for name, place in places.items()]
    return {'Worst: target → prediction': cards}


def _numbers(values: Sequence[float]) -> str:
    more = ' …' if len(values) > 3 else ''
    return ', '.join(f'{each:.3g}' for each in values[:3]) + more


def _percent(column: str, row: Row) -> str:
    return f'{100 * row[column]:.1f} %'


def _decibels(row: Row) -> str:
    return f'{row["psnr"]:.1f} dB'


def _of_boxes(row: Row) -> str:
    return f'{row["found"]} of {row["targets"]} found, {row["boxes"]} boxes'


_KINDS: Mapping[str, Callable[[Report], dict[str, list[str]]]] = {
    'classification': _classified,
    'segmentation': partial(_worst_and_typical, column='mean_iou', caption=partial(_percent, 'mean_iou')),
    'image': partial(_worst_and_typical, column='psnr', caption=_decibels),
    'detection': partial(_worst_and_typical, column='found_share', caption=_of_boxes),
    'generation': _generated,
    'regression': _of_numbers,
}


def _mask(found: Outputs, name: str, place: int) -> str:
    """Returns a mask over its picture, which shows alone while it is pointed at; or alone, without one."""
    labels = found.arrays[name][place]
    image = _pixels(found, 'inputs', place)
    if image is None:
        return pictures.mask(labels, 256)
    return pictures.picture(image, pictures.overlay(labels, image.shape[1], image.shape[0]))


def _detected(found: Outputs, place: int) -> str:
    """Returns a picture with the true boxes, dashed, and as many predicted ones, the surest."""
    arrays = found.arrays
    true = np.flatnonzero(arrays['target_example'] == place)
    own = np.flatnonzero(arrays['example'] == place)
    surest = own[np.argsort(-arrays['scores'][own], kind='stable')][: max(1, len(true))]
    boxes = ''.join(_boxes(arrays['target_boxes'][true], arrays['target_classes'][true], 'true'))
    boxes += ''.join(_boxes(arrays['boxes'][surest], arrays['classes'][surest], 'found'))
    image = _pixels(found, 'inputs', place)
    if image is not None:
        shrunk = re.fullmatch('[1-9][0-9]{0,3}', found.manifest['details'].get(SHRUNK, '1'))
        return pictures.picture(image, boxes, int(shrunk[0]) if shrunk else 1)
    ends = np.concatenate([arrays['target_boxes'][true], arrays['boxes'][surest], np.ones((1, 4))])
    width, height = ends[:, 2].max(), ends[:, 3].max()
    return f'<svg viewBox="0 0 {width:.0f} {height:.0f}">{boxes}</svg>'


def _boxes(boxes: np.ndarray, classes: np.ndarray, kind: str) -> Iterator[str]:
    for (x0, y0, x1, y1), label in zip(boxes.tolist(), classes, strict=True):
        colour = pictures.css(int(label) + 1, 256)  # the first one is black
        yield (
            f'<rect class="{kind}" x="{x0:.1f}" y="{y0:.1f}" width="{x1 - x0:.1f}" height="{y1 - y0:.1f}" '
            f'style="stroke:{colour}"/>'
        )


def _pixels(found: Outputs, name: str, place: int) -> np.ndarray | None:
    """Returns a picture of one example, uint8, gray [H, W] or coloured [H, W, 3]; None if there is none."""
    there = name in found.arrays and found.arrays[name][place].size
    return visible(found.arrays[name][place]) if there else None
