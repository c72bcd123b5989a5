"""Trains a language model with a loop in plain PyTorch. Runs in the environment of the peers.

    python -m benchmarks.peers.text DATA.npz FOLDER STEPS THREADS COMPILE

The setting is nanoGPT's for laptops, https://github.com/karpathy/nanoGPT: batches of 12 texts of 64
characters, a rate that rises over 100 steps to 1e-3 and falls to 1e-4, gradients clipped to 1. The loop
writes the loss of every step, estimates the losses on 20 batches of each split every 250 steps, and saves the
state then. At the end, it measures the loss on all of the validation split.
"""

# pyright: reportMissingImports=false
import math
import sys
import time
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from benchmarks.peers import clock
from benchmarks.peers.torch_models import Transformer

BATCH_SIZE, LENGTH = 12, 64
RATE, LAST_RATE, WARMUP_STEPS = 1e-3, 1e-4, 100
EVALUATE_EVERY, EVALUATION_BATCHES = 250, 20


def rate(step: int, steps: int) -> float:
    """Returns the learning rate of a step, counted from 0."""
    if step < WARMUP_STEPS:
        return RATE * (step + 1) / (WARMUP_STEPS + 1)
    share = (step - WARMUP_STEPS) / max(steps - WARMUP_STEPS, 1)
    return LAST_RATE + (RATE - LAST_RATE) * (1 + math.cos(math.pi * share)) / 2


def random_batch(tokens: Tensor) -> tuple[Tensor, Tensor]:
    """Returns texts that begin anywhere, int64 [12, 64], and the tokens that follow theirs."""
    places = torch.randint(len(tokens) - LENGTH, (BATCH_SIZE, 1)) + torch.arange(LENGTH + 1)
    texts = tokens[places].long()
    return texts[:, :-1], texts[:, 1:]


def loss_of(model: torch.nn.Module, inputs: Tensor, targets: Tensor) -> Tensor:
    """Returns the mean loss in nats per token, f32 []."""
    return cross_entropy(model(inputs).flatten(0, 1), targets.flatten())


def optimizer(model: torch.nn.Module) -> torch.optim.Optimizer:
    """Returns AdamW, with decay for matrices alone."""
    matrices = [parameter for parameter in model.parameters() if parameter.ndim > 1]
    others = [parameter for parameter in model.parameters() if parameter.ndim < 2]
    groups = [{'params': matrices, 'weight_decay': 0.1}, {'params': others, 'weight_decay': 0.0}]
    return torch.optim.AdamW(groups, RATE, betas=(0.9, 0.99), fused=True)


@torch.inference_mode()
def estimate(model: torch.nn.Module, tokens: Tensor) -> float:
    """Returns the mean loss on some batches of a split."""
    losses = [loss_of(model, *random_batch(tokens)) for _ in range(EVALUATION_BATCHES)]
    return torch.stack(losses).mean().item()


@torch.inference_mode()
def whole_loss(model: torch.nn.Module, windows: Tensor, lengths: Tensor) -> float:
    """Returns the mean loss on all tokens of windows, int64 [n, 65], each with its number of tokens."""
    total = 0.0
    for texts, counts in zip(windows.split(BATCH_SIZE), lengths.split(BATCH_SIZE), strict=True):
        losses = cross_entropy(model(texts[:, :-1]).transpose(1, 2), texts[:, 1:], reduction='none')
        total += losses[torch.arange(1, texts.shape[1]) < counts[:, None]].sum().item()
    return total / (lengths - 1).sum().item()


def train(data: Path, folder: Path, steps: int, is_compiled: bool) -> dict[str, float]:
    """Trains and returns the seconds of evaluations and the loss on the validation split."""
    arrays = {name: torch.from_numpy(array) for name, array in np.load(data).items()}
    splits = {'train': arrays['train'], 'val': arrays['val'][:, 1:].flatten()}
    model = Transformer(int(arrays['vocabulary']))
    adamw, call = optimizer(model), torch.compile(model) if is_compiled else model
    evaluation_seconds = 0.0
    with (folder / 'train.csv').open('w') as losses, (folder / 'val.csv').open('w') as evaluations:
        for step in range(steps):
            for group in adamw.param_groups:
                group['lr'] = rate(step, steps)
            loss = loss_of(call, *random_batch(splits['train']))
            adamw.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            adamw.step()
            losses.write(f'{step + 1},{loss.item()}\n')
            if step == 0:
                clock.first_step()
            if (step + 1) % EVALUATE_EVERY == 0 or step + 1 == steps:
                start = time.perf_counter()
                values = [str(estimate(model, tokens)) for tokens in splits.values()]
                evaluations.write(f'{step + 1},{",".join(values)}\n')
                evaluation_seconds += time.perf_counter() - start
                state = {'model': model.state_dict(), 'optimizer': adamw.state_dict(), 'step': step + 1}
                torch.save(state, folder / 'last.pt')
    start = time.perf_counter()
    loss = whole_loss(model, arrays['val'].long(), arrays['val_lengths'])
    evaluation_seconds += time.perf_counter() - start
    return {'evaluation_seconds': evaluation_seconds, 'val_loss': loss}


def main() -> None:
    """Trains and reports."""
    data, folder, steps, threads, is_compiled = sys.argv[1:]
    torch.set_num_threads(int(threads))
    clock.end(**train(Path(data), Path(folder), int(steps), bool(int(is_compiled))))


if __name__ == '__main__':
    main()
