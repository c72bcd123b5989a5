"""A detector on images of varying size with targets of varying number, from data to evaluation."""

import json
import textwrap
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from engine import errors, outputs
from engine.datasets.load import load
from engine.interfaces import INDEX, Spec
from engine.training import trainer
from tests.conftest import Program
from tests.engine.kinds.detection.grid_detector import Grid, GridDetector
from tests.engine.training.equal_runs import assert_equal_files, assert_equal_states, predictions, stop_after

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
                'image': tf.Image(shape=(None, None, 3), encoding_format='png'),
                'objects': tf.Sequence({
                    'bbox': tf.BBoxFeature(), 'label': tf.ClassLabel(names=['dark', 'light']),
                    'is_crowd': np.bool_,
                }),
            }))

        def _split_generators(self, manager):
            return {name: self._generate_examples(seed, n) for seed, (name, n) in enumerate(SIZES.items())}

        def _generate_examples(self, seed, count):
            random = np.random.default_rng(seed)
            for index in range(count):
                height, width = random.integers(16, 60, 2)
                pixels, objects = random.integers(100, 156, (height, width, 3), np.uint8), []
                for _ in range(index % 4):
                    (top, left), (rows, columns) = random.integers(0, 10, 2), random.integers(3, 7, 2)
                    label = int(random.integers(2))
                    pixels[top : top + rows, left : left + columns] = 255 * label
                    objects.append({'label': label, 'is_crowd': False, 'bbox': tf.BBox(
                        top / height, left / width, (top + rows) / height, (left + columns) / width
                    )})
                file = io.BytesIO()
                Image.fromarray(pixels).save(file, 'PNG')
                file.seek(0)
                yield index, {'image': file, 'objects': objects}

    SIZES = {'train': 20, 'val': 8, 'test': 9}
"""
CONFIG = """
    from __gin__ import dynamic_registration
    from engine.parts import crops
    from engine.training import trainer
    from tests.engine.kinds.detection import grid_detector
    import optax

    trainer.Trainer:
      dataset = 'squares'
      task = @grid_detector.GridDetector()
      steps = 3
      batch_size = 4
      evaluate_every = 3
      save_every = 1
      decode = @crops.Whole()

    crops.Whole.size = 16
    crops.Whole.workers = 0

    grid_detector.GridDetector:
      model = @grid_detector.Grid
      optimizer = @optax.adam
      learning_rate = 0.01
"""


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr('engine.workspace.REPOSITORY', tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setenv('WORKSPACE', str(tmp_path / 'workspace'))
    folder = tmp_path / 'data/squares'
    folder.mkdir(parents=True)
    (folder / 'squares_dataset_builder.py').write_text(textwrap.dedent(BUILDER))
    (tmp_path / 'pyproject.toml').write_text('[project]\nname = "it"\n')
    path = tmp_path / 'it.gin'
    path.write_text(textwrap.dedent(CONFIG))
    return path


def test_it_trains_resumes_predicts_and_evaluates(config: Path, program: Program, tmp_path: Path) -> None:
    run, other = tmp_path / 'run', tmp_path / 'other'
    code, out, err = program('train', f'--gin_file={config}', f'--run={run}')
    assert code == 0, out + err
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(trainer.MetricLogger, 'log_steps', stop_after(1))
        assert program('train', f'--gin_file={config}', f'--run={other}')[0] == errors.EXIT_INTERRUPTED
    code, out, err = program('train', f'--run={other}')
    assert code == 0, out + err
    assert_equal_files(run, other, predictions(run))
    assert_equal_states(run, other)
    saved, test = outputs.read(run / 'outputs/test'), load('squares').split('test')
    counts = test.arrays['count']
    assert saved.class_names == ('dark', 'light')
    assert np.bincount(saved.arrays['target_example'], minlength=9).tolist() == counts.tolist()
    exists = np.arange(3) < counts[:, None]
    np.testing.assert_array_equal(saved.arrays['target_boxes'], test.arrays['boxes'][exists])
    sides = test.arrays['size'].max(1)
    np.testing.assert_array_equal(saved.arrays['views'], [(0, 0, side, side) for side in sides])
    code, out, err = program('evaluate', str(run / 'outputs/test'))
    assert code == 0, out + err
    assert (
        json.loads((run / 'outputs/test/evaluation/metrics.json').read_text())['metrics']['ap']['value'] >= 0
    )


def test_boxes_of_resized_images_need_their_views(
    config: Path, program: Program, monkeypatch: pytest.MonkeyPatch
) -> None:
    predict, describe = GridDetector.predictions, GridDetector.describe

    def predictions(self: Any, output: Any, batch: Any) -> Any:
        arrays = predict(self, output, batch)
        return {name: array for name, array in arrays.items() if name != 'views'}

    def description(self: Any) -> Any:
        known = describe(self)
        stated = {name: text for name, text in known.predictions.items() if name != 'views'}
        return replace(known, predictions=stated)

    monkeypatch.setattr(GridDetector, 'predictions', predictions)
    monkeypatch.setattr(GridDetector, 'describe', description)
    code, _, err = program('train', f'--gin_file={config}', '--dry_run')
    assert code == 2
    assert "The images 'image' of squares are resized when they are read" in err
    assert "return 'views', f32 [B, 4]" in err


def bound() -> Any:
    example = {
        'image': jax.ShapeDtypeStruct((16, 16, 3), np.uint8),
        'boxes': jax.ShapeDtypeStruct((4, 4), np.float32),
        'classes': jax.ShapeDtypeStruct((4,), np.int32),
        'size': jax.ShapeDtypeStruct((2,), np.int32),
    }
    task = GridDetector(model=Grid, optimizer=optax.adam, learning_rate=0.01)
    return task.bind(Spec(example, {'classes': ('dark', 'light')}))


def batch(k: int) -> dict[str, jax.Array]:
    """Returns images with up to 4 targets, and noise where padding is."""
    random, padding = np.random.default_rng(0), np.random.default_rng(k)
    corners = random.uniform(0, 30, (6, 4, 2))
    boxes = np.concatenate([corners, corners + random.uniform(2, 10, (6, 4, 2))], -1)
    classes = np.where(np.arange(4) < [[0], [4], [1], [2], [3], [0]], random.integers(0, 2, (6, 4)), -1)
    padded = padding.uniform(0, 40, (6, k, 4))
    padded[:, :4] = np.where(classes[..., None] >= 0, boxes, padded[:, :4])
    return {
        'image': jnp.asarray(random.integers(0, 256, (6, 16, 16, 3), np.uint8)),
        'boxes': jnp.asarray(padded, jnp.float32),
        'classes': jnp.asarray(np.pad(classes, ((0, 0), (0, k - 4)), constant_values=-1), jnp.int32),
        'size': jnp.asarray(random.integers(20, 50, (6, 2)), jnp.int32),
        INDEX: jnp.arange(6, dtype=jnp.int32),
    }


def test_padding_changes_neither_loss_nor_gradients() -> None:
    task = bound()
    params, model_state = task.init_model(jax.random.key(0))
    measure = jax.jit(jax.value_and_grad(partial(task._loss, key=jax.random.key(1)), has_aux=True))
    (loss, _), gradients = measure(params, model_state, batch(4))
    (other_loss, _), other_gradients = measure(params, model_state, batch(9))
    np.testing.assert_allclose(loss, other_loss, rtol=1e-6)
    jax.tree.map(partial(np.testing.assert_allclose, rtol=1e-6, atol=1e-6), gradients, other_gradients)
    assert np.isfinite(loss)
