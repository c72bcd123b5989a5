"""The JSON formats of COCO: annotations of boxes, and results with boxes or masks.

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
    """Reads annotations of boxes.

    An image belongs to the example whose id is its `file_name`, with or without ending, or its `id`. A
    category belongs to the class with its name.

    Returns:
      The ids of the images, and `target_boxes`, `target_classes` and `target_example`.

    Raises:
      UserError: the file is not valid, has other classes, or has boxes around crowds, which this evaluator
        does not support.
    """
    try:
        content = json.loads(path.read_text(encoding='utf-8'))
        ids = _ids(content['images'], outputs)
        places = {image['id']: place for place, image in enumerate(content['images'])}
        annotations = content['annotations']
        labels = _classes(path, content['categories'], outputs)
        crowds = sum(bool(annotation.get('iscrowd')) for annotation in annotations)
        corners = np.array([box['bbox'] for box in annotations], np.float64).reshape(-1, 4)
        example = [places[box['image_id']] for box in annotations]
        classes = [labels[box['category_id']] for box in annotations]
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise UserError(
            f"{path} does not hold COCO's annotations of boxes: {type(error).__name__}: {error}."
        ) from error
    if crowds:
        raise UserError(
            f'{path}: {crowds} annotations are crowds, which this evaluator does not support. Leave them '
            'out, or use scripts/export.sh --format=coco and pycocotools.'
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
    """Returns the ids of the images, by the naming that matches most examples of the outputs."""
    files = [str(image.get('file_name', '')) for image in images]
    namings = [files, [Path(file).stem for file in files], [str(image['id']) for image in images]]
    wanted = set(outputs.ids)
    return max(namings, key=lambda ids: len(wanted.intersection(ids)))


def _classes(path: Path, categories: Sequence[Mapping[str, Any]], outputs: Outputs) -> dict[int, int]:
    """Returns the class of each category."""
    if not outputs.class_names:
        raise UserError(
            f'{outputs.folder} has no class names, so the categories of {path} cannot be matched.'
        )
    places = {name: index for index, name in enumerate(outputs.class_names)}
    unknown = [category['name'] for category in categories if category['name'] not in places]
    if unknown:
        hint = did_you_mean(unknown[0], places)
        raise UserError(f'{path}: the category {unknown[0]!r} is not a class of {outputs.folder}. {hint}')
    return {category['id']: places[category['name']] for category in categories}


def mask_results(outputs: Outputs) -> list[dict[str, Any]]:
    """Returns the masks of a segmentation like `box_results`: a result per class and mask."""
    masks = zip(_numbers(outputs.ids), outputs.arrays['masks'], strict=True)
    return [result for image, mask in masks for result in _of_mask(image, mask)]


def box_results(outputs: Outputs) -> list[dict[str, Any]]:
    """Returns the boxes of a detection for `loadRes` of pycocotools.

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
        for example, label, corner, side, score in zip(*(column.tolist() for column in columns), strict=True)
    ]


def _numbers(ids: Sequence[str]) -> Sequence[int | str]:
    """Returns ids as numbers, as COCO has them, if all are plain numbers; else unchanged."""
    if not all(name.isascii() and name.isdigit() for name in ids):
        return ids
    numbers = [int(name) for name in ids]
    return numbers if len(set(numbers)) == len(ids) else ids


def _of_mask(image: int | str, mask: np.ndarray) -> Iterator[dict[str, Any]]:
    for label in np.unique(mask).tolist():
        encoded: Any = run_lengths.encode(np.asfortranarray(mask == label, np.uint8))
        segmentation = {'size': encoded['size'], 'counts': encoded['counts'].decode('ascii')}
        yield {'image_id': image, 'category_id': label + 1, 'segmentation': segmentation, 'score': 1.0}
