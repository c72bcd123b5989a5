"""The metrics of detection: what they mean and where they are from."""

from collections.abc import Mapping, Sequence

import numpy as np

from engine.evaluation.results.metric import Definition

COCO = 'Lin et al., Microsoft COCO: Common Objects in Context, ECCV 2014; pycocotools, COCOeval'
BY_AREA, BY_BOXES = 'By area of the targets', 'Recall with fewer boxes'
ALL, EVERY_AREA = 'all', (0, 1e5**2)
AREAS = {'small': (0, 32**2), 'medium': (32**2, 96**2), 'large': (96**2, 1e5**2)}


def definitions(
    thresholds: Sequence[float], areas: Mapping[str, Sequence[float]], max_boxes: Sequence[int]
) -> dict[str, Definition]:
    """Returns the definitions of all metrics, in the order in which reports list them.

    Args:
      thresholds: of intersection over union.
      areas: the smallest and the largest area, by name of the range.
      max_boxes: numbers of boxes per class and image.
    """
    *fewer, most = sorted(set(max_boxes))
    found = {
        'ap': Definition(
            'AP',
            'fraction',
            'higher',
            f'Average precision: mean over the classes, over 101 recalls, and over {_listed(thresholds)} of '
            'intersection over union, from which on a box counts as a match. With few images it is biased '
            'upwards, and resamples more so: the interval is corrected for the bias of the resamples.',
            COCO,
            undefined='all targets are crowds',
        )
    }
    for percent in single_thresholds(thresholds):
        title = f'AP at {percent / 100:g}'
        found[f'ap{percent}'] = Definition(
            title, 'fraction', 'higher', f'Average precision at the threshold {percent / 100:g}.', COCO
        )
    found[f'ar_{most}'] = _recall(most, '')
    for name, (low, high) in areas.items():
        meaning = f'for targets with an area of {_area(low, high)}; others are ignored'
        undefined = f'no target has an area of {_area(low, high)}'
        found[f'ap_{name}'] = Definition(
            f'AP {name}', 'fraction', 'higher', f'Average precision {meaning}.', COCO, BY_AREA, undefined
        )
        found[f'ar_{name}'] = Definition(
            f'AR {name}', 'fraction', 'higher', f'Average recall {meaning}.', COCO, BY_AREA, undefined
        )
    return found | {f'ar_{count}': _recall(count, BY_BOXES) for count in fewer}


def single_thresholds(thresholds: Sequence[float]) -> dict[int, int]:
    """Returns the place of the thresholds 0.5 and 0.75, as far as they are there, by percent."""
    near = {percent: np.flatnonzero(np.isclose(thresholds, percent / 100)) for percent in (50, 75)}
    return {percent: int(places[0]) for percent, places in near.items() if len(places)}


def _recall(most: int, group: str) -> Definition:
    return Definition(
        f'AR with {most} box{"es" * (most > 1)}',
        'fraction',
        'higher',
        f'Average recall: share of the targets that match, with at most {most} box{"es" * (most > 1)} per '
        'class and image; mean over the classes and the thresholds.',
        COCO,
        group,
    )


def _area(low: float, high: float) -> str:
    """Returns a range of areas as people read it.

    >>> _area(0, 32**2), _area(32**2, 96**2), _area(96**2, 1e10)
    ('at most 1,024 pixels', '1,024 to 9,216 pixels', 'at least 9,216 pixels')
    """
    if high >= EVERY_AREA[1]:
        return f'at least {low:,.15g} pixels'
    return f'at most {high:,.15g} pixels' if low <= 0 else f'{low:,.15g} to {high:,.15g} pixels'


def _listed(thresholds: Sequence[float]) -> str:
    if len(thresholds) == 1:
        return f'the threshold {thresholds[0]:g}'
    return f'{len(thresholds)} thresholds, {thresholds[0]:g} to {thresholds[-1]:g},'
