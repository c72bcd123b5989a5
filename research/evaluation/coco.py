"""COCO's JSON: true boxes read from annotations; predicted boxes and masks as results for its evaluators.

Source: https://cocodataset.org/#format-data and #format-results.
"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from research.errors import UserError, did_you_mean
from research.outputs import Outputs


def read(path: Path, found: Outputs) -> tuple[Sequence[str], Mapping[str, np.ndarray]]:
    """Reads the annotations of a detection.

    An image is the example whose id is its `file_name`, that without its ending, or its `id`; a category the
    class of its name.

    Raises:
      UserError: it is no such file, or knows other classes; or it has boxes around crowds, to which COCO's
        evaluators give a meaning that there is none for here.
    """
    if found.kind != 'detection':
        raise UserError(f'--labels={path}: JSON states boxes, and {found.kind} has none. Give .csv or .npz.')
    try:
        known = json.loads(path.read_text(encoding='utf-8'))
        ids = _ids(known['images'], found)
        places = {image['id']: place for place, image in enumerate(known['images'])}
        annotations = known['annotations']
        labels = _classes(path, known['categories'], found)
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
            '--export=coco and pycocotools.'
        )
    corners[:, 2:] += corners[:, :2]
    return ids, {
        'target_boxes': corners.astype(np.float32),
        'target_classes': np.array(classes, np.int32),
        'target_example': np.array(example, np.int32),
    }


def _ids(images: Sequence[Mapping[str, Any]], found: Outputs) -> list[str]:
    """Returns the images' ids, named as most of the outputs' examples are."""
    files = [str(image.get('file_name', '')) for image in images]
    ways = [files, [Path(file).stem for file in files], [str(image['id']) for image in images]]
    wanted = set(found.ids)
    return max(ways, key=lambda way: len(wanted.intersection(way)))


def _classes(path: Path, categories: Sequence[Mapping[str, Any]], found: Outputs) -> dict[int, int]:
    """Returns the class of each category."""
    if not found.class_names:
        raise UserError(f'{found.folder} names no classes, so the categories of {path} cannot be told apart.')
    places = {name: index for index, name in enumerate(found.class_names)}
    unknown = [each['name'] for each in categories if each['name'] not in places]
    if unknown:
        hint = did_you_mean(unknown[0], places)
        raise UserError(f'{path}: the category {unknown[0]!r} is no class of {found.folder}. {hint}')
    return {each['id']: places[each['name']] for each in categories}
