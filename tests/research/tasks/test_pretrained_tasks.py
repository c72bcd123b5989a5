"""Trained variables for other tasks than classification: both networks of a GAN, the encoder of a U-Net."""

from pathlib import Path
from typing import Any

import jax
import numpy as np

from engine.network import Network
from engine.parts.pretrained import Pretrained, variable_names
from engine.sharding import Jit
from engine.training.checkpointing.checkpoints import Checkpoints
from engine.training.steps import StepFunctions
from research.models.convnet import ConvNet
from research.models.unet import UNet
from tests.engine import tiny
from tests.research.tasks.test_gan import gan

MESH = Jit(data=1)
KEY = jax.random.key(5)


def noise(shapes: Any) -> Any:
    random = np.random.default_rng(0)
    return jax.tree.map(lambda leaf: random.normal(size=leaf.shape).astype(leaf.dtype), shapes)


def test_a_gan_starts_from_the_networks_that_another_one_evaluates(tmp_path: Path) -> None:
    """These are the averaged generator and the discriminator. The first average is the loaded generator."""
    functions = StepFunctions(gan().bind(tiny.SPEC), MESH, seed=0)
    source = noise(functions.state_shapes)
    with Checkpoints(tmp_path / 'checkpoints') as checkpoints:
        checkpoints.save('best', 5, source)
    state = jax.device_get(functions.init(Pretrained(source=str(tmp_path))))
    for name in ('params', 'model_state'):
        expected = {
            'generator': source['ema_generator'][name],
            'discriminator': source[name]['discriminator'],
        }
        jax.tree.map(np.testing.assert_array_equal, state[name], expected)
        jax.tree.map(np.testing.assert_array_equal, state['ema_generator'][name], expected['generator'])
    assert state['steps'] == 0


def test_the_encoder_of_a_unet_from_a_classifier(tmp_path: Path) -> None:
    """The U-Net names its encoder `down`, the classifier `stages`; heads and decoder are initialised."""

    def shapes(build: Any) -> Any:
        params, model_state = Network(build).variables
        return MESH.state({'params': params, 'model_state': model_state})

    classifier = shapes(lambda rngs: ConvNet(width=4, stages=2, input_shape=(8, 8, 1), outputs=10, rngs=rngs))
    unet = shapes(lambda rngs: UNet(width=4, stages=2, input_shape=(8, 8, 1), outputs=3, rngs=rngs))
    arrays = variable_names.of_model(noise(classifier))
    np.savez(tmp_path / 'classifier.npz', **arrays)  # type: ignore[arg-type]
    source = Pretrained(
        source=str(tmp_path / 'classifier.npz'), rename=(('^stages/', 'down/'),), only=('^down/[01]/',)
    )
    loaded = variable_names.of_model(source.load(unet))
    encoder = {name.replace('stages/', 'down/'): x for name, x in arrays.items() if 'stages/' in name}
    assert loaded.keys() == encoder.keys()
    for name, array in encoder.items():
        np.testing.assert_array_equal(loaded[name], array)
