"""A task on images of varying size predicts each in its own size, from data to evaluation."""

import json
import textwrap
from pathlib import Path

import numpy as np
import pytest

from engine import errors, outputs
from engine.datasets.load import load
from engine.datasets.reading import images
from engine.training import trainer
from tests.conftest import Program
from tests.engine.training.equal_runs import assert_equal_files, predictions, stop_after

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
                'image': tf.Image(shape=(None, None, 3)),
                'size': tf.Tensor(shape=(2,), dtype=np.int32),
            }))

        def _split_generators(self, manager):
            return {name: self._generate_examples(seed, n) for seed, (name, n) in enumerate(SIZES.items())}

        def _generate_examples(self, seed, count):
            random = np.random.default_rng(seed)
            for index in range(count):
                height, width = size = random.integers(12, 33, 2)
                file = io.BytesIO()
                Image.fromarray(random.integers(0, 256, (height, width, 3), np.uint8)).save(file, 'PNG')
                file.seek(0)
                yield index, {'image': file, 'size': size.astype(np.int32)}

    SIZES = {'train': 12, 'val': 5, 'test': 6}
"""
CONFIG = """
    from __gin__ import dynamic_registration
    from engine.parts import crops
    from engine.training import trainer
    from tests.engine.outputs.pictures import varying_tasks
    import optax

    trainer.Trainer:
      dataset = 'sizes'
      task = @varying_tasks.Restoration()
      steps = 3
      batch_size = 4
      evaluate_every = 3
      save_every = 1
      decode = @crops.Whole()

    crops.Whole.size = 32
    crops.Whole.enlarge = False
    crops.Whole.workers = 0

    varying_tasks.Restoration:
      model = @varying_tasks.Pixelwise
      optimizer = @optax.adam
      learning_rate = 0.01
"""


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr('engine.workspace.REPOSITORY', tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setenv('WORKSPACE', str(tmp_path / 'workspace'))
    folder = tmp_path / 'data/sizes'
    folder.mkdir(parents=True)
    (folder / 'sizes_dataset_builder.py').write_text(textwrap.dedent(BUILDER))
    (tmp_path / 'pyproject.toml').write_text('[project]\nname = "it"\n')
    path = tmp_path / 'it.gin'
    path.write_text(textwrap.dedent(CONFIG))
    return path


def test_images_are_predicted_in_their_own_sizes(config: Path, program: Program, tmp_path: Path) -> None:
    run, other = tmp_path / 'run', tmp_path / 'other'
    code, out, err = program('train', f'--gin_file={config}', f'--run={run}')
    assert code == 0, out + err
    saved, test = outputs.read(run / 'outputs/test'), load('sizes').split('test')
    assert [image.shape for image in saved.arrays['images']] == [(*size, 3) for size in test.arrays['size']]
    for target, data in zip(saved.arrays['targets'], test.encoded['image'], strict=True):
        np.testing.assert_array_equal(target, images.whole(data, 3))
    assert not (run / 'outputs/test/images/images').exists()
    code, out, err = program('evaluate', str(run / 'outputs/test'))
    assert code == 0, out + err
    psnr = json.loads((run / 'outputs/test/evaluation/metrics.json').read_text())['metrics']['psnr']['value']
    errors_of = [
        (one.astype(float) - two) ** 2
        for one, two in zip(saved.arrays['images'], saved.arrays['targets'], strict=True)
    ]
    assert psnr == pytest.approx(
        np.mean([10 * np.log10(255**2 / each.mean()) for each in errors_of]), abs=1e-9
    )

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(trainer.MetricLogger, 'log_steps', stop_after(1))
        assert program('train', f'--gin_file={config}', f'--run={other}')[0] == errors.EXIT_INTERRUPTED
    assert program('train', f'--run={other}')[0] == 0
    assert len([name for name in predictions(run) if name.endswith('.png')]) == 2 * (5 + 6)
    assert_equal_files(run, other, predictions(run))


def test_too_little_room_is_refused_before_training(config: Path, program: Program) -> None:
    config.write_text(config.read_text().replace('size = 32', 'size = 16'))
    code, _, err = program('train', f'--gin_file={config}', '--dry_run')
    assert code == 2
    assert 'but images has room for a height from 1 to 16 and a width from 1 to 16' in err
