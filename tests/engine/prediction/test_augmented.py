"""Test-time augmentation against a loop over augmentations, and the tasks that cannot have it."""

from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import jax
import numpy as np
import optax
import pytest
from PIL import Image
from scipy import special

from engine import outputs
from engine.commands import experiments
from engine.errors import UserError
from engine.interfaces import keys_by_row
from engine.parts import augmentation, mixing, segmentation
from engine.parts.classification import Classification
from engine.parts.supervised import Supervised
from engine.prediction import augmented, predictions, repeat
from engine.prediction.augmented import AugmentedData
from engine.prediction.predicted_data import OwnData
from engine.runs.run_folder import Run
from engine.sharding import Jit, PMap
from engine.training.checkpointing import best_state
from engine.training.checkpointing.checkpoints import Checkpoints
from engine.training.steps import AUGMENTATIONS, first_state, key
from engine.training.trainer import Trainer
from research.models.unet import UNet
from tests.conftest import HAS_EXAMPLES, Program, run_program, write_config
from tests.engine import tiny

pytestmark = pytest.mark.skipif(not HAS_EXAMPLES, reason='needs the examples')


@pytest.fixture(scope='module')
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run whose training shifts images and mixes them."""
    folder = tmp_path_factory.mktemp('augmented')
    lines = [
        f'{name} = {value}'
        for name, value in {
            'classification.Classification.augment': '@augmentation.Shift()',
            'augmentation.Shift.pixels': 2,
            'classification.Classification.mix': '@mixing.Mixup()',
        }.items()
    ]
    config = write_config(folder, *lines, STEPS='STEPS = 3')
    imports = 'import optax\nfrom engine.parts import augmentation\nfrom engine.parts import mixing'
    config.write_text(config.read_text().replace('import optax', imports))
    assert run_program('train', f'--gin_file={config}', f'--run={folder / "run"}') == 0
    assert run_program('predict', str(folder / 'run'), '--augmentations=3') == 0
    return folder / 'run'


@pytest.fixture(scope='module')
def trainer(run: Path) -> Any:
    return experiments.of_run(Run.find(str(run)), Trainer, False)[0]


@pytest.fixture(scope='module')
def state(run: Path, trainer: Any) -> Any:
    with Checkpoints(run / 'checkpoints', read_only=True) as checkpoints:
        kind, step = checkpoints.find('best')
        shapes = trainer.step_functions.state_shapes
        return best_state.restored(checkpoints, kind, step, [trainer.traced.predict], shapes)


def test_it_is_the_mean_over_the_augmentations_of_training(run: Path, trainer: Any, state: Any) -> None:
    examples, chances = trainer.data.split('test'), []
    images, indices = examples.arrays['image'], np.arange(len(examples), dtype=np.int32)
    for number in range(3):
        keys = keys_by_row(key(trainer.seed, AUGMENTATIONS, number), {'index': jax.numpy.asarray(indices)})
        shifted = augmentation.Shift(2)(keys, jax.numpy.asarray(images))
        assert not np.array_equal(shifted, images)
        batch = {'image': shifted, 'index': indices}
        logits = trainer.bound.predict(jax.device_get(state), batch)['logits']
        chances.append(special.softmax(np.asarray(logits, float), axis=1))
    saved = outputs.read(run / 'outputs/test+3augmentations')
    np.testing.assert_allclose(saved.arrays['probabilities'], np.mean(chances, axis=0), atol=1e-6)
    assert not np.allclose(chances[0], chances[1], atol=1e-4)
    np.testing.assert_array_equal(saved.arrays['labels'], examples.arrays['label'])
    np.testing.assert_array_equal(saved.arrays['inputs'], outputs.read(run / 'outputs/test').arrays['inputs'])
    manifest = saved.manifest
    assert (manifest.split, manifest.details['augmentations']) == ('test', '3')
    assert (manifest.step, manifest.checkpoint) == (3, 'best') and manifest.commits


OTHERS = [{'batch_size': 12}, {'parallelism': PMap()}, {'parallelism': Jit(data=1)}]


@pytest.mark.parametrize('changes', OTHERS)
def test_batches_and_devices_do_not_matter(
    changes: dict[str, Any], run: Path, trainer: Any, state: Any
) -> None:
    other = replace(trainer, **changes)
    part = AugmentedData(OwnData(other), other, 3).split('test')
    shardings = jax.tree.map(lambda leaf: leaf.sharding, other.step_functions.state_shapes)
    state = jax.device_put(jax.device_get(state), shardings)
    predicted = predictions.predict(
        part.predictor(), state, part.examples, other.batch_size, other.parallelism.mesh
    )
    saved = outputs.read(run / 'outputs/test+3augmentations').arrays['probabilities']
    np.testing.assert_allclose(predicted['probabilities'], saved, atol=1e-6)


def test_it_is_repeated_to_the_byte(run: Path, trainer: Any) -> None:
    found = dict(repeat.differences(trainer, run))
    assert found == dict.fromkeys(['test', 'test+3augmentations', 'val', 'val+3augmentations'], '')


def test_nothing_is_overwritten_and_comparisons_read_it(program: Program, run: Path) -> None:
    code, _, err = program('predict', str(run), '--augmentations=3')
    assert (code, 'Pass --overwrite' in err) == (2, True)
    code, out, _ = program('compare', str(run), '--split=test+3augmentations', '--resamples=100')
    assert (code, '20 examples' in out) == (0, True)
    code, _, err = program('predict', str(run), '--augmentations=0')
    assert (code, '--augmentations=0: it must be at least 1.' in err) == (2, True)


def test_other_images_without_labels(program: Program, run: Path, tmp_path: Path) -> None:
    (tmp_path / 'photos').mkdir()
    random = np.random.default_rng(0)
    for index in range(5):
        pixels = random.integers(0, 256, (8, 8), np.uint8)
        Image.fromarray(pixels).save(tmp_path / f'photos/{index}.png')
    code, out, err = program('predict', str(run), f'--dataset=images:{tmp_path}/photos', '--augmentations=2')
    assert code == 0, err
    folder = Path(out.splitlines()[-1].removeprefix('outputs: '))
    assert folder.name.endswith('+2augmentations')
    saved = outputs.read(folder)
    assert saved.arrays['probabilities'].shape == (5, 10) and 'labels' not in saved.arrays


# Tasks that cannot have it.


def predict(bound: Any, batch: Any) -> Any:
    """Traces the prediction under an augmentation."""
    state = jax.eval_shape(partial(first_state, bound), jax.random.key(0))
    return jax.eval_shape(bound.predict_augmented, state, batch, jax.random.key(0))


def test_an_augmentation_is_needed() -> None:
    bound = tiny.classification().bind(tiny.SPEC)
    with pytest.raises(UserError, match='Classification trains without a random augmentation'):
        predict(bound, tiny.batch(4))
    bound = tiny.classification(mix=mixing.Mixup()).bind(tiny.SPEC)
    with pytest.raises(UserError, match='Classification trains without a random augmentation'):
        predict(bound, tiny.batch(4))
    bound = tiny.classification(augment=augmentation.Shift()).bind(tiny.SPEC)
    assert predict(bound, tiny.batch(4))['logits'].shape == (4, 3)


def shifted(batch: Any, key: jax.Array) -> Any:
    return {**batch, 'image': augmentation.Shift()(keys_by_row(key, batch), batch['image'])}


@dataclass(frozen=True, kw_only=True)
class TwoViews(Classification):
    def augment_batch(self, batch: Any, key: jax.Array) -> Any:
        return {**super().augment_batch(batch, key), 'other_view': shifted(batch, key)['image']}


@dataclass(frozen=True, kw_only=True)
class TwoViewsAndOne(TwoViews):
    def augment_inputs(self, batch: Any, key: jax.Array) -> Any:
        return shifted(batch, key)


def test_a_subclass_says_how_its_own_augmentation_predicts() -> None:
    settings: dict[str, Any] = {'model': tiny.MODELS['mlp'], 'optimizer': optax.sgd, 'learning_rate': 0.1}
    bound = TwoViews(**settings, augment=augmentation.Shift()).bind(tiny.SPEC)
    with pytest.raises(UserError, match='TwoViews overrides `augment_batch` and inherits'):
        predict(bound, tiny.batch(4))
    assert predict(TwoViewsAndOne(**settings).bind(tiny.SPEC), tiny.batch(4))


def test_targets_that_move_are_refused() -> None:
    task = segmentation.Segmentation(
        model=partial(UNet, width=4, stages=1),
        optimizer=optax.sgd,
        learning_rate=0.1,
        augment=augmentation.Flip(),
    )
    examples = tiny.masked_examples(4).arrays
    batch = {**examples, 'index': np.arange(4, dtype=np.int32), 'valid': np.ones(4, bool)}
    with pytest.raises(UserError, match="Segmentation moves the target 'mask' together with the input"):
        predict(task.bind(tiny.MASK_SPEC), batch)


def test_other_bound_tasks_and_kinds() -> None:
    experiment: Any = SimpleNamespace(bound=object(), task=Supervised)
    with pytest.raises(UserError, match='has no method `predict_augmented'):
        augmented.trace(experiment, {})
