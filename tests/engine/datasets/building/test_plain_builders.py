"""Plain builders of TFDS in data/: fields, labels and splits that the template's own builders do not have."""

import importlib
import json
import math
import re
import textwrap
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow_datasets as tfds

from engine import outputs
from engine.datasets.building import features, tfds_catalogue
from engine.datasets.load import load
from engine.errors import UserError
from tests.conftest import Program

BUILDER = """
    import numpy as np
    import tensorflow_datasets as tfds

    tf = tfds.features

    class Builder(tfds.core.GeneratorBasedBuilder):
        VERSION = tfds.core.Version('1.2.0')

        def _info(self):
            return tfds.core.DatasetInfo(
                builder=self,
                disable_shuffling=True,
                supervised_keys=('image', 'species'),
                metadata=tfds.core.MetadataDict(vocabulary=['a', 'b']),
                features=tf.FeaturesDict({
                    'image': tf.Tensor(shape=(4, 4, 1), dtype=np.uint8),
                    'label': tf.ClassLabel(names=['wild', 'tame']),
                    'species': tf.ClassLabel(names=['cat', 'dog', 'owl']),
                    'parts': tf.Sequence(tf.ClassLabel(names=['ear', 'tail']), length=2),
                    'box': tf.BBoxFeature(),
                    'name': tf.Text(),
                    'note': tf.Tensor(shape=(), dtype=np.str_),
                    'tags': tf.Sequence(np.int32),
                    'size': {'height': np.float32, 'width': np.float32},
                }),
            )

        def _split_generators(self, manager):
            return {'train': self._generate_examples(30), 'test': self._generate_examples(6, SPECIES)}

        def _generate_examples(self, count, species=None):
            for index in range(count):
                own = index * 3 // count if species is None else species
                yield index, {
                    'image': np.full((4, 4, 1), 7 * index + count, np.uint8),
                    'label': LABEL, 'species': own, 'parts': [1, -1], 'name': 'x', 'note': 'y',
                    'box': tf.BBox(0.0, 0.0, 0.5, 1.0), 'tags': [1] * index,
                    'size': {'height': 1, 'width': 2},
                }
"""
CONFIG = """
    from __gin__ import dynamic_registration
    from engine.parts import classification
    from engine.training import trainer
    from research.models import mlp
    import optax

    trainer.Trainer:
      dataset = '{name}'
      task = @classification.Classification()
      steps = 2
      batch_size = 8

    classification.Classification:
      label = 'species'
      model = @mlp.MLP
      optimizer = @optax.sgd
      learning_rate = 0.0
"""


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr('engine.workspace.REPOSITORY', tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / 'pyproject.toml').write_text('[project]\nname = "it"\n')
    monkeypatch.setenv('WORKSPACE', str(tmp_path / 'workspace'))
    return tmp_path


def made(repository: Path, name: str, label: str = 'index % 2', species: str = '-1') -> str:
    """Creates a dataset. Python imports it once, so each test needs its own name."""
    folder = repository / 'data' / name
    folder.mkdir(parents=True)
    text = textwrap.dedent(BUILDER).replace('LABEL', label).replace('SPECIES', species)
    (folder / f'{name}_dataset_builder.py').write_text(text)
    return name


def test_it_is_built_checked_listed_and_trained(repository: Path, program: Program) -> None:
    name = made(repository, 'animals')
    code, out, _ = program('dataset', 'build', name)
    assert code == 0
    val = int(re.findall(r'val (\d+)', out)[0])
    assert f'{val} of the 30 examples of train became val, drawn by digest' in out
    assert 'left out, name: Text, and batches hold numbers' in out
    assert 'left out, note: Tensor of object, and batches hold numbers' in out
    assert 'left out, tags: Sequence of the shape (None,), and batches need a fixed one' in out
    assert 'left out, size: FeaturesDict of several fields (height, width), and batches hold arrays' in out
    assert 'note: no example of test has a species' in out
    code, out, _ = program('dataset', 'check', name)
    assert code == 0, out
    assert 'left out, name' in out
    code, out, _ = program('dataset', 'list')
    assert code == 0
    assert re.search(rf'animals +yes +train {30 - val}, val {val}, test 6', out)
    code, out, _ = program('dataset', 'explore', name)
    assert code == 0
    page = Path(out.rpartition('page: ')[2].strip()).read_text()
    assert all(f'Classes of {field}' in page for field in ('label', 'species', 'parts'))
    trained(repository, name, program)


def trained(repository: Path, name: str, program: Program) -> None:
    """Trains on the second label: its names and its first loss count. The test split has none."""
    config = repository / 'it.gin'
    config.write_text(textwrap.dedent(CONFIG.format(name=name)))
    code, out, err = program('train', f'--gin_file={config}')
    assert code == 0, out + err
    (run,) = (repository / 'workspace/runs').glob('*/animals/*')
    result = outputs.read(run / 'outputs/val')
    assert result.class_names == ('cat', 'dog', 'owl')
    assert result.arrays['logits'].shape[1] == 3
    assert result.arrays['labels'].tolist() == load(name).split('val').arrays['species'].tolist()
    assert outputs.read(run / 'outputs/test').arrays.keys() == {'logits'} | {
        each for each in result.arrays if each not in ('logits', 'labels')
    }
    first = json.loads((run / 'logs/train.jsonl').read_text().splitlines()[0])
    assert abs(first['loss'] - math.log(3)) < 1


