"""Freezes the network of a run as `classifier.npz`: `python -m data.digits.classifier <run>`.

README.md states the command of the run. The features of the network compare generated digits with real ones.
"""

import sys
from pathlib import Path
from typing import Any

import jax
import numpy as np

FILE = Path(__file__).with_name('classifier.npz')
BATCH_NORM_EPSILON = 1e-5  # the default of nnx.BatchNorm


def frozen(params: Any, model_state: Any) -> dict[str, np.ndarray]:
    """Returns the arrays of a `convnet.ConvNet` that `research.tasks.features.Convolutions` reads.

    Batch normalisation is folded into the convolutions. The features do not use the last layer.

    Args:
      params: parameters of the network.
      model_state: batch statistics of the network.

    Returns:
      Of each convolution, `kernel_<n>`, float16 [3, 3, inputs, outputs], and `bias_<n>`, float16 [outputs].
      `halve`, bool [convolutions]: whether a 2x2 max pooling precedes the convolution. Of the last layer,
      `kernel`, float16 [features, classes], and `bias`, float16 [classes].
    """
    arrays, halve = {}, []
    for number, stage in params['stages'].items():
        for name in ('first', 'second'):
            norm, statistics = stage[f'{name}_norm'], model_state['stages'][number][f'{name}_norm']
            scale = norm['scale'] / np.sqrt(statistics['var'] + BATCH_NORM_EPSILON)
            arrays[f'kernel_{len(halve)}'] = stage[name]['kernel'] * scale
            arrays[f'bias_{len(halve)}'] = norm['bias'] - statistics['mean'] * scale
            halve.append(number > 0 and name == 'first')
    float16 = {name: np.asarray(array, np.float16) for name, array in {**arrays, **params['output']}.items()}
    return float16 | {'halve': np.asarray(halve)}


def main(run: Path) -> None:
    """Writes the network of the best checkpoint of a run."""
    from engine.config.config import Config
    from engine.training.checkpointing.checkpoints import Checkpoints
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
