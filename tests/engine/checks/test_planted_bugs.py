"""`check.sh` finds each planted bug by the stated check, and passes an experiment without bugs.

Bugs are planted in a small network on the toy digits, in the places where people make them.
"""

import dataclasses
import json
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from flax import nnx

from engine.checks import catalogue, exceptions
from engine.checks.experiment_under_test import ExperimentUnderTest
from engine.checks.finding import EXCUSED, FAIL, PASS, Finding
from engine.datasets.load import load
from engine.datasets.reading.dataset import Dataset, Examples
from engine.errors import UserError
from engine.interfaces import VALID, average
from engine.parts.augmentation import Shift
from engine.parts.classification import Classification
from engine.parts.supervised import BoundSupervised
from engine.training import steps
from engine.training.experiment import Experiment
from research.models.mlp import MLP

SMALL = partial(MLP, width=32, depth=1, dropout=0.1)


@pytest.fixture(scope='module', autouse=True)
def compiled_programs_are_kept(workspace: Path) -> None:
    steps.use_compilation_cache()


def experiment(task: Any = Classification, dataset: str = 'digits/toy', **arguments: Any) -> Experiment:
    settings: dict[str, Any] = {
        'model': SMALL,
        'optimizer': optax.adamw,
        'learning_rate': 3e-3,
        'augment': Shift(1),
    }
    return Experiment(dataset=dataset, task=task(**(settings | arguments)), steps=100, batch_size=16)


def run_checks(planted: Experiment, *checks: str) -> dict[str, Finding]:
    return dict(catalogue.run(ExperimentUnderTest(planted), {}, checks))


# Bugs in the task.


@dataclass(frozen=True, kw_only=True)
class Changed(Classification):
    """A task whose bound form is another class."""

    kind: Any = BoundSupervised

    def bind(self, spec: Any) -> Any:
        bound = super().bind(spec)
        return self.kind(**{field.name: getattr(bound, field.name) for field in dataclasses.fields(bound)})


class SoftmaxTwice(Classification):
    def per_example(self, output: Any, batch: Any) -> Any:
        return super().per_example(jax.nn.softmax(output), batch)


class WrongSign(Classification):
    def per_example(self, output: Any, batch: Any) -> Any:
        return {name: -values for name, values in super().per_example(output, batch).items()}


class OffByOne(Classification):
    def per_example(self, output: Any, batch: Any) -> Any:
        return super().per_example(output, {**batch, 'label': (batch['label'] + 1) % output.shape[-1]})


class ForgotOneClass(Classification):
    """Labels that begin at 1: the last one falls off the end."""

    def per_example(self, output: Any, batch: Any) -> Any:
        return super().per_example(output, {**batch, 'label': batch['label'] + 1})


class LabelsBySomeOtherRow(Classification):
    """Augmentation that shuffles images and forgets their labels."""

    def augment_batch(self, batch: Any, key: Any) -> Any:
        batch = super().augment_batch(batch, key)
        return {**batch, 'image': jax.random.permutation(key, batch['image'])}


class Bytes(Classification):
    def inputs(self, batch: Any) -> Any:
        return (super().inputs(batch) + 1) * 127.5


class ScaledTwice(Classification):
    def inputs(self, batch: Any) -> Any:
        return (super().inputs(batch) + 1) / 127.5


class ScaledInTrainingAlone(Classification):
    def augment_batch(self, batch: Any, key: Any) -> Any:
        return {**batch, 'image': super().inputs(super().augment_batch(batch, key))}

    def inputs(self, batch: Any) -> Any:
        return batch['image'].astype(jnp.float32)


class AugmentedEvaluation(Classification):
    def inputs(self, batch: Any) -> Any:
        return super().inputs(self.augment_batch(batch, jax.random.key(0)))


class LabelInTheImage(Classification):
    def inputs(self, batch: Any) -> Any:
        return super().inputs(batch).at[:, 0, 0, 0].set(batch['label'].astype(jnp.float32) / 5.0 - 1)


class DropoutInEvaluation(BoundSupervised):
    def _model(self, state: Any) -> Any:
        params, model_state = state['params'], state['model_state']
        return lambda x: self.network(params, model_state, x, key=jax.random.key(0))[0]


class MeanOfTheBatch(BoundSupervised):
    def evaluate(self, state: Any, batch: Any) -> Any:
        measures = self.task.per_example(self._model(state)(self.task.inputs(batch)), batch)
        return {name: average(values.mean()[None]) for name, values in measures.items()}


class PaddingCounts(BoundSupervised):
    def evaluate(self, state: Any, batch: Any) -> Any:
        return super().evaluate(state, {**batch, VALID: jnp.ones_like(batch[VALID])})


class HiddenRandomness(BoundSupervised):
    def init_model(self, key: Any) -> Any:
        return super().init_model(jax.random.key(np.random.randint(2**31)))


