"""Converts boxes in the format of YOLO: a text file per picture, with a line per box.

A line holds the class, the centre and the size of a box as shares of the picture's width and height, and, for
predictions, the confidence.

Source: https://docs.ultralytics.com/datasets/detect/
"""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from PIL import Image, UnidentifiedImageError

from engine.conversion.converted import Converted
from engine.errors import UserError, did_you_mean

_ORIENTATION, _TURNED = 0x0112, (5, 6, 7, 8)  # EXIF: width and height are exchanged
_PICTURES = ('.jpg', '.jpeg', '.png', '.webp', '.bmp', '.tif', '.tiff')
_TRUE_NUMBERS, _PREDICTED_NUMBERS = 5, 6  # on a line


def convert(
    predictions: Path, annotations: Path | None, images: Path | None, class_names: Sequence[str]
) -> Converted:
    """Converts predicted boxes, and true ones if there are any.

    Args:
      predictions: a folder of text files. A picture without a file has no predicted boxes.
      annotations: a folder of text files with the true boxes, or None.
      images: the folder of the pictures. Their names without ending are the ids.
      class_names: names of the classes in order, or () to number them.

    Raises:
      UserError: a folder is missing, or a line is not valid; names file and line.
    """
    if images is None:
        raise UserError(
            f'{predictions}: YOLO states boxes as shares of a picture. Give --images=FOLDER of pictures.'
        )
    sizes = _sizes(images)
    ids = sorted(sizes)
    boxes = _YoloBoxes(predictions, sizes, ids, len(class_names), _PREDICTED_NUMBERS)
    arrays = {
        'boxes': boxes.corners,
        'scores': boxes.numbers[:, 5],
        'classes': boxes.classes,
        'example': boxes.example,
    }
    notes = [f'{len(boxes.numbers)} predicted boxes']
    if annotations:
        true = _YoloBoxes(annotations, sizes, ids, len(class_names), _TRUE_NUMBERS)
        arrays |= {
            'target_boxes': true.corners,
            'target_classes': true.classes,
            'target_example': true.example,
        }
        notes.append(f'{len(true.numbers)} true boxes')
    names = list(class_names) or _numbered_classes(arrays)
    return Converted('detection', arrays, ids, names, notes)


def _numbered_classes(arrays: Mapping[str, np.ndarray]) -> list[str]:
    classes = [arrays[name] for name in ('classes', 'target_classes') if name in arrays]
    return [str(index) for index in range(max(int(array.max(initial=0)) for array in classes) + 1)]


class _YoloBoxes:
    """The boxes of a folder of text files.

    Attributes:
      numbers: the numbers of each line, f64 [m, 5 or 6].
      classes: class of each box, int64 [m].
      example: row of the picture of each box, int64 [m].
      corners: (x0, y0, x1, y1) in pixels, f64 [m, 4].
    """

    def __init__(
        self, folder: Path, sizes: Mapping[str, tuple[int, int]], ids: Sequence[str], classes: int, width: int
    ):
        if not folder.is_dir():
            raise UserError(f'{folder} is not a folder of text files with boxes.')
        rows = {identity: row for row, identity in enumerate(ids)}
        lines: list[list[float]] = []
        example: list[int] = []
        for path in sorted(folder.glob('*.txt')):
            if path.stem not in rows:
                raise UserError(f'{path}: there is no picture {path.stem!r}. {did_you_mean(path.stem, ids)}')
            lines += (numbers := _lines(path, classes, width))
            example += [rows[path.stem]] * len(numbers)
        self.numbers = np.array(lines, np.float64).reshape(len(lines), width)
        self.classes = self.numbers[:, 0].astype(np.int64)
        self.example = np.array(example, np.int64)
        shape = np.array([sizes[ids[row]] for row in example], np.float64).reshape(-1, 2)
        centre, half = self.numbers[:, 1:3] * shape, self.numbers[:, 3:5] * shape / 2
        self.corners = np.concatenate([centre - half, centre + half], axis=1)


def _lines(path: Path, classes: int, width: int) -> list[list[float]]:
    """Returns the numbers of each line."""
    try:
        texts = path.read_text(encoding='utf-8-sig').split('\n')
    except UnicodeDecodeError as error:
        raise UserError(f'{path} is not text: {error}.') from error
    return [
        _numbers(f'{path}:{number}', text.split(), classes, width)
        for number, text in enumerate(texts, 1)
        if text.strip()
    ]


def _numbers(where: str, cells: Sequence[str], classes: int, width: int) -> list[float]:
    try:
        numbers = [float(cell) for cell in cells]
    except ValueError as error:
        raise UserError(f'{where}: {error}.') from error
    if len(numbers) != width:
        meaning = 'class, x, y, width, height' + ', confidence' * (width == _PREDICTED_NUMBERS)
        raise UserError(
            f'{where} has {len(numbers)} numbers, not {width}: {meaning}.{_advice(numbers, width)}'
        )
    if not all(map(math.isfinite, numbers)) or numbers[0] != int(numbers[0]) or numbers[0] < 0:
        raise UserError(f'{where}: {" ".join(cells)!r} is not a class and finite numbers.')
    if classes and numbers[0] >= classes:
        raise UserError(f'{where}: there is no class {int(numbers[0])}; --classes names {classes}.')
    if min(numbers[3:5]) < 0 or max(map(abs, numbers[1:5])) > 2:
        raise UserError(f'{where}: x, y, width and height are not shares of the picture, from 0 to 1.')
    return numbers


def _advice(numbers: Sequence[float], width: int) -> str:
    if width == _PREDICTED_NUMBERS and len(numbers) == _TRUE_NUMBERS:
        return ' Predict with save_conf=True, so that each box has its confidence.'
    return ' Polygons are not supported.' if len(numbers) > _PREDICTED_NUMBERS else ''


def _sizes(images: Path) -> dict[str, tuple[int, int]]:
    """Returns the width and the height of each upright picture by its name without ending."""
    if not images.is_dir():
        raise UserError(f'--images={images} is not a folder.')
    paths = [path for path in sorted(images.iterdir()) if path.suffix.lower() in _PICTURES]
    if not paths:
        raise UserError(f'--images={images} holds no pictures ({", ".join(_PICTURES)}).')
    return {path.stem: _size(path) for path in paths}


def _size(path: Path) -> tuple[int, int]:
    try:
        with Image.open(path) as picture:
            width, height = picture.size
            turned = picture.getexif().get(_ORIENTATION) in _TURNED
    except (OSError, UnidentifiedImageError, Image.DecompressionBombError, ValueError) as error:
        raise UserError(f'{path} cannot be read as a picture: {error}.') from error
    return (height, width) if turned else (width, height)
