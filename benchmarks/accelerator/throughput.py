"""Measures the training steps of one model: the template's, and those of a loop written by hand.

    python -m benchmarks.accelerator.throughput vit_b [--small] [--variant=...]

variant
  (none)      the template's program, between two measurements of the bare loop
  arrays      the same; the host holds the images and sends each batch
  groups      the same; one call of the device runs several steps
  pmap        the same, with one program for each device
  attention   the bare loop, with each kind of attention
  sizes       the bare loop, with other batch sizes
  flags       the bare loop alone, with the flags of XLA_FLAGS

The template's time is that of `scripts/train.sh`: of its file `performance.jsonl`, without evaluations and
checkpoints. The first interval is left out, since it holds the first calls.
"""

import argparse
import tempfile
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any, TypeVar

import jax
import numpy as np

from benchmarks.accelerator import bare, settings, times
from benchmarks.accelerator.bare import BareLoop
from benchmarks.accelerator.figures import figure
from benchmarks.accelerator.settings import ModelSetting
from engine.commands import train
from engine.config.config import Config
from engine.training import steps
from engine.training.trainer import Trainer

Result = TypeVar('Result')

WINDOWS = 3  # of the bare loop, before the template's training and again after it
HOST_BYTES = 1.1 * 2**30  # more images than this are held by the host


class Measurement:
    """The measurement of one model.

    Args:
      setting: of the model.
      is_small: whether sizes are those for a CPU.
      variant: what is measured.
    """

    def __init__(self, setting: ModelSetting, is_small: bool, variant: str):
        self._setting, self._variant = setting, variant
        self._sizes = settings.sizes(setting, is_small)
        self._bindings = dict(self._sizes.bindings) | _of_variant(variant, self._sizes)

    def run(self) -> None:
        """Measures the variant; prints each figure at once."""
        {
            'attention': self._compare_attention,
            'sizes': self._compare_sizes,
            'flags': lambda: self._measure_bare('bare', self._sizes.batch_size),
        }.get(self._variant, self._compare)()

    def _compare(self) -> None:
        """Measures the template's training between two measurements of the bare loop."""
        batch_size = self._sizes.batch_size
        loop = self._with_some_attention('bare', lambda: self._bare(batch_size))
        bare_seconds = self._windows(loop)
        self._print('bare', bare_seconds, batch_size)
        figure('bare_compile_seconds', round(loop.compile_seconds, 1))
        seconds, checkpoint = self._with_some_attention('template', self._train)
        self._print('template', seconds, batch_size)
        figure('checkpoint_seconds', checkpoint)
        bare_seconds += self._windows(loop)
        self._print('bare', bare_seconds, batch_size)
        figure('ratio_to_bare', round(median(bare_seconds) / median(seconds), 4))
        stats = jax.devices()[0].memory_stats() or {}
        figure('peak_memory_bytes', stats.get('peak_bytes_in_use'))
        figure('counted_flops', loop.flops)

    def _with_some_attention(self, name: str, measure: Callable[[], Result]) -> Result:
        """Returns a measurement. If cuDNN's attention does not work, this and all later ones take XLA's."""
        xla = {f'{self._setting.attention}.attention': '@attention.xla'}
        try:
            return measure()
        except Exception as error:
            if not self._setting.attention or self._bindings == self._bindings | xla:
                raise
            figure(f'{name}_cudnn_failure', f'{type(error).__name__}: {error}'[:300])
        self._bind_attention('xla')
        return measure()

    def _bind_attention(self, name: str) -> None:
        self._bindings[f'{self._setting.attention}.attention'] = f'@attention.{name}'

    def _compare_attention(self) -> None:
        for name in ('xla', 'cudnn'):
            if name == 'xla' or jax.default_backend() == 'gpu':
                self._bind_attention(name)
                self._measure_bare(name, self._sizes.batch_size)

    def _compare_sizes(self) -> None:
        for size in self._sizes.other_sizes:
            self._measure_bare(f'batch_{size}', size)

    def _measure_bare(self, name: str, batch_size: int) -> None:
        loop = self._bare(batch_size)
        self._print(name, self._windows(loop), batch_size)

    def _bare(self, batch_size: int) -> BareLoop:
        """Returns the loop by hand, with the model and the optimizer of the config, after its first steps."""
        steps.use_compilation_cache()
        task: Any = Config([self._setting.config], self._statements()).build(Trainer).task
        if self._setting.is_text:
            make = partial(task.model, vocabulary=self._sizes.outputs, length=self._sizes.shape[0])
            loss = bare.text_loss
        else:
            shape = (*self._sizes.shape, 3)
            make = partial(task.model, input_shape=shape, outputs=self._sizes.outputs)
            loss = partial(bare.image_loss, task.scale)
        batches = [self._batch(seed, batch_size) for seed in range(bare.BATCHES)]
        loop = BareLoop(lambda rngs: make(rngs=rngs), task.optimizer(task.learning_rate), loss, batches)
        loop.run(5)
        return loop

    def _statements(self) -> list[str]:
        return [f'{name} = {value}' for name, value in self._bindings.items()]

    def _batch(self, seed: int, batch_size: int) -> tuple[np.ndarray, np.ndarray]:
        random, shape, outputs = np.random.default_rng(seed), self._sizes.shape, self._sizes.outputs
        if self._setting.is_text:
            tokens = random.integers(0, outputs, (batch_size, shape[0] + 1), np.int32)
            return tokens[:, :-1], tokens[:, 1:]
        images = random.integers(0, 256, (batch_size, *shape, 3), np.uint8)
        return images, random.integers(0, outputs, batch_size, np.int32)

    def _windows(self, loop: BareLoop) -> list[float]:
        return [loop.run(self._sizes.interval) for _ in range(WINDOWS)]

    def _train(self) -> tuple[list[float], float]:
        """Trains by the template; returns the seconds of a step in each interval, and of all checkpoints."""
        with tempfile.TemporaryDirectory() as folder:
            run = Path(folder) / 'run'
            bindings = [f'--gin_bindings={statement}' for statement in self._statements()]
            command = [f'--gin_file={self._setting.config}', f'--run={run}', *bindings]
            if code := train.main(train.parser().parse_args(command)):
                raise RuntimeError(f'the training ended with {code}')
            lines = times.read(run)
        figure('performance', lines[-1])  # what the template itself says of the last interval
        return times.step_seconds(lines)

    def _print(self, name: str, seconds: Sequence[float], batch_size: int) -> None:
        figure(name, settings.rates(self._setting, self._sizes, seconds, batch_size))


def _of_variant(variant: str, sizes: settings.Sizes) -> dict[str, str]:
    """Returns the bindings of a variant."""
    if variant == 'arrays':
        return {'TRAINING': str(int(HOST_BYTES / (3 * sizes.shape[0] ** 2)))}
    if variant == 'groups':
        return {'trainer.Trainer.steps_per_dispatch': str(sizes.group)}
    return {'trainer.Trainer.parallelism': '@sharding.PMap()'} if variant == 'pmap' else {}


def main() -> None:
    """Measures what the command line names."""
    parser = argparse.ArgumentParser()
    parser.add_argument('model', choices=settings.MODELS)
    parser.add_argument('--small', action='store_true')
    parser.add_argument('--variant', default='')
    arguments = parser.parse_args()
    Measurement(settings.MODELS[arguments.model], arguments.small, arguments.variant).run()


if __name__ == '__main__':
    main()
