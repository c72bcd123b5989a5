"""The frozen classifier of the digits: its outputs equal those of the network, its accuracy is as stated."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from data.digits import classifier
from engine.datasets.load import load
from engine.network import Network
from research.models.convnet import ConvNet
from research.tasks.features import Convolutions


@pytest.fixture(scope='module')
def images() -> Any:
    return np.random.default_rng(0).integers(0, 256, (5, 8, 8, 1), np.uint8)


def test_the_frozen_network_has_the_outputs_of_the_network(images: Any, tmp_path: Any) -> None:
    """To the precision of float16."""
    network = Network(lambda rngs: ConvNet((8, 8, 1), 10, width=4, rngs=rngs))
    params, model_state = network.init(jax.random.key(0))
    random = np.random.default_rng(1)
    params, model_state = (
        jax.tree.map(lambda leaf: leaf + random.uniform(0, 0.5, leaf.shape).astype(np.float32), tree)
        for tree in (params, model_state)
    )
    expected, _ = network(params, model_state, images.astype(np.float32) / 127.5 - 1)
    arrays: Any = classifier.frozen(*jax.device_get((params, model_state)))
    np.savez(tmp_path / 'classifier.npz', **arrays)
    features = np.asarray(Convolutions(str(tmp_path / 'classifier.npz'))(images))
    logits = features @ arrays['kernel'] + arrays['bias']
    assert np.abs(logits - expected).max() < 2e-3 * np.abs(np.asarray(expected)).max()


def test_epsilon_is_the_default_of_flax() -> None:
    assert nnx.BatchNorm(1, rngs=nnx.Rngs(0)).epsilon == classifier.BATCH_NORM_EPSILON


def test_accuracy_is_as_the_readme_states() -> None:
    examples = load('digits').split('test').arrays
    features = np.asarray(Convolutions('data/digits/classifier.npz')(jnp.asarray(examples['image'])))
    last = np.load(classifier.FILE)
    predicted = (features @ last['kernel'] + last['bias']).argmax(1)
    assert np.mean(predicted == examples['label']) == pytest.approx(0.9945, abs=0.003)
    assert classifier.FILE.stat().st_size < 300_000
