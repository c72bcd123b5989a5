"""Boxes that TFDS states as sequences of any length, as the padded fields of `padding`.

TFDS's boxes are fractions: ymin, xmin, ymax, xmax of the stored image. They become x0, y0, x1, y1 in pixels
of the upright image, once, when the dataset is built.
"""

import io
import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from PIL import ExifTags, Image

from engine import files
from engine.datasets.building.boxes import padding
from engine.datasets.reading.orientation import upright_box, upright_size

# TensorFlow Datasets takes a second to import, so only the functions that need it import it.

MAX_BOXES = 'max_boxes.json'  # in the folder of the records: the most boxes of an example, by field
FORMAT = 'REL_YXYX'  # TFDS's name of ymin, xmin, ymax, xmax as fractions
SIZE = 'size'  # the field of height and width of the original image
CONVENTION = 'x0, y0, x1, y1 in pixels of the upright original image'
_CROWD, _AREA, _LABEL = 'is_crowd', 'area', 'label'


@dataclass(frozen=True)
class BoxSequence:
    """A sequence of boxes in the features of TFDS.

    Attributes:
      field: its name.
      box: the name of the boxes in it, '' if it holds nothing else.
      label: the name of their classes in it, '' without.
      classes: the names of the classes; the name of the field, if boxes have no classes.
      others: the names of whatever else is in it.
      image: the field of the image, whose size is the unit of the boxes.
      prefix: of the padded fields; '' unless their names are taken.
    """

    field: str
    box: str
    label: str
    classes: tuple[str, ...]
    others: tuple[str, ...]
    image: str
    prefix: str

    def features(self, max_boxes: int) -> dict[str, Any]:
        """Returns the features of the padded fields, and `size`, int32 [2]: the image's height and width."""
        import tensorflow_datasets as tfds

        known = {padding.CROWD: _CROWD in self.others, padding.AREAS: _AREA in self.others}
        size = tfds.features.Tensor(shape=(2,), dtype=np.int32, doc='Height and width of the original image.')
        stated = padding.features(self.classes, max_boxes, **known) | {SIZE: size}
        return {self.prefix + name: feature for name, feature in stated.items()}

    def count(self, example: Mapping[str, Any]) -> int:
        """Returns the number of boxes of an example."""
        return len(self._corners(example))

    def padded(self, example: Mapping[str, Any], identity: str, max_boxes: int) -> dict[str, np.ndarray]:
        """Returns the padded fields of an example whose image is encoded, or decoded [H, W, C]."""
        corners, sequence = self._corners(example), example[self.field]
        height, width, orientation = _size(example[self.image])
        fractions = upright_box(corners[:, [1, 0, 3, 2]], orientation)
        more = {
            name: sequence[key]
            for name, key in ((padding.CROWD, _CROWD), (padding.AREAS, _AREA))
            if key in self.others
        }
        labels = sequence[self.label] if self.label else np.zeros(len(corners), np.int64)
        scaled = fractions * np.array([width, height, width, height], np.float64)
        fields = padding.padded(identity, scaled, np.asarray(labels).tolist(), max_boxes, **more)
        fields[padding.CLASSES] = np.array(fields[padding.CLASSES], np.int64)
        fields[SIZE] = np.array([height, width], np.int32)
        return {self.prefix + name: value for name, value in fields.items()}

    def remark(self, max_boxes: int) -> str:
        """Returns what became of the sequence."""
        lost = [name for name in self.others if name not in (_CROWD, _AREA)]
        left_out = f'; {", ".join(lost)} of them left out' if lost else ''
        return f'{self.field} became {self.prefix}{padding.BOXES} and others, padded to {max_boxes}{left_out}'

    def _corners(self, example: Mapping[str, Any]) -> np.ndarray:
        """Returns ymin, xmin, ymax, xmax of each box, as fractions, f64 [m, 4]."""
        sequence = example[self.field]
        return np.asarray(sequence[self.box] if self.box else sequence, np.float64).reshape(-1, 4)


