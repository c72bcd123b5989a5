"""ResNet, ViT and GPT-2 compute what torchvision, timm and transformers compute with the same weights."""

import ast
import os
import re
import subprocess
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from engine.network import Network
from engine.parts.pretrained import Pretrained, PyTorch
from engine.workspace import REPOSITORY
from research.models.gpt2 import GPT2
from research.models.resnet import ResNet
from research.models.vit import ViT

PYTHON = Path(os.environ.get('PEERS_PYTHON') or REPOSITORY / '.venv-peers/bin/python')
DOCUMENT = (REPOSITORY / 'docs/published-weights.md').read_text(encoding='utf-8')
IMAGENET = {'input_shape': (224, 224, 3), 'outputs': 1000}
MODELS: dict[str, tuple[str, Callable[..., Any]]] = {
    'resnet18': ('ResNet', partial(ResNet, depth=18, **IMAGENET)),
    'resnet50': ('ResNet', partial(ResNet, depth=50, **IMAGENET)),
    'vit_tiny_patch16_224': ('ViT', partial(ViT, size='Ti', **IMAGENET)),
    'vit_small_patch16_224': ('ViT', partial(ViT, size='S', **IMAGENET)),
    'vit_base_patch16_224': ('ViT', partial(ViT, size='B', **IMAGENET)),
    'gpt2': ('GPT-2', GPT2),
}


def settings(section: str) -> dict[str, Any]:
    """Returns the settings of `Pretrained` that the document states for a model."""
    _, _, text = DOCUMENT.partition(f'## {section} from ')
    block = text.partition('```gin')[2].partition('```')[0]
    rename = re.search(r'rename = (\(.*?\n  \))', block, re.DOTALL)
    assert rename
    transform = PyTorch() if '@pretrained.PyTorch()' in block else None
    return {'rename': ast.literal_eval(rename[1]), 'transform': transform}


@pytest.mark.slow
@pytest.mark.skipif(not PYTHON.exists(), reason='needs .venv-peers: python -m benchmarks.peers.environment')
@pytest.mark.parametrize('name', MODELS)
def test_outputs_equal_those_of_the_peer(name: str, tmp_path: Path) -> None:
    command = [PYTHON, '-m', 'tests.research.models.peers', tmp_path, name]
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    section, build = MODELS[name]
    network = Network(lambda rngs: build(rngs=rngs))
    params, model_state = network.variables
    weights = Pretrained(source=str(tmp_path / f'{name}.safetensors'), **settings(section))
    on_device = jax.sharding.SingleDeviceSharding(jax.devices()[0])
    shapes = jax.tree.map(
        lambda leaf: jax.ShapeDtypeStruct(leaf.shape, leaf.dtype, sharding=on_device),
        {'params': params, 'model_state': model_state},
    )
    loaded = weights.load(shapes)
    assert jax.tree.structure(loaded) == jax.tree.structure(shapes)
    peer = np.load(tmp_path / f'{name}.npz')
    x = jnp.asarray(peer['input'].transpose(0, 2, 3, 1) if name != 'gpt2' else peer['input'], None)
    x = x.astype(jnp.int32) if name == 'gpt2' else x
    output, _ = jax.jit(network)(loaded['params'], loaded['model_state'], x)
    print(f'{name}: largest difference {np.abs(output - peer["output"]).max():.1e}')
    assert 0.1 < peer['output'].std() < 100
    np.testing.assert_allclose(output, peer['output'], rtol=0, atol=1e-4)
