"""Trains the digits with Lightning. Runs in the environment of the peers.

    python -m benchmarks.peers.lightning_training digits_mlp DATA.npz FOLDER STEPS BATCH_SIZE THREADS

The data loader gathers whole batches, which is faster than its default. Trainer logs every step to CSV,
evaluates at the end of each epoch, and saves the best and the last state. The progress bar and the summary of
the model are off.
"""

# pyright: reportMissingImports=false
import importlib.metadata
import logging
import sys
import warnings
from pathlib import Path
from typing import Any

_version = importlib.metadata.version


def _version_of_others(package: str) -> str:
    """Returns the version of a package, as if torchvision and transformers were not installed."""
    if package in ('torchvision', 'transformers'):
        raise importlib.metadata.PackageNotFoundError(package)
    return _version(package)


# Lightning imports these two packages if they are installed. Without them, it starts earlier.
importlib.metadata.version = _version_of_others
sys.modules |= {'torchvision': None, 'transformers': None}  # type: ignore[dict-item]

import lightning  # noqa: E402
import torch  # noqa: E402
from lightning.pytorch.callbacks import Callback, ModelCheckpoint  # noqa: E402
from lightning.pytorch.loggers import CSVLogger  # noqa: E402
from torch import Tensor  # noqa: E402
from torch.nn.functional import cross_entropy  # noqa: E402
from torch.utils.data import (  # noqa: E402
    BatchSampler,
    DataLoader,
    RandomSampler,
    SequentialSampler,
    TensorDataset,
)

from benchmarks.peers import clock, digits  # noqa: E402


class Classifier(lightning.LightningModule):
    """The network, its loss and its optimizer."""

    def __init__(self, case: str, steps: int):
        super().__init__()
        self.model, self.steps = digits.MODELS[case](), steps

    def training_step(self, batch: tuple[Tensor, Tensor], _: int) -> Tensor:
        """Returns the loss of a batch."""
        images, labels = batch
        loss = cross_entropy(self.model(digits.scaled(digits.shifted(images))), labels)
        self.log('loss', loss)
        return loss

    def validation_step(self, batch: tuple[Tensor, Tensor], _: int) -> None:
        """Logs loss and accuracy of a batch."""
        images, labels = batch
        logits = self.model(digits.scaled(images))
        self.log('val_loss', cross_entropy(logits, labels), batch_size=len(labels))
        self.log('val_accuracy', (logits.argmax(1) == labels).float().mean(), batch_size=len(labels))

    def configure_optimizers(self) -> Any:
        """Returns AdamW with a rate that changes after each step."""
        optimizer, schedule = digits.optimizer(self, self.steps)
        return {'optimizer': optimizer, 'lr_scheduler': {'scheduler': schedule, 'interval': 'step'}}


class FirstStep(Callback):
    """Reports the end of the first step."""

    def on_train_batch_end(self, trainer: Any, *_: Any) -> None:
        """Reports it."""
        if trainer.global_step == 1:
            clock.first_step()


def loader(data: Path, split: str, batch_size: int = sys.maxsize) -> DataLoader:
    """Returns the batches of a split: those of training in random order, validation as one batch."""
    dataset = TensorDataset(*digits.examples(data, split))
    sampler = RandomSampler(dataset) if split == 'train' else SequentialSampler(dataset)
    return DataLoader(dataset, sampler=BatchSampler(sampler, batch_size, False), batch_size=None)


def main() -> None:
    """Trains and reports."""
    case, data, folder, *numbers = sys.argv[1:]
    steps, batch_size, threads = map(int, numbers)
    torch.set_num_threads(threads)
    logging.getLogger('lightning.pytorch').setLevel(logging.ERROR)
    warnings.filterwarnings('ignore')
    trainer = lightning.Trainer(
        accelerator='cpu',
        devices=1,
        max_steps=steps,
        logger=CSVLogger(folder),
        log_every_n_steps=1,
        callbacks=[ModelCheckpoint(folder, monitor='val_loss', save_last=True), FirstStep()],
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    train, val = loader(Path(data), 'train', batch_size), loader(Path(data), 'val')
    trainer.fit(Classifier(case, steps), train, val)
    metrics = trainer.callback_metrics  # empty if the training ends before its first epoch
    clock.end(accuracy=float(metrics.get('val_accuracy', 'nan')))


if __name__ == '__main__':
    main()
