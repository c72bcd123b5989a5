"""Trains the digits with a loop in plain PyTorch. Runs in the environment of the peers.

    python -m benchmarks.peers.plain digits_mlp DATA.npz FOLDER STEPS BATCH_SIZE THREADS

The examples stay in memory, and each batch is gathered by indices. The loop evaluates at the end of each
epoch, writes the loss of every step and the metrics of each evaluation to files, and saves the best and the
last state.
"""

# pyright: reportMissingImports=false
import sys
from collections.abc import Iterator
from pathlib import Path

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from benchmarks.peers import clock, digits


def indices(count: int, steps: int, batch_size: int) -> Iterator[tuple[Tensor, bool]]:
    """Yields the indices of each batch, int64 [B], and whether an epoch ends with it."""
    order = torch.randperm(count)
    for step in range(steps):
        end = (step + 1) * batch_size
        while len(order) < batch_size:
            order = torch.cat([order, torch.randperm(count)])
        batch, order = order.split([batch_size, len(order) - batch_size])
        yield batch, end // count > (end - batch_size) // count or step + 1 == steps


@torch.inference_mode()
def evaluate(model: torch.nn.Module, images: Tensor, labels: Tensor) -> tuple[float, float]:
    """Returns loss and accuracy of a split."""
    model.eval()
    logits = model(digits.scaled(images))
    model.train()
    return cross_entropy(logits, labels).item(), (logits.argmax(1) == labels).float().mean().item()


def train(case: str, data: Path, folder: Path, steps: int, batch_size: int) -> float:
    """Trains and returns the last accuracy on the validation split."""
    images, labels = digits.examples(data, 'train')
    validation = digits.examples(data, 'val')
    model, best, accuracy = digits.MODELS[case](), float('inf'), 0.0
    optimizer, schedule = digits.optimizer(model, steps)
    with (folder / 'train.csv').open('w') as losses, (folder / 'val.csv').open('w') as evaluations:
        for step, (batch, is_end) in enumerate(indices(len(labels), steps, batch_size), 1):
            inputs = digits.scaled(digits.shifted(images[batch]))
            loss = cross_entropy(model(inputs), labels[batch])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
            losses.write(f'{step},{loss.item()}\n')
            if step == 1:
                clock.first_step()
            if is_end:
                val_loss, accuracy = evaluate(model, *validation)
                evaluations.write(f'{step},{val_loss},{accuracy}\n')
                if val_loss < best:
                    best = val_loss
                    torch.save(model.state_dict(), folder / 'best.pt')
    state = {'model': model.state_dict(), 'optimizer': optimizer.state_dict(), 'step': steps}
    torch.save(state, folder / 'last.pt')
    return accuracy


def main() -> None:
    """Trains and reports."""
    case, data, folder, *numbers = sys.argv[1:]
    steps, batch_size, threads = map(int, numbers)
    torch.set_num_threads(threads)
    accuracy = train(case, Path(data), Path(folder), steps, batch_size)
    clock.end(accuracy=accuracy)


if __name__ == '__main__':
    main()