class SumOverTheBatch(BoundSupervised):
    """Each device adds up the rows that it has."""

    def update(self, state: Any, batch: Any, key: Any) -> Any:
        state, metrics = super().update(state, batch, key)
        shift = 1e-3 * batch['label'].astype(jnp.float32).sum()
        return state | {'params': jax.tree.map(lambda x: x + shift, state['params'])}, metrics


# Bugs in the model.


class Model(nnx.Module):
    """An MLP that subclasses spoil."""

    def __init__(self, input_shape: Any, outputs: int, *, rngs: nnx.Rngs):
        self.hidden = nnx.Linear(int(np.prod(input_shape)), 32, rngs=rngs)
        self.output = nnx.Linear(32, outputs, rngs=rngs)

    def __call__(self, x: jax.Array) -> jax.Array:
        return self.output(nnx.relu(self.hidden(x.reshape(len(x), -1))))


class Frozen(Model):
    def __call__(self, x: jax.Array) -> jax.Array:
        return self.output(jax.lax.stop_gradient(nnx.relu(self.hidden(x.reshape(len(x), -1)))))


class Mixed(Model):
    def __call__(self, x: jax.Array) -> jax.Array:
        return super().__call__(jnp.moveaxis(x, 0, -1).reshape(x.shape))


class Dead(Model):
    def __call__(self, x: jax.Array) -> jax.Array:
        return self.output(nnx.relu(self.hidden(x.reshape(len(x), -1)) - 100))


class Loud(Model):
    def __call__(self, x: jax.Array) -> jax.Array:
        return 30 * super().__call__(x)


class BatchStatistics(Model):
    def __call__(self, x: jax.Array) -> jax.Array:
        return super().__call__(x - x.mean(0, keepdims=True))


def first_layer_masked(learning_rate: Any) -> optax.GradientTransformation:
    """Trains the last layer alone."""

    def names(params: Any) -> Any:
        return {name: 'train' if name == 'output' else 'leave' for name in params}

    return optax.multi_transform({'train': optax.adamw(learning_rate), 'leave': optax.set_to_zero()}, names)


# Bugs in the data.


class ChangedDataset:
    """A dataset with one field of one split changed."""

    def __init__(self, data: Dataset, split: str, change: Callable[[Any], Any]):
        self._data, self._split, self._change = data, split, change

    def __getattr__(self, name: str) -> Any:
        return getattr(self._data, name)

    def split(self, name: str) -> Examples:
        examples = self._data.split(name)
        return Examples(examples.ids, self._change(examples.arrays)) if name == self._split else examples


def on_changed_data(split: str, change: Callable[[Any], Any], dataset: str = 'digits') -> Experiment:
    planted = experiment(dataset=dataset)
    planted.__dict__['data'] = ChangedDataset(load(dataset), split, change)
    return planted


def labels_shuffled(arrays: Any) -> Any:
    return arrays | {'label': np.random.default_rng(0).permutation(arrays['label'])}


def copy_of_training(arrays: Any) -> Any:
    train = load('digits/toy').split('train').arrays
    return {name: array[: len(arrays[name])] for name, array in train.items()}


