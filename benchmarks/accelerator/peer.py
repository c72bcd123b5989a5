"""Measures the training steps of the same model in PyTorch.

    python -m benchmarks.accelerator.peer vit_b [--small] [--warm]

The step is PyTorch's fast one: bf16 by autocast, `torch.compile`, channels last and cuDNN's own choice of
algorithms for convolutions, fused optimizers. The batches are on the device already, and nothing is logged.
`--warm` compiles and measures nothing: PyTorch keeps what it compiles.

This program imports neither the template nor JAX, so PyTorch may have an environment of its own.
"""

# pyright: reportMissingImports=false
import argparse
import time
from typing import Any

import torch
from torch import nn
from torch.nn import functional

from benchmarks.accelerator import settings
from benchmarks.accelerator.figures import figure
from benchmarks.accelerator.settings import ModelSetting, Sizes
from benchmarks.accelerator.torch_gpt2 import GPT2
from benchmarks.peers.vision import torchvision

WINDOWS = 6
WARM_UP = 5  # steps
BATCHES = 4  # different ones, in turn
TIMM = {'vit_b': 'vit_base_patch16_224', 'vit_s': 'vit_small_patch16_224'}


def model(name: str, sizes: Sizes, is_small: bool) -> nn.Module:
    """Returns the model with random parameters."""
    if name == 'gpt2':
        layers, width, heads = (2, 64, 4) if is_small else (12, 768, 12)
        return GPT2(sizes.outputs, sizes.shape[0], layers, width, heads)
    if name in TIMM:
        import timm

        small = {'embed_dim': 32, 'depth': 1, 'num_heads': 2} if is_small else {}
        return timm.create_model(TIMM[name], img_size=sizes.shape[0], num_classes=sizes.outputs, **small)

    make = torchvision.models.resnet18 if is_small else torchvision.models.resnet50
    return make(num_classes=sizes.outputs)


def optimizer(name: str, network: nn.Module, device: str) -> torch.optim.Optimizer:
    """Returns the optimizer of the config, with PyTorch's fused kernels."""
    params = network.parameters()
    if name == 'resnet50':
        return torch.optim.SGD(params, 0.1, momentum=0.9, nesterov=True, fused=device == 'cuda')
    rate, betas = (6e-4, (0.9, 0.95)) if name == 'gpt2' else (1e-4, (0.9, 0.999))
    return torch.optim.AdamW(params, rate, betas, weight_decay=0.1, fused=True)


class PeerLoop:
    """PyTorch's training loop.

    Args:
      setting: of the model.
      sizes: of the measurement.
      is_small: whether the model is one for a CPU.
    """

    def __init__(self, setting: ModelSetting, sizes: Sizes, is_small: bool):
        torch.manual_seed(0)
        torch.backends.cudnn.benchmark = True
        torch.set_float32_matmul_precision('high')
        self._device = 'cuda' if torch.cuda.is_available() else 'cpu'
        self._is_text, self._sizes, self._steps = setting.is_text, sizes, 0
        layout = torch.preserve_format if setting.is_text else torch.channels_last
        network = model(setting.name, sizes, is_small).to(self._device, memory_format=layout).train()
        # With small sizes, the compiler for CPUs would take a minute.
        self._network = torch.compile(network, backend='aot_eager' if is_small else 'inductor')
        self._optimizer = optimizer(setting.name, network, self._device)
        self._batches = [self._batch(layout) for _ in range(BATCHES)]

    def _batch(self, layout: Any) -> tuple[torch.Tensor, torch.Tensor]:
        size, shape, outputs = self._sizes.batch_size, self._sizes.shape, self._sizes.outputs
        if self._is_text:
            tokens = torch.randint(outputs, (size, shape[0] + 1), device=self._device)
            return tokens[:, :-1].contiguous(), tokens[:, 1:].contiguous()
        images = torch.randn((size, 3, *shape), device=self._device).contiguous(memory_format=layout)
        return images, torch.randint(outputs, (size,), device=self._device)

    def run(self, steps: int) -> float:
        """Runs some steps; returns the time of one, seconds."""
        self._wait()
        start, loss = time.perf_counter(), None
        for _ in range(steps):
            loss = self._step(*self._batches[self._steps % BATCHES])
            self._steps += 1
        self._wait()
        seconds = (time.perf_counter() - start) / steps
        if loss is None or not torch.isfinite(loss):
            raise FloatingPointError(f'the loss of step {self._steps} is {loss}')
        return seconds

    def _step(self, inputs: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        with torch.autocast(self._device, torch.bfloat16):
            outputs = self._network(inputs)
            loss = functional.cross_entropy(outputs.flatten(0, -2), targets.flatten())
        loss.backward()
        self._optimizer.step()
        self._optimizer.zero_grad(set_to_none=True)
        return loss

    def _wait(self) -> None:
        if self._device == 'cuda':
            torch.cuda.synchronize()


def main() -> None:
    """Measures the model that the command line names."""
    parser = argparse.ArgumentParser()
    parser.add_argument('model', choices=settings.MODELS)
    parser.add_argument('--small', action='store_true')
    parser.add_argument('--warm', action='store_true')
    arguments = parser.parse_args()
    setting = settings.MODELS[arguments.model]
    sizes = settings.sizes(setting, arguments.small)
    start = time.perf_counter()
    loop = PeerLoop(setting, sizes, arguments.small)
    loop.run(1 if arguments.warm else WARM_UP)
    figure('warm_seconds' if arguments.warm else 'start_seconds', round(time.perf_counter() - start, 1))
    if arguments.warm:
        return
    seconds = [loop.run(sizes.interval) for _ in range(WINDOWS)]
    device = torch.cuda.get_device_name() if torch.cuda.is_available() else 'cpu'
    figure('versions', {'torch': torch.__version__, 'device': device})
    figure('pytorch', settings.rates(setting, sizes, seconds))
    if torch.cuda.is_available():
        figure('pytorch_peak_memory_bytes', torch.cuda.max_memory_allocated())


if __name__ == '__main__':
    main()
