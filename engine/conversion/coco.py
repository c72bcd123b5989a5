"""Converts detections in COCO's format: results, and the annotations that they are scored against.

Source: https://cocodataset.org/#format-data and #format-results.
"""

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from engine.conversion.converted import Converted
from engine.errors import UserError
from engine.kinds.detection import coco
from engine.kinds.detection.box_lists import corners_and_sides


def convert(results: Path, annotations: Path | None) -> Converted:
    """Converts results of boxes. The ids of the examples are those of the images.

    Args:
      results: a list of `image_id`, `category_id`, `bbox` (x, y, width, height) and `score`.
      annotations: the file with images, categories and true boxes.

    Raises:
      UserError: a file is missing or not valid; names the entry.
    """
    if annotations is None:
        raise UserError(f"{results}: give COCO's annotations with --annotations=FILE: images and categories.")
    truth = _load(annotations)
    if not isinstance(truth, dict) or not {'images', 'categories'} <= truth.keys():
        raise UserError(f"{annotations} does not hold COCO's annotations: images, categories, annotations.")
    images = _places(annotations, 'images', truth)
    categories = _places(annotations, 'categories', truth)
    entries = _load(results)
    _check_results(results, entries, images, categories)
    content = {'annotations': truth.get('annotations', []), 'images': [{'id': image} for image in images]}
    arrays = {
        **corners_and_sides(np.array([entry['bbox'] for entry in entries], np.float64).reshape(-1, 4), ''),
        'scores': np.array([entry['score'] for entry in entries], np.float64),
        'classes': np.array([categories[entry['category_id']] for entry in entries], np.int32),
        'example': np.array([images[entry['image_id']] for entry in entries], np.int32),
        **coco.targets(annotations, content, categories),
    }
    names = {entry['id']: str(entry.get('name', entry['id'])) for entry in truth['categories']}
    notes = [f'{len(entries)} results', f'{len(content["annotations"])} annotations']
    ids = [str(image) for image in images]
    return Converted('detection', arrays, ids, [names[key] for key in categories], notes, tuple(categories))


def _load(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding='utf-8-sig'))
    except (ValueError, RecursionError) as error:
        raise UserError(f'{path} is not JSON: {error}.') from error


def _places(path: Path, name: str, truth: Mapping[str, Any]) -> dict[int, int]:
    """Returns the place of each id in the order of the numbers, in which pycocotools reads images."""
    try:
        numbers = sorted(entry['id'] for entry in truth[name])
    except (TypeError, KeyError) as error:
        raise UserError(f'{path}: {name} are not a list of objects with an id: {error}.') from error
    if len(set(numbers)) < len(numbers):
        raise UserError(f'{path}: two {name} have the same id.')
    return {number: place for place, number in enumerate(numbers)}


def _check_results(
    path: Path, entries: Any, images: Mapping[int, int], categories: Mapping[int, int]
) -> None:
    if not isinstance(entries, list):
        raise UserError(f'{path} does not hold a list of results.')
    for index, entry in enumerate(entries):
        if problem := _problem(entry, images, categories):
            raise UserError(f'{path}: result {index}, counted from 0, {problem}.')


def _problem(entry: Any, images: Mapping[int, int], categories: Mapping[int, int]) -> str:
    """Returns what is wrong with a result; '' if nothing is."""
    if not isinstance(entry, dict):
        return 'is not an object'
    missing = next((key for key in ('image_id', 'category_id', 'bbox', 'score') if key not in entry), None)
    if missing:
        return f'has no {missing!r}'
    if not isinstance(entry['image_id'], int | str) or entry['image_id'] not in images:
        return f'is of the image {entry["image_id"]!r}, which the annotations lack'
    if not isinstance(entry['category_id'], int | str) or entry['category_id'] not in categories:
        return f'is of the category {entry["category_id"]!r}, which the annotations lack'
    box = entry['bbox']
    if not isinstance(box, list) or len(box) != 4 or not all(map(_is_finite, box)):
        return f'has {box!r:.60} as bbox, which is not four finite numbers'
    return '' if _is_finite(entry['score']) else f'has {entry["score"]!r:.40} as score'


def _is_finite(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
