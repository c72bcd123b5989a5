"""A project from the fork on: what a researcher adds, trains and evaluates, and then newer templates."""

import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import numpy as np
from PIL import Image

from engine.forks.repository import Repository
from engine.forks.template import version_name
from engine.workspace import REPOSITORY
from tests.engine.forks.forked import OWN, append, call, commit_all, edit, files, forked, updated

BUILDER = '''
"""TFDS builder of `leaves`: bright and dark ones."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import tensorflow_datasets as tfds

HERE = Path(__file__).parent
SPLITS = {'train': range(0, 12), 'val': range(12, 16), 'test': range(16, 20)}


class Builder(tfds.core.GeneratorBasedBuilder):
    """Builds `full` and `toy` from the same 20 photographs."""

    VERSION = tfds.core.Version('1.0.0')
    BUILDER_CONFIGS = [tfds.core.BuilderConfig(name=name) for name in ('full', 'toy')]  # noqa: RUF012

    def raw_examples(self) -> dict[str, list[tuple[str, Path, str]]]:
        """Returns id, image and label of each example by split."""
        folder = Path(self.data_dir_root).parent / str(self.builder_config_name)
        shutil.copytree(HERE / 'toy', folder, dirs_exist_ok=True)
        files = {int(path.stem.split('-')[0]): path for path in folder.glob('*.jpg')}
        return {
            split: [(files[i].stem, files[i], files[i].stem.split('-')[1]) for i in numbers]
            for split, numbers in SPLITS.items()
        }

    def _info(self) -> tfds.core.DatasetInfo:
        features = {
            'image': tfds.features.Image(shape=(16, 16, 3), encoding_format='jpeg'),
            'label': tfds.features.ClassLabel(names=['bright', 'dark']),
            'id': tfds.features.Text(),
        }
        return self.dataset_info_from_configs(
            features=tfds.features.FeaturesDict(features), disable_shuffling=True
        )

    def _split_generators(self, dl_manager: tfds.download.DownloadManager) -> dict[str, Iterator]:
        return {split: self._generate_examples(rows) for split, rows in self.raw_examples().items()}

    def _generate_examples(self, examples: list[tuple[str, Path, str]]) -> Iterator[tuple[str, dict]]:
        for identity, path, label in examples:
            yield identity, {'image': path, 'label': label, 'id': identity}
'''

MODEL = '''
"""One linear layer."""

import math

import jax
from flax import nnx


class Linear(nnx.Module):
    """One matrix, for images of any shape."""

    def __init__(self, input_shape: tuple[int, ...], outputs: int, *, rngs: nnx.Rngs):
        self.output = nnx.Linear(math.prod(input_shape), outputs, rngs=rngs)

    def __call__(self, x: jax.Array) -> jax.Array:
        """Returns logits f32 [B, outputs] for x f32 [B, ...]."""
        return self.output(x.reshape(x.shape[0], -1))
'''

TASK = '''
"""One against the rest: a yes or no for each class."""

from dataclasses import dataclass

import jax
import jax.numpy as jnp
import optax
from flax import nnx

from engine.interfaces import Batch, Description, Spec
from engine.parts.supervised import Supervised


@dataclass(frozen=True, kw_only=True)
class OneAgainstRest(Supervised):
    """Binary cross-entropy, summed over the classes, on `image` and `label`."""

    def build(self, spec: Spec, rngs: nnx.Rngs) -> nnx.Module:
        """Returns the model for a dataset."""
        shape = spec.example['image'].shape
        return self.model(input_shape=shape, outputs=len(spec.class_names['label']), rngs=rngs)

    def inputs(self, batch: Batch, key: jax.Array | None = None) -> jax.Array:
        """Returns images f32 [B, H, W, C] between -1 and 1."""
        return batch['image'].astype(jnp.float32) / 127.5 - 1

    def per_example(self, output: jax.Array, batch: Batch) -> dict[str, jax.Array]:
        """Returns the loss of each example, f32 [B]."""
        targets = jax.nn.one_hot(batch['label'], output.shape[-1])
        return {'loss': optax.sigmoid_binary_cross_entropy(output, targets).sum(-1)}

    def predictions(self, output: jax.Array, batch: Batch) -> dict[str, jax.Array]:
        """Returns the logits f32 [B, classes]."""
        return {'logits': output.astype(jnp.float32)}

    def describe(self) -> Description:
        """Returns what the outputs manifest says of the predictions."""
        return Description('classification', {'logits': 'log-odds of each class'}, {'labels': 'label'})
'''