BUGS: dict[str, tuple[Callable[[], Experiment], str]] = {
    'softmax twice': (lambda: experiment(SoftmaxTwice), 'overfit_one_batch'),
    'a loss of the wrong sign': (lambda: experiment(WrongSign), 'overfit_one_batch'),
    'targets off by one': (lambda: experiment(OffByOne), 'overfit_one_batch'),
    'labels that begin at 1': (lambda: experiment(ForgotOneClass), 'overfit_one_batch'),
    'images shuffled without their labels': (lambda: experiment(LabelsBySomeOtherRow), 'overfit_one_batch'),
    'inputs scaled in training alone': (lambda: experiment(ScaledInTrainingAlone), 'overfit_one_batch'),
    'inputs not scaled': (lambda: experiment(Bytes), 'network_inputs'),
    'inputs scaled twice': (lambda: experiment(ScaledTwice), 'network_inputs'),
    'randomness by the batch': (lambda: experiment(LabelsBySomeOtherRow), 'augmentation'),
    'dropout in evaluation': (lambda: experiment(Changed, kind=DropoutInEvaluation), 'batch_independence'),
    'augmentation in evaluation': (lambda: experiment(AugmentedEvaluation), 'batch_independence'),
    'a reshape that mixes the batch': (lambda: experiment(model=Mixed), 'batch_independence'),
    'batch statistics in evaluation': (lambda: experiment(model=BatchStatistics), 'batch_independence'),
    'the label in the image': (lambda: experiment(LabelInTheImage), 'label_leakage'),
    'a mean over the batch': (lambda: experiment(Changed, kind=MeanOfTheBatch), 'evaluation'),
    'padding that counts': (lambda: experiment(Changed, kind=PaddingCounts), 'evaluation'),
    'a layer cut off by stop_gradient': (lambda: experiment(model=Frozen), 'gradients'),
    'a layer that the optimizer masks': (lambda: experiment(optimizer=first_layer_masked), 'gradients'),
    'a dead ReLU': (lambda: experiment(model=Dead), 'outputs'),
    'logits too large': (lambda: experiment(model=Loud), 'first_loss'),
    'randomness not from the key': (lambda: experiment(Changed, kind=HiddenRandomness), 'repeats'),
    'a sum over the rows of a device': (
        lambda: experiment(Changed, kind=SumOverTheBatch, model=Model),  # no dropout, which would excuse it
        'devices',
    ),
    'a loss that is not finite': (lambda: experiment(learning_rate=1e30), 'steps'),
    'validation examples in training': (
        lambda: on_changed_data('val', copy_of_training, 'digits/toy'),
        'splits',
    ),
    'labels of training shuffled': (lambda: on_changed_data('train', labels_shuffled), 'input_ablation'),
    'labels of validation shuffled': (lambda: on_changed_data('val', labels_shuffled), 'input_ablation'),
    'augmentation that leaves nothing': (
        lambda: experiment(dataset='digits', augment=Shift(60)),
        'input_ablation',
    ),
    'a learning rate 1000 times too large': (
        lambda: experiment(dataset='digits', learning_rate=3.0),
        'learning_rate',
    ),
    'a learning rate 1000 times too small': (
        lambda: experiment(dataset='digits', learning_rate=3e-6),
        'learning_rate',
    ),
}


@pytest.mark.parametrize('bug', BUGS)
def test_a_planted_bug_fails_its_check(bug: str) -> None:
    plant, check = BUGS[bug]
    finding = run_checks(plant(), check)[check]
    assert finding.verdict == FAIL, finding
    assert finding.advice
    assert 'The check could not run' not in finding.advice


@cache
def findings_without_bugs() -> dict[str, Finding]:
    return run_checks(experiment(dataset='digits'), *catalogue.ALL)


@pytest.mark.parametrize('check', catalogue.ALL)
def test_an_experiment_without_bugs_passes(check: str) -> None:
    assert findings_without_bugs()[check].verdict == PASS, findings_without_bugs()[check]


def test_each_check_has_a_planted_bug() -> None:
    assert set(catalogue.ALL) - {check for _, check in BUGS.values()} == {'builds', 'resumes'}


# Exceptions that a config states, and the command.


def config_stating(folder: Path, line: str) -> Path:
    path = folder / 'some.gin'
    path.write_text(f'# Some experiment.\n#   {line}\n')
    return path


def test_a_config_excuses_a_failed_check(tmp_path: Path) -> None:
    path = config_stating(tmp_path, 'exception: overfit_one_batch - half of the labels are noise')
    assert exceptions.stated(path, catalogue.ALL) == {'overfit_one_batch': 'half of the labels are noise'}
    failed = Finding(FAIL, 'result', 'advice')
    assert catalogue.excused(failed, 'on purpose') == Finding(EXCUSED, 'result', 'on purpose')
    assert catalogue.excused(failed, '') == failed


@pytest.mark.parametrize(
    ('line', 'message'),
    [
        (
            'exception: overfit_a_batch - on purpose',
            "there is no check 'overfit_a_batch'. Did you mean 'overfit_one_batch'",
        ),
        ('exception: overfit_one_batch', 'state the reason'),
    ],
)
def test_an_exception_needs_a_check_and_a_reason(line: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=message):
        exceptions.stated(config_stating(tmp_path, line), catalogue.ALL)


def test_the_check_command_writes_a_report(config_file: Any, program: Any, tmp_path: Path) -> None:
    folder = tmp_path / 'checks'
    shifted = (
        'from engine.parts import augmentation',
        'classification.Classification.augment = @augmentation.Shift()',
    )
    code, out, _ = program('check', f'--gin_file={config_file(*shifted)}', f'--output={folder}')
    findings = json.loads((folder / 'findings.json').read_text())['checks']
    assert list(findings) == list(catalogue.ALL)
    assert code == any(finding['verdict'] == FAIL for finding in findings.values())
    assert out.splitlines()[-1] == f'report: {folder / "report.md"}'
    pictures = {path.name for path in folder.glob('*.png')}
    assert {'augmentations.png', 'learning_rate.png'} <= pictures
    assert all((folder / f'learning_rate.{suffix}').is_file() for suffix in ('svg', 'pdf'))
    assert all(name in (folder / 'report.md').read_text() for name in pictures)
    assert program('check', f'--gin_file={config_file()}', f'--output={folder}')[0] == 2
