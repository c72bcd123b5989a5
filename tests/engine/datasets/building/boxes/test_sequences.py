"""TFDS's sequences of boxes become padded fields: every box once, in pixels of the upright image."""

import textwrap
from pathlib import Path

import numpy as np
import pytest
import tensorflow_datasets as tfds

from engine.datasets.building.boxes import sequences
from engine.datasets.load import load
from engine.datasets.reading.orientation import upright, upright_box
from tests.conftest import Program

BUILDER = """
    import io
    import numpy as np
    import tensorflow_datasets as tfds
    from PIL import Image

    tf = tfds.features

    class Builder(tfds.core.GeneratorBasedBuilder):
        VERSION = tfds.core.Version('1.0.0')

        def _info(self):
            return tfds.core.DatasetInfo(builder=self, disable_shuffling=True, features=tf.FeaturesDict({
                'image': tf.Image(shape=(None, None, 3), encoding_format='jpeg'),
                'objects': tf.Sequence({
                    'bbox': tf.BBoxFeature(), 'label': tf.ClassLabel(names=['cat', 'dog']),
                    'is_crowd': np.bool_, 'area': np.int64, 'pose': tf.ClassLabel(names=['up']),
                }),
            }))

        def _split_generators(self, manager):
            return {'train': self._generate_examples(12), 'validation': self._generate_examples(3)}

        def _generate_examples(self, count):
            for index in range(count):
                file, image = io.BytesIO(), Image.new('RGB', (40 + index, 20 if count == 12 else 24))
                exif = image.getexif()
                exif[0x0112] = 6 if index == 2 else 1
                image.save(file, 'JPEG', exif=exif)
                file.seek(0)
                yield index, {'image': file, 'objects': [
                    {'bbox': tf.BBox(0.0, 0.5, 0.25, 1.0), 'label': place % 2, 'is_crowd': place == 1,
                     'area': 10 * place, 'pose': 0}
                    for place in range(index % 4)
                ]}
"""


@pytest.fixture
def name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setattr('engine.workspace.REPOSITORY', tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setenv('WORKSPACE', str(tmp_path / 'workspace'))
    folder = tmp_path / 'data/boxed'
    folder.mkdir(parents=True)
    (folder / 'boxed_dataset_builder.py').write_text(textwrap.dedent(BUILDER))
    return 'boxed'


def test_every_box_is_there_once_in_pixels(name: str, program: Program) -> None:
    code, out, _ = program('dataset', 'build', name)
    assert code == 0
    assert 'objects became boxes and others, padded to 3; pose of them left out' in out
    data = load(name)
    assert data.splits == {'train': 12, 'val': 3}
    assert data.spec.class_names == {'classes': ('cat', 'dog')}
    assert data.spec.notes == {'boxes': 'x0, y0, x1, y1 in pixels of the upright original image'}
    assert {name: (field.shape, str(field.dtype)) for name, field in data.spec.example.items()} == {
        'boxes': ((3, 4), 'float32'),
        'classes': ((3,), 'int32'),
        'count': ((), 'int32'),
        'crowd': ((3,), 'bool'),
        'areas': ((3,), 'float32'),
        'size': ((2,), 'int32'),
    }
    examples = data.split('train')
    for index in range(12):
        one, count, width = examples.example(index), index % 4, 40 + index
        assert one['count'] == count
        size, box = ((20, width), (width / 2, 0, width, 5))
        if index == 2:  # stored on its side: the right top of the stored image is the right bottom
            size, box = ((width, 20), (15, width / 2, 20, width))
        assert one['size'].tolist() == list(size)
        assert one['boxes'].tolist() == [list(box)] * count + [[0, 0, 0, 0]] * (3 - count)
        assert one['classes'].tolist() == [0, 1, 0][:count] + [-1] * (3 - count)
        assert one['crowd'].tolist() == [place == 1 and count > 1 for place in range(3)]
        assert one['areas'].tolist() == [0, 10, 20][:count] + [0] * (3 - count)
    code, out, _ = program('dataset', 'explore', name)
    assert code == 0, out
    code, out, _ = program('dataset', 'check', name)
    assert code == 0, out


@pytest.mark.parametrize('orientation', range(1, 9))
def test_a_box_is_turned_as_its_image_is(orientation: int) -> None:
    stored = np.zeros((8, 4, 1), np.uint8)
    stored[2:4, 1:4] = 1
    turned = upright(stored, orientation)[..., 0]
    rows, columns = np.nonzero(turned)
    height, width = turned.shape
    [box] = upright_box(np.array([[1 / 4, 2 / 8, 1, 4 / 8]]), orientation)
    expected = [columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]
    assert (box * [width, height, width, height]).tolist() == expected


FEATURES = tfds.features
PHOTO = {'image': FEATURES.Image(shape=(8, 8, 3))}
BOXES = FEATURES.Sequence(FEATURES.BBoxFeature())
PAIRS = FEATURES.Sequence({'bbox': FEATURES.BBoxFeature(), 'kind': FEATURES.ClassLabel(names=['a', 'b'])})


@pytest.mark.parametrize(
    ('features', 'expected'),
    [
        (PHOTO, []),
        ({'boxes': BOXES}, []),  # no image gives their unit
        (PHOTO | {'faces': BOXES}, [('faces', '', ('faces',))]),
        (PHOTO | {'pairs': PAIRS}, [('pairs', '', ('a', 'b'))]),
        (PHOTO | {'pairs': PAIRS, 'classes': FEATURES.Scalar(np.int32)}, [('pairs', 'pairs_', ('a', 'b'))]),
        (PHOTO | {'a': PAIRS, 'b': BOXES}, [('a', 'a_', ('a', 'b')), ('b', 'b_', ('b',))]),
        (PHOTO | {'three': FEATURES.Sequence(FEATURES.BBoxFeature(), length=3)}, []),
        (PHOTO | {'odd': FEATURES.Sequence(FEATURES.BBoxFeature(bbox_format='XYWH'))}, []),
        (PHOTO | {'tags': FEATURES.Sequence({'tag': np.int32})}, []),
    ],
)
def test_which_sequences_are_boxes(features: dict, expected: list) -> None:
    found = sequences.find(dict(FEATURES.FeaturesDict(features).items()))
    assert [(each.field, each.prefix, each.classes) for each in found] == expected


def test_boxes_without_classes_of_an_array() -> None:
    [found] = sequences.find(PHOTO | {'faces': BOXES})
    example = {'image': np.zeros((10, 20, 3), np.uint8), 'faces': np.array([[0, 0.5, 1, 1]], np.float32)}
    fields = found.padded(example, 'a', 2)
    assert fields['boxes'].tolist() == [[10, 0, 20, 10], [0, 0, 0, 0]]
    assert fields['classes'].tolist() == [0, -1]
    assert fields['size'].tolist() == [10, 20]
