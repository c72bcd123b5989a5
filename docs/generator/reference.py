"""The reference of all parameters: a page for each group of classes and functions that configs bind.

The text of the pages comes from the docstrings, by mkdocstrings. The pages of `research/` list what is there.
"""

import ast
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

from docs.generator.repository_pages import with_rank
from engine.workspace import REPOSITORY

RESEARCH = 'reference/research'  # where the pages of the project's own code are
RANK = 2  # in the search: who looks for a parameter wants its meaning first
Definition = ast.ClassDef | ast.FunctionDef


@dataclass(frozen=True)
class Group:
    """A page of the reference.

    Attributes:
      title: its heading.
      text: what these objects have in common.
      objects: classes and functions, by the names that configs and code import.
      shows_methods: whether methods are shown: where a class is derived from, or a protocol.
    """

    title: str
    text: str
    objects: tuple[str, ...]
    shows_methods: bool = False

    def markdown(self) -> str:
        """Returns the page, which mkdocstrings completes."""
        by_module = groupby(self.objects, lambda name: name.rpartition('.')[0])
        parts = [_module(module, list(names), self.shows_methods) for module, names in by_module]
        return f'# {self.title}\n\n{self.text}\n\n' + '\n'.join(parts)


GROUPS = {
    'trainer': Group(
        'Trainer',
        'The root of every config: what is trained, on what, for how long, and what is evaluated and saved.',
        (
            'engine.training.trainer.Trainer',
            'engine.training.validation.evaluation_set.EvaluationSet',
            'engine.parts.stopping.Patience',
            'engine.sharding.Jit',
            'engine.sharding.PMap',
            'engine.runs.watchdog.Watchdog',
        ),
    ),
    'batches': Group(
        'Images: decoding, augmentation, scaling',
        'What happens to images on their way from the dataset to the network.',
        (
            'engine.parts.crops.Crops',
            'engine.parts.crops.Whole',
            'engine.parts.augmentation.Shift',
            'engine.parts.augmentation.Crop',
            'engine.parts.augmentation.Flip',
            'engine.parts.augmentation.ColorJitter',
            'engine.parts.augmentation.RandAugment',
            'engine.parts.augmentation.RandomErasing',
            'engine.parts.augmentation.Chain',
            'engine.parts.mixing.Mixup',
            'engine.parts.mixing.CutMix',
            'engine.parts.scaling.PerChannel',
            'engine.parts.scaling.scaled',
        ),
    ),
    'datasets': Group(
        'Datasets made of others',
        'Values of `trainer.Trainer.dataset`. [Data](../data.md#datasets-made-of-others) shows examples.',
        (
            'engine.parts.datasets.Mixture',
            'engine.parts.datasets.Named',
            'engine.parts.datasets.Fold',
            'engine.parts.datasets.First',
        ),
    ),
    'orders': Group(
        'Orders of examples',
        'Values of `trainer.Trainer.order`. [The order of training examples](../orders.md) compares them.',
        (
            'engine.parts.orders.Shuffled',
            'engine.parts.orders.Weighted',
            'engine.parts.orders.Balanced',
            'engine.parts.orders.Curriculum',
            'engine.parts.orders.Sequential',
        ),
    ),
    'tasks': Group(
        'Tasks and losses',
        'Values of `trainer.Trainer.task`. [Tasks](../tasks.md) says how to write your own.',
        (
            'engine.parts.classification.Classification',
            'engine.parts.segmentation.Segmentation',
            'engine.parts.regression.Regression',
            'engine.parts.language.Language',
            'engine.parts.language.Sampling',
            'engine.parts.losses.cross_entropy',
            'engine.parts.losses.dice',
            'engine.parts.losses.cross_entropy_and_dice',
        ),
    ),
    'optimizers': Group(
        'Optimizers',
        'What the template adds to the optimizers of Optax, which configs bind as they are: `@optax.adamw`. '
        '[Optimizers](../optimizers.md) shows examples.',
        ('engine.parts.optimizers.Groups', 'engine.parts.optimizers.Chained'),
    ),
    'start': Group(
        'Trained variables, and models of Linen',
        'Where a training starts from, and how a Linen module becomes a model.',
        (
            'engine.parts.pretrained.Pretrained',
            'engine.parts.pretrained.PyTorch',
            'engine.parts.linen.Linen',
        ),
    ),
    'observers': Group(
        'Observers',
        'Parts of `trainer.Trainer.observers`. They watch a training and change nothing. '
        '[Observers of your own](../observers.md) says how to write one.',
        (
            'engine.training.observers.progress.Progress',
            'engine.training.observers.tensorboard.TensorBoard',
            'engine.training.observers.performance.Performance',
            'engine.training.observers.first_batch.FirstBatch',
        ),
    ),
    'evaluator': Group(
        'Evaluator',
        'What configs of `scripts/eval.sh` bind. [Metrics of your own](../metrics.md) shows one.',
        (
            'engine.evaluation.evaluator.Evaluator',
            'engine.kinds.classification.evaluate.ClassificationEvaluation',
            'engine.kinds.detection.evaluate.DetectionEvaluation',
            'engine.kinds.embeddings.evaluate.EmbeddingsEvaluation',
            'engine.kinds.multilabel.evaluate.MultilabelEvaluation',
            'engine.kinds.texts.evaluate.TextsEvaluation',
        ),
    ),
    'hooks': Group(
        'Hooks of a supervised task',
        'What a task of your own inherits, and the methods that it may override.',
        ('engine.parts.supervised.Supervised',),
        shows_methods=True,
    ),
    'interfaces': Group(
        'Interfaces',
        'What the engine and your code agree on.',
        (
            'engine.interfaces.Spec',
            'engine.interfaces.Description',
            'engine.interfaces.BoundTask',
            'engine.interfaces.Task',
            'engine.interfaces.average',
            'engine.interfaces.keys_by_row',
            'engine.interfaces.across_devices',
            'engine.interfaces.is_per_device',
            'engine.interfaces.gathered',
        ),
        shows_methods=True,
    ),
}


