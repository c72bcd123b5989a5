"""The model card tells a stranger how to run the model, and nothing of the machine that made it."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import jax
import numpy as np
import pytest
from jax import export

from engine.parts.crops import Crops, Whole
from engine.releases import card, variables
from engine.releases.variables import Variables
from engine.stored_trees.release_folder import RECORD


def record(**changed: Any) -> dict[str, Any]:
    """Returns the content of a release.json."""
    return {
        'name': 'net',
        'version': '1',
        'created': '2026-01-02T03:04:05+00:00',
        'jax': '0.10.2',
        'platforms': ['cpu'],
        'project': 'p',
        'run': 'r',
        'checkpoint': 'best',
        'step': 1000,
        'commits': ['c0ffee'],
        'dataset': 'digits',
        'dataset_fingerprint': 'ab',
        'kind': 'classification',
        'class_names': ['a', 'b'],
        'inputs': {'image': {'dtype': 'uint8', 'shape': [4, 4, 3], 'meaning': 'image'}},
        'predictions': {'logits': {'dtype': 'float32', 'shape': [2], 'meaning': ''}},
        'variables': {},
        'parameters': 10,
        'difference': 2e-7,
        'tolerance': 1e-6,
        'precision': 'float32',
        **changed,
    }


@pytest.mark.parametrize(
    ('dataset', 'shown'),
    [
        ('images:../photos', 'images:photos'),
        ('images:/home/ann/my photos/', 'images:my photos/'),
        ('text:~/x/hamlet.txt?length=64', 'text:hamlet.txt?length=64'),
        ('Named(a=images:/a/b, b=digits/toy)', 'Named(a=images:b, b=digits/toy)'),
        ('images:photos', 'images:photos'),
        ('tfds:glue/mrpc', 'tfds:glue/mrpc'),
    ],
)
def test_the_card_names_no_folder_of_this_machine(dataset: str, shown: str) -> None:
    text = card.text(record(dataset=dataset), {}, '')
    assert f'trained on {shown}:' in text.replace('\\', '')
    assert '/home' not in text
    assert '../' not in text


def test_the_origin_says_how_large_the_difference_may_be() -> None:
    assert '2e-07; 1e-06 is allowed in float32' in card.text(record(), {}, '')


def test_inputs_and_their_meaning_are_in_the_card() -> None:
    assert '| image | uint8 | (batch, 4, 4, 3) | image |' in ' '.join(card.text(record(), {}, '').split())


def test_how_images_become_inputs_is_said_in_words() -> None:
    words = Crops(size=32, central=0.875).in_words
    assert '0.875 times' in words
    assert 'resized to 32 pixels by linear interpolation' in words
    assert 'or less if the image is smaller' in Whole(size=64, enlarge=False).in_words
    assert 'smaller' not in Whole(size=64).in_words


def test_models_of_64_bits_run_as_the_card_says(tmp_path: Path) -> None:
    """In a process of its own, because 64 bits are a setting of the whole process."""

    def predict(weights: Any, inputs: Any) -> dict[str, Any]:
        return {'y': inputs['x'].astype(np.float64)[:, None] + weights['w'][None]}

    weights = np.linspace(0, 1, 3)
    variables.write(Variables({'w': weights}, {'w': ('params/w',)}), tmp_path / 'model.safetensors')
    with jax.enable_x64(True):
        (rows,) = export.symbolic_shape('batch')
        shapes = {'w': jax.ShapeDtypeStruct((3,), np.float64)}, {'x': jax.ShapeDtypeStruct((rows,), np.int64)}
        made = export.export(jax.jit(predict))(*shapes)
    (tmp_path / 'model.stablehlo').write_bytes(made.serialize())
    known = record(
        inputs={'x': {'dtype': 'int64', 'shape': []}},
        predictions={'y': {'dtype': 'float64', 'shape': [3]}},
        variables=variables.layout(tmp_path / 'model.safetensors'),
    )
    (tmp_path / RECORD).write_text(json.dumps(known))
    code = card.lines(known) + "print(predictions['y'].dtype, predictions['y'].shape, predictions['y'][0, 2])"
    assert len(card.lines(known).splitlines()) == len(card.lines(record()).splitlines()) == 6
    done = subprocess.run([sys.executable, '-c', code], cwd=tmp_path, capture_output=True, text=True)
    assert done.stdout == 'float64 (17, 3) 1.0\n', done.stderr
