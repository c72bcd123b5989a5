"""Writes weights and outputs of the models of torchvision, timm and transformers. Runs in their environment.

    python -m tests.research.models.peers <folder> <name> ...

For each name it writes `<name>.safetensors`, as published weights come, and `<name>.npz` with `input` and
`output`. The weights are random: nothing is downloaded.
"""

# pyright: reportMissingImports=false
import sys
from pathlib import Path
from typing import Any

import numpy as np
import torch
import transformers
from safetensors.torch import save_file

from benchmarks.peers.vision import torchvision


def built(name: str) -> Any:
    """Returns a model by its name in its library."""
    if name.startswith('resnet'):
        return getattr(torchvision.models, name)()
    if name.startswith('vit'):
        import timm  # after torchvision, which it imports

        return timm.create_model(name)
    return transformers.GPT2LMHeadModel(transformers.GPT2Config())


def vary(model: Any) -> None:
    """Gives biases, normalisations and statistics values that a mistake would show."""
    for name, array in model.state_dict().items():
        if array.ndim == 1 and array.is_floating_point():
            array += 0.1 * torch.rand_like(array) if 'var' in name else 0.05 * torch.randn_like(array)


@torch.no_grad()
def write(folder: Path, name: str) -> None:
    """Writes weights, input and output of a model in evaluation mode."""
    torch.manual_seed(0)
    model = built(name).eval()
    vary(model)
    if name == 'gpt2':
        x = torch.randint(50257, (2, 64))
        output, weights = model(x).logits, model.transformer.state_dict()
    else:
        x = torch.rand(2, 3, 224, 224) * 2 - 1
        output, weights = model(x), model.state_dict()
    save_file({key: array.contiguous() for key, array in weights.items()}, folder / f'{name}.safetensors')
    np.savez(folder / f'{name}.npz', input=x.numpy(), output=output.numpy())


if __name__ == '__main__':
    for name in sys.argv[2:]:
        write(Path(sys.argv[1]), name)