class TfdsBoxes:
    """The sequences of boxes of a TFDS builder, as padded fields.

    The largest number of boxes of an example is counted once, and kept beside the records.

    Args:
      builder: of TFDS. Only `other_features` and `notes` are known before it has built its records.
    """

    def __init__(self, builder: Any):
        self._builder, self._sequences = builder, find(builder.info.features)

    @property
    def other_features(self) -> dict[str, Any]:
        """The features of the fields of TFDS that do not become padded fields."""
        padded = {sequence.field for sequence in self._sequences}
        return {name: each for name, each in self._builder.info.features.items() if name not in padded}

    def features(self) -> dict[str, Any]:
        """Returns the features of all padded fields."""
        stated = (sequence.features(count) for sequence, count in self._max_boxes.items())
        return {name: feature for features in stated for name, feature in features.items()}

    def padded(self, example: Mapping[str, Any], identity: str) -> dict[str, np.ndarray]:
        """Returns the padded fields of an example as TFDS reads it."""
        padded = (sequence.padded(example, identity, count) for sequence, count in self._max_boxes.items())
        return {name: array for fields in padded for name, array in fields.items()}

    def remarks(self) -> list[str]:
        """Returns what became of each sequence."""
        return [sequence.remark(count) for sequence, count in self._max_boxes.items()]

    def notes(self) -> dict[str, str]:
        """Returns what the numbers of boxes mean, by field."""
        return {sequence.prefix + padding.BOXES: CONVENTION for sequence in self._sequences}

    @cached_property
    def _max_boxes(self) -> dict[BoxSequence, int]:
        """The largest number of boxes of an example, at least 1."""
        if not self._sequences:
            return {}
        path = Path(self._builder.data_dir) / MAX_BOXES
        if not path.exists():
            with files.atomic_file(path) as temporary:
                temporary.write_text(json.dumps(self._counted()), encoding='utf-8')
        counts = json.loads(path.read_text(encoding='utf-8'))
        return {sequence: counts[sequence.field] for sequence in self._sequences}

    def _counted(self) -> dict[str, int]:
        import tensorflow_datasets as tfds

        counts = {sequence.field: 1 for sequence in self._sequences}
        skipped = {sequence.image: tfds.decode.SkipDecoding() for sequence in self._sequences}
        for split in self._builder.info.splits:
            for example in self._builder.as_data_source(split, decoders=skipped):
                for sequence in self._sequences:
                    counts[sequence.field] = max(counts[sequence.field], sequence.count(example))
        return counts


def find(features: Mapping[str, Any]) -> list[BoxSequence]:
    """Returns the sequences of boxes among the features of TFDS, if there is an image that they lie in."""
    import tensorflow_datasets as tfds

    photos = [name for name, feature in features.items() if type(feature) is tfds.features.Image]
    inside = {name: _inside(feature) for name, feature in features.items()}
    fields = [name for name, parts in inside.items() if parts and _boxes(parts)]
    own = {padding.BOXES, padding.CLASSES, padding.COUNT, padding.CROWD, padding.AREAS, SIZE}
    clash = len(fields) > 1 or bool(own & (features.keys() - set(fields)))
    return [
        _sequence(name, inside[name], photos[0], f'{name}_' if clash else '') for name in fields if photos
    ]


def _inside(feature: Any) -> dict[str, Any]:
    """Returns the features of the items of a sequence, by name, {} for another feature."""
    import tensorflow_datasets as tfds

    if not isinstance(feature, tfds.features.Sequence):
        return {}
    if isinstance(feature.feature, tfds.features.FeaturesDict):
        return dict(feature.feature)
    shape: Any = feature.shape  # batches can hold boxes of a fixed number as they are
    return {'': feature.feature} if None in shape else {}


def _boxes(parts: Mapping[str, Any]) -> list[str]:
    """Returns the names of the boxes among features. Boxes of unknown conventions are not among them."""
    import tensorflow_datasets as tfds

    boxes = {name: part for name, part in parts.items() if isinstance(part, tfds.features.BBoxFeature)}
    return [
        name for name, part in boxes.items() if getattr(part.bbox_format, 'value', part.bbox_format) == FORMAT
    ]


def _sequence(field: str, parts: Mapping[str, Any], image: str, prefix: str) -> BoxSequence:
    import tensorflow_datasets as tfds

    box, *_ = _boxes(parts)
    named = [
        name
        for name, part in parts.items()
        if isinstance(part, tfds.features.ClassLabel) and part.num_classes
    ]
    label = _LABEL if _LABEL in named else named[0] if len(named) == 1 else ''
    classes = tuple(parts[label].names) if label else (field,)
    others = tuple(name for name in parts if name not in (box, label))
    return BoxSequence(field, box, label, classes, others, image, prefix)


def _size(image: Any) -> tuple[int, int, int]:
    """Returns height and width of an upright image, and the orientation in which it is stored.

    An image that cannot be read has the size 0: it is reported, and its example left out, when it is decoded.
    """
    if isinstance(image, np.ndarray):
        return image.shape[0], image.shape[1], 1
    try:
        with Image.open(io.BytesIO(image)) as opened:
            (width, height), turn = opened.size, opened.getexif().get(ExifTags.Base.Orientation, 1)
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        return 0, 0, 1
    return *upright_size(height, width, turn), turn
