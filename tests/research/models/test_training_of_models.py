"""ResNet, ViT and GPT-2, made tiny, are bound by a config, trained, evaluated and asked for predictions."""

import json
import math
from pathlib import Path

import pytest

from engine.workspace import REPOSITORY
from tests.conftest import Program

HEAD = f"""
include '{REPOSITORY}/configs/base.gin'
from __gin__ import dynamic_registration
from engine.training import trainer
from engine.parts import classification
from engine.parts import language
from research.models import attention
from research.models import gpt2
from research.models import resnet
from research.models import vit
import optax

STEPS = 3
BATCH_SIZE = 8
"""
IMAGES = """
trainer.Trainer.dataset = 'digits/toy'
trainer.Trainer.task = @classification.Classification()
classification.Classification.optimizer = @optax.adamw
classification.Classification.learning_rate = 1e-3
"""
MODELS = {
    'resnet': f"""{IMAGES}
classification.Classification.model = @resnet.ResNet
resnet.ResNet:
  depth = 18
  width = 2
  small_images = True
  zero_init = True
  dtype = 'bfloat16'
  remat = True
""",
    'vit': f"""{IMAGES}
classification.Classification.model = @vit.ViT
vit.ViT:
  size = 'mu'
  patch = 4
  pool = 'mean'
  positions = 'sincos2d'
  mlp_head = True
  dropout = 0.1
  dtype = 'bfloat16'
  remat = True
  attention = @attention.xla
""",
    'gpt2': """
trainer.Trainer.dataset = 'text:data/shakespeare/coriolanus.txt?length=16'
trainer.Trainer.validation_batches = 2
trainer.Trainer.task = @language.Language()
language.Language.optimizer = @optax.adamw
language.Language.learning_rate = 1e-3
language.Language.model = @gpt2.GPT2
gpt2.GPT2:
  width = 16
  depth = 1
  heads = 2
  dropout = 0.1
  use_bias = False
  dtype = 'bfloat16'
  remat = True
  attention = @attention.xla
""",
}
CASES = [pytest.param(name, marks=[] if name == 'gpt2' else [pytest.mark.slow]) for name in MODELS]


@pytest.mark.parametrize('name', CASES)
def test_a_tiny_one_trains(name: str, program: Program, tmp_path: Path) -> None:
    config, run = tmp_path / f'{name}.gin', tmp_path / 'run'
    config.write_text(HEAD + MODELS[name])
    code, _, error = program('train', f'--gin_file={config}', f'--run={run}')
    assert code == 0, error
    lines = [json.loads(line) for line in (run / 'logs/train.jsonl').read_text().splitlines()]
    assert [line['step'] for line in lines] == [1, 2, 3]
    assert all(math.isfinite(line['loss']) and line['gradient_norm'] > 0 for line in lines)
    assert (run / 'outputs/test/manifest.json').is_file()
