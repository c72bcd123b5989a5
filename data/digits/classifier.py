"""Freezes the network of a run as `classifier.npz`: `python -m data.digits.classifier <run>`.

The run is one of configs/digits_cnn.gin; README.md says with which settings. Its features compare digits.
"""

import sys
from pathlib import Path
from typing import Any

import jax
import numpy as np

FILE = Path(__file__).with_name('classifier.npz')
EPSILON = 1e-5  # of nnx.BatchNorm


def frozen(params: Any, model_state: Any) -> dict[str, np.ndarray]:
    """Returns a `convnet.ConvNet` as the arrays that `research.tasks.features.Convolutions` reads.

    The normalisations, fixed by now, become part of the convolutions. The last layer, which the features do
    without, is there as `kernel` and `bias`.

    Args:
      params: of the network.
      model_state: its batch statistics.
    """
    arrays, halve = {}, []
    for number, stage in params['stages'].items():
        for name in ('first', 'second'):
            norm, statistics = stage[f'{name}_norm'], model_state['stages'][number][f'{name}_norm']
            scale = norm['scale'] / np.sqrt(statistics['var'] + EPSILON)
            arrays[f'kernel_{len(halve)}'] = stage[name]['kernel'] * scale
            arrays[f'bias_{len(halve)}'] = norm['bias'] - statistics['mean'] * scale
            halve.append(number > 0 and name == 'first')
    half = {name: np.asarray(array, np.float16) for name, array in {**arrays, **params['output']}.items()}
    return half | {'halve': np.asarray(halve)}


def main(run: Path) -> None:
    """Writes the network of a run's best checkpoint."""
    from engine.config.config import Config
    from engine.training.checkpoints import Checkpoints
    from engine.training.trainer import Trainer

    trainer = Config([run / 'config.gin']).build(Trainer)
    trainer.check()
    with Checkpoints(run / 'checkpoints', read_only=True) as checkpoints:
        kind, step = checkpoints.find('best')
        state = jax.device_get(checkpoints.restore(kind, step, trainer.step_functions.state_shapes))
    np.savez(FILE, **frozen(state['params'], state['model_state']))  # type: ignore[arg-type]


if __name__ == '__main__':
    main(Path(sys.argv[1]))
    print(FILE)
