"""A small problem to test with: images of three classes, tasks on them, and their compiled steps."""

from functools import partial
from typing import Any

import jax
import numpy as np
import optax
from flax import nnx

from engine.datasets.orders.order import MAIN, Part, PartStreams
from engine.datasets.orders.streams import BlockStream, shuffled
from engine.datasets.reading.dataset import Dataset, Examples
from engine.interfaces import BoundTask, Spec
from engine.parts.classification import Classification
from engine.sharding import Parallelism
from engine.training.batches.evaluation import evaluation_batches
from engine.training.batches.source import BatchSource
from engine.training.batches.training import PartOrder
from engine.training.steps import StepFunctions, TracedSteps
from research.models.convnet import ConvNet
from research.models.mlp import MLP

IMAGE, CLASSES = (4, 4, 1), ('a', 'b', 'c')
SPEC = Spec(
    {'image': jax.ShapeDtypeStruct(IMAGE, np.uint8), 'label': jax.ShapeDtypeStruct((), np.int32)},
    {'label': CLASSES},
)
MASK_SPEC = Spec(
    {'image': jax.ShapeDtypeStruct(IMAGE, np.uint8), 'mask': jax.ShapeDtypeStruct(IMAGE[:2], np.uint8)},
    {'mask': CLASSES},
)
MODELS = {
    'mlp': partial(MLP, width=8, dropout=0.0),
    'convnet': partial(ConvNet, width=2, stages=1, dropout=0.0),
}


def examples(n: int) -> Examples:
    """Returns n images of noise, each with a label."""
    random = np.random.default_rng(n)
    images = random.integers(0, 256, (n, *IMAGE), np.uint8)
    labels = random.integers(0, len(CLASSES), n, np.int32)
    return Examples([f'example-{i}' for i in range(n)], {'image': images, 'label': labels})


def masked_examples(n: int) -> Examples:
    """Returns n images of noise, each with a class for each pixel."""
    random = np.random.default_rng(n)
    images = random.integers(0, 256, (n, *IMAGE), np.uint8)
    masks = random.integers(0, len(CLASSES), (n, *IMAGE[:2]), np.uint8)
    return Examples([f'example-{i}' for i in range(n)], {'image': images, 'mask': masks})


def stream(n: int, batch_size: int, seed: int = 0) -> BlockStream:
    """Returns the stream in which training sees n examples by default."""
    return shuffled(n, batch_size, seed)


def order(n: int, batch_size: int, seed: int = 0) -> PartOrder:
    """Returns the default order of n examples, as sources ask for it."""
    return PartOrder(PartStreams({MAIN: stream(n, batch_size, seed)}), MAIN, n, batch_size, seed)


def part(examples: Examples, batch_size: int, spec: Spec = SPEC) -> Part:
    """Returns examples as a part of the training data."""
    sizes, decode = {'train': len(examples)}, examples.decode
    return Part(Dataset('tiny', '', '', spec, sizes, decode=decode, make=lambda _: examples), batch_size)


def batch(n: int) -> dict[str, Any]:
    """Returns n examples as one batch for evaluation, all of them valid."""
    return next(evaluation_batches(examples(n), n))


def classification(model: Any = MODELS['mlp'], **arguments: Any) -> Classification:
    """Returns a task: by default an MLP, trained with SGD."""
    settings: dict[str, Any] = {'optimizer': partial(optax.sgd, momentum=0.9), 'learning_rate': 0.1}
    return Classification(model=model, **(settings | arguments))


def traced(
    bound: BoundTask, devices: Parallelism, source: BatchSource, batch_size: int, *counts: int
) -> TracedSteps:
    """Returns a task's programs for batches of the examples above."""
    return StepFunctions(bound, devices, seed=0).trace(source, batch(batch_size), counts)


def model(name: str, **arguments: Any) -> nnx.Module:
    """Returns one of the models."""
    return MODELS[name](input_shape=IMAGE, outputs=len(CLASSES), rngs=nnx.Rngs(0), **arguments)
