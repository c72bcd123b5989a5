"""COCO's JSON: true boxes read from annotations; predicted boxes and masks as results for its evaluators.

Source: https://cocodataset.org/#format-data and #format-results.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from pycocotools import mask as run_lengths

from engine.errors import UserError, did_you_mean
from engine.outputs.outputs import Outputs


def read(path: Path, outputs: Outputs) -> tuple[Sequence[str], Mapping[str, np.ndarray]]:
    """Reads the annotations of a detection.

    An image is the example whose id is its `file_name`, that without its ending, or its `id`; a category the
    class of its name.

    Raises:
      UserError: it is no such file, or knows other classes; or it has boxes around crowds, to which COCO's
        evaluators give a meaning that there is none for here.
    """
    try:
        known = json.loads(path.read_text(encoding='utf-8'))
        ids = _ids(known['images'], outputs)
        places = {image['id']: place for place, image in enumerate(known['images'])}
        annotations = known['annotations']
        labels = _classes(path, known['categories'], outputs)
        crowds = sum(bool(each.get('iscrowd')) for each in annotations)
        corners = np.array([each['bbox'] for each in annotations], np.float64).reshape(-1, 4)
        example = [places[each['image_id']] for each in annotations]
        classes = [labels[each['category_id']] for each in annotations]
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise UserError(
            f"{path} does not hold COCO's annotations of boxes: {type(error).__name__}: {error}."
        ) from error
    if crowds:
        raise UserError(
            f'{path}: {crowds} annotations are crowds, which are not evaluated here. Leave them out, or use '
            'scripts/export.sh --format=coco and pycocotools.'
        )
    corners[:, 2:] += corners[:, :2]
    with np.errstate(over='ignore', invalid='ignore'):
        boxes = corners.astype(np.float32)
    odd = np.flatnonzero(~np.isfinite(boxes).all(1))
    if odd.size:
        raise UserError(f'{path}: the bbox of annotation {odd[0]}, counted from 0, is not finite in float32.')
    return ids, {
        'target_boxes': boxes,
        'target_classes': np.array(classes, np.int32),
        'target_example': np.array(example, np.int32),
    }


def _ids(images: Sequence[Mapping[str, Any]], outputs: Outputs) -> list[str]:
    """Returns the images' ids, named as most of the outputs' examples are."""
    files = [str(image.get('file_name', '')) for image in images]
    ways = [files, [Path(file).stem for file in files], [str(image['id']) for image in images]]
    wanted = set(outputs.ids)
    return max(ways, key=lambda way: len(wanted.intersection(way)))


def _classes(path: Path, categories: Sequence[Mapping[str, Any]], outputs: Outputs) -> dict[int, int]:
    """Returns the class of each category."""
    if not outputs.class_names:
        raise UserError(
            f'{outputs.folder} names no classes, so the categories of {path} cannot be told apart.'
        )
    places = {name: index for index, name in enumerate(outputs.class_names)}
    unknown = [each['name'] for each in categories if each['name'] not in places]
    if unknown:
        hint = did_you_mean(unknown[0], places)
        raise UserError(f'{path}: the category {unknown[0]!r} is not a class of {outputs.folder}. {hint}')
    return {each['id']: places[each['name']] for each in categories}


def mask_results(outputs: Outputs) -> list[dict[str, Any]]:
    """Returns the masks of a segmentation as `box_results` does boxes: a result per class and mask."""
    masks = zip(_numbers(outputs.ids), outputs.arrays['masks'], strict=True)
    return [result for image, mask in masks for result in _of_mask(image, mask)]


def box_results(outputs: Outputs) -> list[dict[str, Any]]:
    """Returns the boxes of a detection as pycocotools' `loadRes` takes them.

    `image_id` is the id of the example, as a number if all ids are plain numbers. `category_id` is the index
    of the class, counted from 1.
    """
    images = _numbers(outputs.ids)
    boxes = outputs.arrays['boxes'].astype(np.float64)
    sides = boxes[:, 2:] - boxes[:, :2]
    columns = (
        outputs.arrays['example'],
        outputs.arrays['classes'],
        boxes[:, :2],
        sides,
        outputs.arrays['scores'],
    )
    return [
        {
            'image_id': images[example],
            'category_id': label + 1,
            'bbox': [*corner, *side],
            'score': score,
        }
        for example, label, corner, side, score in zip(*(each.tolist() for each in columns), strict=True)
    ]


def _numbers(ids: Sequence[str]) -> Sequence[int | str]:
    """Returns COCO's ids of images, which are numbers."""
    if not all(each.isascii() and each.isdigit() for each in ids):
        return ids
    numbers = [int(each) for each in ids]
    return numbers if len(set(numbers)) == len(ids) else ids


def _of_mask(image: int | str, mask: np.ndarray) -> Iterator[dict[str, Any]]:
    for label in np.unique(mask).tolist():
        encoded: Any = run_lengths.encode(np.asfortranarray(mask == label, np.uint8))
        segmentation = {'size': encoded['size'], 'counts': encoded['counts'].decode('ascii')}
        yield {'image_id': image, 'category_id': label + 1, 'segmentation': segmentation, 'score': 1.0}
