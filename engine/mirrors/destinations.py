"""The destinations by name, and where each one is by default."""

from engine import workspace
from engine.mirrors.destination import Destination
from engine.mirrors.mlflow import MLflowStore
from engine.mirrors.tensorboard import TensorBoardFolder
from engine.mirrors.visdom import PORT, VisdomServer
from engine.mirrors.wandb import WandbFolder

CLASSES = {
    'tensorboard': TensorBoardFolder,
    'mlflow': MLflowStore,
    'visdom': VisdomServer,
    'wandb': WandbFolder,
}


def open_destination(name: str, place: str | None = None) -> Destination:
    """Opens a destination.

    Args:
      name: one of `CLASSES`.
      place: a folder or an address; by default `mirrors/<name>` of the workspace, or the local Visdom server.

    Raises:
      UserError: its package is not installed, or nothing answers at its address.
    """
    return CLASSES[name](place or _default(name))


def _default(name: str) -> str:
    return f'http://127.0.0.1:{PORT}' if name == 'visdom' else str(workspace.workspace() / 'mirrors' / name)