CONFIG = """
# Leaves, one linear layer: is a leaf bright or dark?
#   scripts/train.sh --gin_file=configs/leaves.gin

include 'base.gin'
from __gin__ import dynamic_registration
from engine.training import trainer
from research.heads import linear
from research.tasks import one_against_rest
import optax

STEPS = 20                         # steps
BATCH_SIZE = 4                     # examples

trainer.Trainer:
  dataset = 'leaves'
  task = @one_against_rest.OneAgainstRest()

one_against_rest.OneAgainstRest:
  model = @linear.Linear
  optimizer = @optax.adamw
  learning_rate = 1e-3
"""

ADDED = {
    'data/leaves/leaves_dataset_builder.py': BUILDER,
    'research/heads/linear.py': MODEL,
    'research/tasks/one_against_rest.py': TASK,
    'configs/leaves.gin': CONFIG,
}


def add_research(project: Repository) -> set[str]:
    """Adds a dataset, a model, a task and a config; returns the new files."""
    for path, text in ADDED.items():
        append(project, path, text.lstrip())
    toy = project.root / 'data/leaves/toy'
    toy.mkdir()
    for i in range(20):
        noise = np.random.default_rng(i).integers(0, 100, (16, 16, 3), np.uint8)
        bright = i % 2 == 0
        Image.fromarray(noise + 100 * np.uint8(bright)).save(
            toy / f'{i}-{"bright" if bright else "dark"}.jpg'
        )
    # As near to an example as a file can be: git must not take it for that, moved.
    (project.root / 'data/leaves/CITATIONS.bib').write_bytes(
        (REPOSITORY / 'data/digits/CITATIONS.bib').read_bytes()
    )
    return {path.relative_to(project.root).as_posix() for path in toy.iterdir()} | {
        *ADDED,
        'data/leaves/CITATIONS.bib',
    }


def renew(template: Repository, version: str) -> None:
    """Commits a later version of the template, in which all changes that a project may have or lack."""
    edit(template, 'pyproject.toml', lambda text: re.sub(r'(?<=\nversion = ).*', f'"{version}"', text))
    append(template, 'pyproject.toml', f'\n[tool.new-{version.replace(".", "-")}]\n')
    for path in (
        *OWN,
        'data/digits/CITATIONS.bib',
        'research/models/mlp.py',
        'tests/engine/commands/test_train.py',
    ):
        append(template, path, f'# {version}\n')
    append(template, 'engine/training/trainer.py', f'# {version}\n')
    for path in ('engine/new.py', 'configs/new.gin', 'data/new/README.md', 'tests/data/test_new.py'):
        append(template, path, f'# {version}\n')
    if (template.root / 'configs/digits_mlp.gin').exists():
        template.git('mv', 'configs/digits_mlp.gin', 'configs/renamed.gin')
    commit_all(template)


def contents(project: Repository, paths: set[str]) -> dict[str, bytes]:
    return {path: (project.root / path).read_bytes() for path in paths}


def run_tests(project: Repository) -> None:
    """Runs the project's tests, without the checks of style and types, and asserts that they pass."""
    command = [sys.executable, '-m', 'pytest', '--numprocesses=0']
    environment = os.environ | {'PYTHONPATH': str(project.root)}
    done = subprocess.run(
        command, cwd=project.root, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_project_of_ones_own(template: Repository, workspace: Path) -> None:
    project = forked(template, '--examples=drop')
    run_tests(project)

    added = add_research(project)
    status = project.lines('status', '--porcelain', '--untracked-files=all', '-z')
    assert set(status) == {f'?? {path}' for path in added}
    commit_all(project)

    code, out, err = call(project.root, 'train.sh', '--gin_file=petals/configs/leaves.gin')
    assert code == 0, err
    run = Path(out.splitlines()[-1].removeprefix('run: '))
    assert run.parent == workspace / 'runs/petals/leaves'
    code, out, err = call(project.root, 'eval.sh', str(run / 'outputs/test'))
    assert (code, 'leaves, test, 4 examples, petals' in out) == (0, True), err
    code, out, err = call(project.root, 'test.sh', '--numprocesses=0')
    assert code == 0, out + err

    mine = contents(project, {*OWN, *added})
    for version in ('0.2.0', '0.3.0'):
        before = files(project)
        renew(template, version)
        new = template.git('rev-parse', 'HEAD')
        assert updated(project).startswith(f'Merged {version_name(template, new)}.')
        assert project.git('rev-parse', 'HEAD^2') == new
        assert project.git('status', '--porcelain') == ''
        assert files(project) == before | {'engine/new.py'}
        assert contents(project, set(mine)) == mine
        theirs = {'engine/training/trainer.py', 'engine/new.py', 'tests/engine/commands/test_train.py'}
        assert contents(project, theirs) == contents(template, theirs)
        settings = tomllib.loads((project.root / 'pyproject.toml').read_text())
        assert [settings['project'][key] for key in ('name', 'version')] == ['petals', '0.1.0']
        assert f'new-{version.replace(".", "-")}' in settings['tool']
    assert updated(project).startswith('Nothing is new: ')
