"""The JSON formats of COCO: annotations of boxes, and results with boxes or masks.

Source: https://cocodataset.org/#format-data and #format-results.
"""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from pycocotools import mask as run_lengths

from engine.errors import UserError, did_you_mean
from engine.kinds.detection.box_lists import corners_and_sides, image_ids, sides_of
from engine.outputs.outputs import Outputs


def read(path: Path, outputs: Outputs) -> tuple[Sequence[str], Mapping[str, np.ndarray]]:
    """Reads annotations of boxes, with crowds and areas.

    An image belongs to the example whose id is its `file_name`, with or without ending, or its `id`. A
    category belongs to the class with its name, or with its id if the outputs name no classes. Annotations
    without `iscrowd` are no crowds; those without `area` have the area of their box.

    Returns:
      The ids of the images, and the arrays of targets, and `image_ids`.

    Raises:
      UserError: the file is not valid or has other classes.
    """
    with _explained(path):
        content = json.loads(path.read_text(encoding='utf-8'))
        ids = _ids(content['images'], outputs)
        labels = _classes(path, content['categories'], outputs)
    return ids, targets(path, content, labels)


@contextmanager
def _explained(path: Path) -> Iterator[None]:
    """Raises `UserError`, with the file and the cause, where annotations are not what COCO says."""
    try:
        yield
    except UserError:
        raise
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise UserError(
            f"{path} does not hold COCO's annotations of boxes: {type(error).__name__}: {error}."
        ) from error


def targets(path: Path, content: Mapping[str, Any], labels: Mapping[Any, int]) -> dict[str, np.ndarray]:
    """Returns the arrays of targets of annotations, and `image_ids` if the images have numbers.

    Args:
      path: the file, for messages.
      content: its `images`, in the order of the examples, and `annotations`.
      labels: id of each category to its class.

    Raises:
      UserError: an annotation is not valid.
    """
    with _explained(path):
        numbers = [image['id'] for image in content['images']]
        arrays = _targets(content['annotations'], numbers, labels)
    for name in ('target_boxes', 'target_areas'):
        odd = np.flatnonzero(~np.isfinite(arrays[name].reshape(len(arrays[name]), -1)).all(1))
        if odd.size:
            raise UserError(f'{path}: {name[7:]} of annotation {odd[0]}, counted from 0, is not finite.')
    # Numbers order the images; ids of other programs may be texts.
    known = all(isinstance(number, int) for number in numbers)
    return {**arrays, **({'image_ids': np.array(numbers, np.int64)} if known else {})}


def _targets(
    annotations: Sequence[Mapping[str, Any]], images: Sequence[Any], labels: Mapping[Any, int]
) -> dict[str, np.ndarray]:
    """Returns the arrays of targets. Raises KeyError, with what is missing, for an incomplete annotation."""
    rows = {number: row for row, number in enumerate(images)}
    if len(rows) < len(images):
        raise ValueError('two images have the same id')
    for place, annotation in enumerate(annotations):
        _check_refers(place, annotation, 'image_id', rows)
        _check_refers(place, annotation, 'category_id', labels)
    boxes = np.array([annotation['bbox'] for annotation in annotations], np.float64).reshape(-1, 4)
    areas = [
        annotation.get('area', width * height)
        for annotation, (width, height) in zip(annotations, boxes[:, 2:].tolist(), strict=True)
    ]
    with np.errstate(over='ignore', invalid='ignore'):
        arrays = corners_and_sides(boxes, 'target_')
    return {
        **arrays,
        'target_classes': np.array([labels[each['category_id']] for each in annotations], np.int32),
        'target_example': np.array([rows[each['image_id']] for each in annotations], np.int32),
        'target_areas': np.array(areas, np.float64),
        'target_crowd': np.array([bool(each.get('iscrowd')) for each in annotations], bool),
    }


def _check_refers(place: int, annotation: Mapping[str, Any], key: str, known: Mapping[Any, int]) -> None:
    if annotation[key] not in known:
        raise ValueError(f'{key} {annotation[key]!r} of annotation {place}, counted from 0, is not listed')


def _ids(images: Sequence[Mapping[str, Any]], outputs: Outputs) -> list[str]:
    """Returns the ids of the images, by the naming that matches most examples of the outputs."""
    files = [str(image.get('file_name', '')) for image in images]
    namings = [files, [Path(file).stem for file in files], [str(image['id']) for image in images]]
    wanted = set(outputs.ids)
    return max(namings, key=lambda ids: len(wanted.intersection(ids)))


def _classes(path: Path, categories: Sequence[Mapping[str, Any]], outputs: Outputs) -> dict[int, int]:
    """Returns the class of each category, by its id."""
    key, known = 'name', outputs.class_names
    if not known:
        key, known = 'id', tuple(outputs.manifest.category_ids)
    if not known:
        raise UserError(
            f'{outputs.folder} has neither class names nor category ids, so the categories of {path} cannot '
            'be matched. Write class_names into its manifest.'
        )
    places = {value: index for index, value in enumerate(known)}
    unknown = [category[key] for category in categories if category[key] not in places]
    if unknown:
        hint = did_you_mean(str(unknown[0]), map(str, places))
        raise UserError(f'{path}: the category {unknown[0]!r} is not a class of {outputs.folder}. {hint}')
    return {category['id']: places[category[key]] for category in categories}


def mask_results(outputs: Outputs) -> list[dict[str, Any]]:
    """Returns the masks of a segmentation like `box_results`: a result per class and mask."""
    masks = zip(image_ids(outputs), outputs.arrays['masks'], strict=True)
    categories = _category_ids(outputs)
    return [result for image, mask in masks for result in _of_mask(image, mask, categories)]


def box_results(outputs: Outputs) -> list[dict[str, Any]]:
    """Returns the boxes of a detection for `loadRes` of pycocotools.

    `image_id` is that of `image_ids`, or the id of the example, as a number if all ids are plain numbers.
    `category_id` is that of the manifest, or the index of the class, counted from 1.
    """
    images, categories = image_ids(outputs), _category_ids(outputs)
    boxes = outputs.arrays['boxes'].astype(np.float64)
    columns = (
        outputs.arrays['example'],
        outputs.arrays['classes'],
        boxes[:, :2],
        sides_of(outputs.arrays, ''),
        outputs.arrays['scores'],
    )
    return [
        {
            'image_id': images[example],
            'category_id': categories(label),
            'bbox': [*corner, *side],
            'score': score,
        }
        for example, label, corner, side, score in zip(*(column.tolist() for column in columns), strict=True)
    ]


def _category_ids(outputs: Outputs) -> Callable[[int], int]:
    """Returns a function from classes to category ids."""
    ids = outputs.manifest.category_ids
    return lambda label: ids[label] if ids else label + 1


def _of_mask(
    image: int | str, mask: np.ndarray, categories: Callable[[int], int]
) -> Iterator[dict[str, Any]]:
    for label in np.unique(mask).tolist():
        encoded: Any = run_lengths.encode(np.asfortranarray(mask == label, np.uint8))
        segmentation = {'size': encoded['size'], 'counts': encoded['counts'].decode('ascii')}
        yield {
            'image_id': image,
            'category_id': categories(label),
            'segmentation': segmentation,
            'score': 1.0,
        }