def groups() -> dict[str, Group]:
    """Returns all pages, by uri: those of the engine, and one for each folder of research/."""
    engine = {f'reference/{name}.md': group for name, group in GROUPS.items()}
    folders = sorted(path for path in (REPOSITORY / 'research').glob('*/') if path.name != '__pycache__')
    own = {f'{RESEARCH}/{folder.name}.md': group_of(folder) for folder in folders}
    return engine | {uri: group for uri, group in own.items() if group.objects}


def pages() -> dict[str, str]:
    """Returns the Markdown of all pages, by uri."""
    return {uri: with_rank(group.markdown(), RANK) for uri, group in groups().items()}


def places() -> dict[str, str]:
    """Returns the page and the place of each class and function, by its name in configs."""
    objects = ((uri, name) for uri, group in reversed(groups().items()) for name in group.objects)
    return {'.'.join(name.split('.')[-2:]): f'{uri}#{name}' for uri, name in objects}


def group_of(folder: Path) -> Group:
    """Returns the page of a folder of research/: what its modules document."""
    title = f'{folder.name.capitalize()} of this project'
    modules = sorted(path for path in folder.rglob('*.py') if not path.name.startswith('_'))
    objects = [f'{_dotted(module)}.{name}' for module in modules for name in documented(module)]
    return Group(title, f'What is in `research/{folder.name}/`.', tuple(objects))


def _dotted(module: Path) -> str:
    return '.'.join(module.relative_to(REPOSITORY).with_suffix('').parts)


def documented(module: Path) -> list[str]:
    """Returns the public classes and functions of a module that describe their parameters.

    A module without classes is a collection of functions to choose from: all that have a docstring count.
    """
    tree = ast.parse(module.read_text(encoding='utf-8'))
    nodes = [node for node in tree.body if isinstance(node, Definition) and not node.name.startswith('_')]
    texts = {node.name: ast.get_docstring(node) or '' for node in nodes}
    has_classes = any(isinstance(node, ast.ClassDef) for node in nodes)
    return [name for name, text in texts.items() if text and ('Args:' in text or not has_classes)]


def _module(module: str, names: Iterable[str], shows_methods: bool) -> str:
    """Returns the section of a module: its import, as a config writes it, and its objects."""
    package, _, name = module.rpartition('.')
    objects = [_object(name, full, _methods(full) if shows_methods else []) for full in names]
    return f'## {module.partition(".")[2]}\n\n```gin\nfrom {package} import {name}\n```\n\n' + '\n'.join(
        objects
    )


def _object(module: str, full: str, methods: list[str]) -> str:
    """Returns what mkdocstrings replaces by the documentation of an object."""
    name = full.rpartition('.')[2]
    shown = f'      members: [{", ".join(methods)}]\n      show_signature: true\n' if methods else ''
    return f'::: {full}\n    options:\n      heading: {module}.{name}\n      toc_label: {name}\n{shown}'


def _methods(full: str) -> list[str]:
    """Returns the public methods of a class, in their order."""
    module, _, name = full.rpartition('.')
    tree = ast.parse((REPOSITORY / f'{module.replace(".", "/")}.py').read_text(encoding='utf-8'))
    bodies = [node.body for node in tree.body if isinstance(node, ast.ClassDef) and node.name == name]
    names = [node.name for body in bodies for node in body if isinstance(node, ast.FunctionDef)]
    return [name for name in names if not name.startswith('_')]