def test_a_set_in_the_order_of_its_classes_is_drawn_from_all(repository: Path) -> None:
    data = load(made(repository, 'ordered'))
    assert sorted(np.unique(data.split('train').arrays['species'])) == [0, 1, 2]
    assert data.split('val').ids[0] == 'train-0000000'  # not the last tenth
    ids = [identity for split in ('train', 'val') for identity in data.split(split).ids]
    assert sorted(ids) == [f'train-{index:07}' for index in range(30)]
    for split in ('train', 'val'):
        part = data.split(split)
        places = [int(identity[-7:]) for identity in part.ids]
        assert part.arrays['species'].tolist() == [place * 3 // 30 for place in places]
        assert part.arrays['image'][:, 0, 0, 0].tolist() == [7 * place + 30 for place in places]


def test_names_of_classes_by_field(repository: Path) -> None:
    spec = load(made(repository, 'fields')).spec
    assert spec.notes == {'vocabulary': ['a', 'b']}
    assert spec.class_names == {
        'label': ('wild', 'tame'),
        'species': ('cat', 'dog', 'owl'),
        'parts': ('ear', 'tail'),
    }
    assert {name: (field.shape, str(field.dtype)) for name, field in spec.example.items()} == {
        'image': ((4, 4, 1), 'uint8'),
        'label': ((), 'int32'),
        'species': ((), 'int32'),
        'parts': ((2,), 'int32'),
        'box': ((4,), 'float32'),
    }


@pytest.mark.parametrize(
    ('name', 'label', 'species', 'message'),
    [
        ('unnamed', '2', '0', 'unnamed: an example does not fit its features, in .*label'),
        ('lettered', "'feral'", '0', 'lettered: an example does not fit its features, in .*label'),
        (
            'unlabelled',
            '-1 if index == 2 else 0',
            '0',
            "'train-0000002' of .*: label holds -1, which",
        ),
    ],
)
def test_a_label_without_a_name_is_one_message(
    name: str, label: str, species: str, message: str, repository: Path
) -> None:
    with pytest.raises(UserError, match=message) as error:
        load(made(repository, name, label, species))
    assert len(str(error.value)) < 600


def test_a_repaired_builder_is_built_anew(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    name = made(repository, 'repaired', 'LABELS[index]')
    module = importlib.import_module(f'data.{name}.{name}_dataset_builder')
    monkeypatch.setattr(module, 'LABELS', [0, -1] * 15, raising=False)
    with pytest.raises(UserError, match="'train-0000001' of train: label holds -1"):
        load(name)
    monkeypatch.setattr(module, 'LABELS', [0, 1] * 15)
    assert load(name).split('train').arrays['label'].max() == 1


def test_one_example_is_not_enough(repository: Path) -> None:
    name = made(repository, 'lonely')
    file = repository / 'data' / name / f'{name}_dataset_builder.py'
    file.write_text(file.read_text().replace('_examples(30)', '_examples(1)'))
    with pytest.raises(UserError, match='lonely has one example to train on and none to validate with'):
        load(name)


def test_training_needs_labels(repository: Path, program: Program) -> None:
    name = made(repository, 'nameless', label='-1', species='0')
    config = repository / 'it.gin'
    text = textwrap.dedent(CONFIG.format(name=name)).replace("label = 'species'", "label = 'label'")
    config.write_text(text)
    code, _, err = program('train', f'--gin_file={config}')
    assert code == 2
    assert 'No example of train of nameless has a label: all are -1.' in err


@pytest.mark.parametrize(
    ('feature', 'reason'),
    [
        (tfds.features.Text(), 'Text, and'),
        (tfds.features.Image(shape=(None, None, 3)), ''),
        (tfds.features.Image(shape=(None, None, 1), dtype=np.uint16), 'Image of the shape'),
        (tfds.features.LabeledImage(shape=(None, None, 1), labels=3), 'and resizing a mask would'),
        (tfds.features.Sequence(tfds.features.BBoxFeature()), r'Sequence of the shape \(None, 4\)'),
        (tfds.features.Sequence(tfds.features.BBoxFeature(), length=3), ''),
        (tfds.features.Sequence({'a': np.int32, 'b': np.int32}), r'of several fields \(a, b\)'),
        (tfds.features.Translation(['de', 'en']), r'several fields \(de, en\)'),
        (tfds.features.Tensor(shape=(2,), dtype=np.bool_), ''),
        (tfds.features.Scalar(np.float64), ''),
    ],
)
def test_what_batches_can_hold(feature: Any, reason: str) -> None:
    assert re.search(reason, features.unusable(feature))
    assert bool(features.unusable(feature)) == bool(reason)


@pytest.mark.parametrize(
    'name', ['glue/mrpc', 'glue/mrpc:2.0.0', 'glue', 'mnist:3.0.1', 'imdb_reviews/plain_text']
)
def test_names_of_the_catalogue(name: str, tmp_path: Path) -> None:
    builder = tfds_catalogue.builder(name, tmp_path)
    assert builder.info.full_name.startswith(name.partition(':')[0])
    assert 'label' in builder.info.features


@pytest.mark.parametrize(
    ('name', 'message'),
    [
        ('gleu', "no dataset 'gleu'. Did you mean 'glue'"),
        ('glue/mprc', r"tfds:glue/mprc: glue has no config 'mprc'. Did you mean 'mrpc'\?"),
        ('glue/mrpc:9.0.0', 'cannot be loaded at version 9.0.0, only: 2.0.0, 1.0.0, 1.0.1'),
        ('mnist:3', r'write <dataset>\[/<config>\]\[:<version>\], with a version such as 3.0.1'),
    ],
)
def test_mistakes_in_names_of_the_catalogue(name: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=message):
        tfds_catalogue.builder(name, tmp_path)
