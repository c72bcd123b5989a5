"""The observers of a training that binds none."""

from engine.training.observers.first_batch import FirstBatch
from engine.training.observers.observer import Observer
from engine.training.observers.performance import Performance
from engine.training.observers.progress import Progress
from engine.training.observers.tensorboard import TensorBoard


def default_observers() -> tuple[Observer, ...]:
    """Returns new observers. The last one ends first, so that it can still show what it found."""
    return Progress(), TensorBoard(), FirstBatch(), Performance()
